"""Our row in the journal: its states and the legal ways between them, what can be done with it, and which one is meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ..errors import UNCHANGED, InvalidInputError
from .progress import PriceBound

if TYPE_CHECKING:
    from pathlib import Path

    from .models import Scalar

# No clip costs so little: what is below it is a field that was never filled in, and would switch the spend cap off.
LEAST_USD = 0.001
# Nor is any figure above this a price or a charge: sums with it could become infinite.
MOST_USD = 1_000_000.0
LENGTH_FIELDS = frozenset({"seconds", "duration"})  # what RunComfy's models call the length of a clip
REHEARSAL = "rehearsal-"  # stands before what a rehearsal has instead of a request id
ELSEWHERE = "Look for another id under Generations on runcomfy.com."  # a remedy


class JobState(StrEnum):
    """Where a job has got to. Every arrow is one commit of the journal."""

    PREPARED = "prepared"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    COMPLETED = "completed"
    DOWNLOADED = "downloaded"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNCERTAIN = "uncertain"


_S = JobState

# Out of `failed` and `cancelled` a job goes back to `submitted`, never to `prepared`: asking RunComfy about a known request
# again is free, sending it again is not.
TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    _S.PREPARED: frozenset({_S.SUBMITTING}),
    _S.SUBMITTING: frozenset({_S.PREPARED, _S.SUBMITTED, _S.REJECTED, _S.UNCERTAIN}),
    _S.SUBMITTED: frozenset({_S.COMPLETED, _S.FAILED, _S.CANCELLED}),
    _S.COMPLETED: frozenset({_S.COMPLETED, _S.DOWNLOADED, _S.FAILED, _S.CANCELLED}),
    _S.DOWNLOADED: frozenset({_S.COMPLETED}),
    _S.UNCERTAIN: frozenset({_S.SUBMITTED}),
    _S.FAILED: frozenset({_S.SUBMITTED}),
    _S.CANCELLED: frozenset({_S.SUBMITTED}),
    _S.REJECTED: frozenset(),
}


class Action(StrEnum):
    """What a user can do with a job; none of it can spend."""

    CHECK = "check"
    COLLECT = "collect"
    CANCEL = "cancel"
    ADOPT = "adopt"
    RELEASE = "release"

    @property
    def meaning(self) -> str:
        """What it does, as the status node says it."""
        return _MEANINGS[self]


_A = Action

# To add one: a row in each of these two tables, its work in `Actions.act`, a row in the README, its words in the locales.
_MEANINGS: dict[Action, str] = {
    _A.CHECK: "see how far it is, free.",
    _A.COLLECT: "wait for the clip and download it, no new charge.",
    _A.CANCEL: "ask RunComfy to cancel a queued request.",
    _A.ADOPT: "link an uncertain job to the request id you found on runcomfy.com.",
    _A.RELEASE: "drop a job, so that the same inputs can be bought again.",
}

# What is possible in which state, besides looking, which always is. RunComfy has to say that it does not know the request before
# a submitted or completed job is released.
POSSIBLE: dict[JobState, frozenset[Action]] = {
    _S.PREPARED: frozenset(),
    _S.SUBMITTING: frozenset(),
    _S.SUBMITTED: frozenset({_A.COLLECT, _A.CANCEL, _A.RELEASE}),
    _S.COMPLETED: frozenset({_A.COLLECT, _A.RELEASE}),
    _S.DOWNLOADED: frozenset({_A.COLLECT}),
    _S.UNCERTAIN: frozenset({_A.ADOPT, _A.RELEASE}),
    _S.FAILED: frozenset({_A.COLLECT, _A.RELEASE}),
    _S.CANCELLED: frozenset({_A.COLLECT, _A.RELEASE}),
    _S.REJECTED: frozenset(),
}

REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_JOB_NAME = re.compile(r"job-(\d{1,15})")


@dataclass(frozen=True, slots=True)
class JobRef:
    """Which job is meant: by its number, by RunComfy's request id, or with neither, the newest."""

    job_id: int | None = None
    request_id: str | None = None

    @property
    def is_newest(self) -> bool:
        """Whether no job is named."""
        return self.job_id is None and self.request_id is None

    def __str__(self) -> str:
        """As a user writes it: `job-7`, a request id, or nothing."""
        return self.request_id or ("" if self.job_id is None else f"job-{self.job_id}")

    @classmethod
    def parse(cls, text: str) -> JobRef:
        """Read what a user wrote: nothing for the newest, `job-7`, or a request id.

        Raises:
            InvalidInputError: It is none of these.
        """
        text = text.strip()
        if not text:
            return cls()
        match = _JOB_NAME.fullmatch(text)
        return cls(request_id=parse_request_id(text)) if match is None else cls(job_id=int(match[1]))


