"""Value types of the engine: what the user asked for, our row in the journal, and the legal ways from state to state."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import UNCHANGED, InvalidInputError
from .picture_urls import check_image_url
from .progress import PriceBound
from .prompts import canonical_spelling, check_prompt, spellings

if TYPE_CHECKING:
    from pathlib import Path

    from .models import ModelSpec, Scalar

MAX_SEED = 2**64 - 1
# No clip costs so little: what is below it is a field that was never filled in, and would switch the spend cap off.
LEAST_USD = 0.001
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


_A = Action

# What is possible in which state, beside looking, which always is. RunComfy has to say that it does not know the request before
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
            "That is a rehearsal: it was made on this machine, and RunComfy knows nothing of it.",
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
class Picture:
    """The picture of a request.

    Attributes:
        value: What is sent: an https address or a data URI.
        identity: What makes it this picture: the address, or the SHA-256 of the fitted 8-bit pixels.
    """

    value: str
    identity: str

    @classmethod
    def from_url(cls, url: str) -> Picture:
        """A hosted picture.

        Raises:
            InvalidInputError: The address is not one that RunComfy can download from.
        """
        url = url.strip()
        check_image_url(url)
        return cls(value=url, identity=url)


class SchemaSource(StrEnum):
    """Where the description of a model is from: RunComfy now, RunComfy earlier, or this pack."""

    LIVE = "live"
    KEPT = "kept"
    SHIPPED = "shipped"


@dataclass(frozen=True, slots=True)
class Description:
    """By which description of its model a request was made; `schema_hash` is a SHA-256 in hexadecimal digits."""

    schema_hash: str
    source: SchemaSource


class ClipRequest(Protocol):
    """One clip the user asked for, of whatever model: all that the order of spending needs to know of it."""

    @property
    def prompt(self) -> str:
        """What happens in the clip."""

    @property
    def take(self) -> int:
        """The seed of the node."""

    @property
    def model_id(self) -> str:
        """RunComfy's id of the model."""

    @property
    def stored_inputs(self) -> Mapping[str, Any]:
        """What the journal keeps of the inputs: all but prompt and pictures."""

    @property
    def kind(self) -> str:
        """What clips of one price have in common, as canonical JSON."""

    @property
    def list_usd(self) -> float | None:
        """The highest price known for such a clip, in US dollars; None where none is known."""

    @property
    def price_bound(self) -> PriceBound:
        """What that price says of the real one."""

    @property
    def description(self) -> Description | None:
        """By which description of its model it was made; None for a model that the pack itself describes."""

    def expected_usd(self, catalogue_usd: Callable[[str, float], float | None]) -> float | None:
        """What the clip is expected to cost; `catalogue_usd` asks RunComfy for a model and a length in seconds."""

    def validated(self) -> ClipRequest:
        """This request; raises `InvalidInputError` if RunComfy cannot be expected to take it."""

    def body(self) -> Mapping[str, Any]:
        """The JSON object to submit."""

    def canonical_fingerprint(self) -> str:
        """Under which a new job is claimed."""

    def fingerprints(self) -> tuple[str, ...]:
        """Under which the clip may be known already, the one that was typed first."""


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One clip of a model that is a `ModelSpec`.

    Attributes:
        inputs: What the model's inputs are set to, by the names the model gives them.
        pictures: One for each of the model's, in its order.
        take: The seed of the node: which clip of equal inputs. It is sent to models that have a seed.
    """

    model: ModelSpec
    prompt: str
    inputs: Mapping[str, Scalar]
    pictures: tuple[Picture, ...]
    take: int

    @property
    def model_id(self) -> str:
        """RunComfy's id of the model."""
        return self.model.model_id

    @property
    def stored_inputs(self) -> Mapping[str, Scalar]:
        """What the journal keeps of the inputs."""
        return self.inputs

    @property
    def kind(self) -> str:
        """What clips of one price have in common."""
        return self.model.kind(self.inputs)

    @property
    def list_usd(self) -> float:
        """The highest price known for such a clip."""
        return self.model.list_usd(self.inputs)

    @property
    def price_bound(self) -> PriceBound:
        """About as much: the catalogue knows nothing of sizes."""
        return PriceBound.ABOUT

    @property
    def description(self) -> None:
        """None: the pack itself describes the model."""
        return None

    def expected_usd(self, catalogue_usd: Callable[[str, float], float | None]) -> float | None:
        """What the catalogue says of a clip of this length."""
        return catalogue_usd(self.model_id, self.model.length_s(self.inputs))

    def validated(self) -> GenerationRequest:
        """This request, if RunComfy can be expected to take it.

        Raises:
            InvalidInputError: A value is outside of what the model accepts.
        """
        check_prompt(self.prompt, max_chars=self.model.max_prompt_chars)
        self.model.check(self.inputs)
        check_take(self.take)
        return self

    def body(self) -> dict[str, Scalar]:
        """The JSON object to submit."""
        pictures = [picture.value for picture in self.pictures]
        return self.model.body(prompt=self.prompt, pictures=pictures, inputs=self.inputs, take=self.take)

    def fingerprint(self) -> str:
        """SHA-256 of all that makes this clip the one that was asked for; the same inputs have it on every machine."""
        return self._fingerprint(self.prompt)

    def canonical_fingerprint(self) -> str:
        """The fingerprint of the prompt in its canonical spelling, under which a new job is claimed."""
        return self._fingerprint(canonical_spelling(self.prompt))

    def fingerprints(self) -> tuple[str, ...]:
        """The fingerprints of all spellings of the prompt that look the same, the one that was typed first."""
        return tuple(dict.fromkeys(map(self._fingerprint, spellings(self.prompt))))

    def _fingerprint(self, prompt: str) -> str:
        values = [self.inputs[one.name] for one in self.model.inputs]
        pictures = [picture.identity for picture in self.pictures]
        identity = [self.model.model_id, prompt, *values, *pictures, self.take]
        return hashlib.sha256(json.dumps(identity, separators=(",", ":")).encode()).hexdigest()


def check_take(take: object) -> None:
    """Refuse what is not a seed.

    Raises:
        InvalidInputError: It is not a whole number, or out of range.
    """
    if isinstance(take, bool) or not isinstance(take, int) or not 0 <= take <= MAX_SEED:
        raise InvalidInputError(f"{take!r} is not a seed.", remedy=f"Use a whole number from 0 to {MAX_SEED}.")


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
        cost_usd: What RunComfy says it cost; it may say so late.
        may_be_charged: Whether RunComfy may have charged for it, as far as is known.
        is_released: Whether the user released the job so that the same inputs can be bought again.
        reason: RunComfy's words, or ours, for the state the job is in.
        api_base: The address of the API at which it was bought; None where the journal was too old to say.
        account: What stands for the account that bought it (see `origin.account_of`), or None.
        schema_hash: Of the description by which the request was made (see `Description`); None where there was none.
        schema_source: Where that description was from.
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
class Purchase:
    """A clip that is on this disk.

    Attributes:
        job: Downloaded.
        is_new: False where the clip was on this disk before, so that nothing was sent and nothing is charged.
    """

    job: Job
    is_new: bool


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