def parse_request_id(text: str) -> str:
    """The text, if it has the form of a request id.

    Raises:
        InvalidInputError: It has not.
    """
    text = text.strip()
    if text.startswith(REHEARSAL):
        raise InvalidInputError(
            "That is a rehearsal: it was made on this machine, and RunComfy knows nothing about it.",
            money=UNCHANGED,
            remedy="Its file is in the folder 'rehearsal' beside your clips.",
        )
    if REQUEST_ID.fullmatch(text) is None:
        raise InvalidInputError(
            "That is neither a request id nor a job such as job-7.",
            money=UNCHANGED,
            remedy="A request id has letters, digits, dashes and underscores; leave the field blank for the newest job.",
        )
    return text


def is_legal(source: JobState, target: JobState) -> bool:
    """Whether a job may go from `source` to `target`."""
    return target in TRANSITIONS[source]


@dataclass(frozen=True, slots=True)
class Job:
    """A row of the journal. Times are seconds since the epoch, money is US dollars.

    Attributes:
        inputs: What the model's inputs were set to; empty for a request that was only collected here.
        take: The seed of the node.
        kind: What clips of one price have in common, as canonical JSON.
        is_imported: Whether the request was bought elsewhere and only collected here, so that its inputs are not known.
        started_at: When the request was first seen to have left the queue.
        list_usd: The highest price known for such a clip; it counts where nothing better is known.
        expected_usd: What the clip was expected to cost when it was submitted.
        price_bound: What that says of the real price.
        cost_usd: What RunComfy says it cost; it may say so late.
        may_be_charged: Whether RunComfy may have charged for it, as far as is known.
        is_released: Whether the user released the job so that the same inputs can be bought again.
        reason: RunComfy's words, or ours, for the state the job is in.
        api_base: The address of the API at which it was bought; None where the journal was too old to say.
        account: What stands for the account that bought it (see `credentials.account_of`), or None.
        schema_hash: Of the description by which the request was made (see `Description`); None where there was none.
        schema_source: Where that description was from.
        archived_sha256: Of the clip in the archive, in hexadecimal digits; None while it is not there.
        file_machine: The machine on whose disk `path` is, where several share the journal; else None.
    """

    id: int
    fingerprint: str
    state: JobState
    model_id: str
    prompt: str
    inputs: Mapping[str, Scalar]
    take: int
    is_imported: bool
    kind: str
    request_id: str | None
    created_at: float
    updated_at: float
    submitted_at: float | None
    started_at: float | None
    completed_at: float | None
    list_usd: float
    expected_usd: float | None
    cost_usd: float | None
    may_be_charged: bool
    is_released: bool
    cancel_requested: bool
    video_url: str | None
    path: Path | None
    file_bytes: int | None
    reason: str
    api_base: str | None = None
    account: str | None = None
    schema_hash: str | None = None
    schema_source: str | None = None
    archived_sha256: str | None = None
    file_machine: str | None = None
    price_bound: PriceBound = PriceBound.ABOUT

    @property
    def name(self) -> str:
        """What the job is called in messages and in `Sora2ProStatus`."""
        return f"job-{self.id}"

    @property
    def holds_fingerprint(self) -> bool:
        """Whether the same inputs lead to this job instead of to a new purchase."""
        if self.is_released or self.state is JobState.REJECTED:
            return False
        return self.state is not JobState.CANCELLED or self.may_be_charged

    @property
    def was_cancelled_by_user(self) -> bool:
        """Whether it was cancelled from ComfyUI."""
        return self.state is JobState.CANCELLED and self.cancel_requested

    def allows(self, action: Action) -> bool:
        """Whether an action makes sense now."""
        if action is Action.CHECK:
            return True
        # A released job has nothing to give up, and nothing to adopt a request for.
        if action in (Action.ADOPT, Action.RELEASE) and not self.holds_fingerprint:
            return False
        return action in POSSIBLE[self.state] and (action is not Action.COLLECT or self.request_id is not None)

    @property
    def ref(self) -> JobRef:
        """A reference to it."""
        return JobRef(job_id=self.id)

    @property
    def has_whole_file(self) -> bool:
        """Whether the downloaded clip is still on the disk, at its full length."""
        if self.state is not JobState.DOWNLOADED or self.path is None:
            return False
        try:
            return self.path.stat().st_size == self.file_bytes
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What other machines have of a job, by their names; empty for nothing, and where the journal is this machine's alone.

    Attributes:
        worker: The one that works on it now.
        file: The one on whose disk its clip is.
    """

    worker: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class Purchase:
    """A clip that is on this disk.

    Attributes:
        job: Downloaded.
        is_new: False where the clip was on this disk before, so that nothing was sent and nothing is charged.
        note: What the user is to know of the clip and the archive; empty where all is well.
    """

    job: Job
    is_new: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Totals:
    """US dollars spent, or perhaps spent."""

    today_usd: float
    all_time_usd: float
    job_count: int


@dataclass(frozen=True, slots=True)
class JobQuery:
    """A page of jobs, newest first, below a job's number; see `History.search`."""

    text: str = ""
    limit: int = 50
    before_id: int | None = None
    states: tuple[JobState, ...] = ()
    model_id: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Jobs, newest first, whether older ones follow, what was spent in all, and the models of all jobs."""

    jobs: tuple[Job, ...]
    has_more: bool
    totals: Totals
    models: tuple[str, ...]
