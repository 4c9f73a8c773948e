"""Value types of the engine: what the user asked for, our row in the journal, and the legal ways from state to state."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

    from .models import ModelSpec, Scalar

MAX_URL_CHARS = 8192
MAX_SEED = 2**64 - 1
LENGTH_FIELDS = frozenset({"seconds", "duration"})  # what RunComfy's models call the length of a clip
REHEARSAL = "rehearsal-"  # stands before what a rehearsal has instead of a request id
ELSEWHERE = "Look for another id under Generations on runcomfy.com."  # a remedy


class JobState(str, Enum):
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

RELEASABLE = frozenset({_S.UNCERTAIN, _S.FAILED, _S.CANCELLED, _S.SUBMITTED, _S.COMPLETED})


def is_legal(source: JobState, target: JobState) -> bool:
    """Whether a job may go from `source` to `target`."""
    return target in TRANSITIONS[source]


@dataclass(frozen=True, slots=True)
class InputReference:
    """The picture of a request.

    Attributes:
        value: What is sent: an https address or a data URI.
        identity: What makes it this picture: the address, or the SHA-256 of the fitted 8-bit pixels.
    """

    value: str
    identity: str

    @classmethod
    def from_url(cls, url: str) -> InputReference:
        """A hosted picture.

        Raises:
            InvalidInputError: The address is not one that RunComfy can fetch.
        """
        url = url.strip()
        check_image_url(url)
        return cls(value=url, identity=url)


def check_image_url(url: str, name: str = "image_url") -> None:
    """Refuse an address that RunComfy could never fetch. The message never repeats the address: it may hold a signature.

    `name` is the input that holds it.

    Raises:
        InvalidInputError: Not https, with credentials, malformed, or on this machine or a private network.
    """
    remedy = "Give a public https address that opens without a login, or connect 'image' instead."
    if len(url) > MAX_URL_CHARS or not url.isascii() or any(c <= " " or c == "\x7f" for c in url):
        raise InvalidInputError(
            f"'{name}' is not a usable address: it must be at most {MAX_URL_CHARS} ASCII characters without spaces.",
            remedy=remedy,
        )
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise InvalidInputError(f"'{name}' is not a usable address.", remedy=remedy) from None
    if parts.scheme != "https":
        raise InvalidInputError(f"'{name}' must begin with https://.", remedy=remedy)
    if "@" in parts.netloc:
        raise InvalidInputError(
            f"'{name}' has a user name or password in it, which would be sent along.", remedy=remedy
        )
    if not host or _is_private(host):
        raise InvalidInputError(f"'{name}' points to this machine or a private network.", remedy=remedy)


def _is_private(host: str) -> bool:
    host = host.removesuffix(".")
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One clip the user asked for.

    Attributes:
        inputs: What the model's inputs are set to, by the names the model gives them.
        take: The seed of the node: which clip of equal inputs. It is sent to models that have a seed.
    """

    model: ModelSpec
    prompt: str
    inputs: Mapping[str, Scalar]
    picture: InputReference
    take: int

    def validated(self) -> GenerationRequest:
        """This request, if RunComfy can be expected to take it.

        Raises:
            InvalidInputError: A value is outside of what the model accepts.
        """
        check_prompt(self.prompt, self.model)
        self.model.check(self.inputs)
        if isinstance(self.take, bool) or not isinstance(self.take, int) or not 0 <= self.take <= MAX_SEED:
            raise InvalidInputError(f"{self.take!r} is not a seed.", remedy=f"Use a whole number from 0 to {MAX_SEED}.")
        return self

    def body(self) -> dict[str, Scalar]:
        """The JSON object to submit."""
        return self.model.body(prompt=self.prompt, picture=self.picture.value, inputs=self.inputs, take=self.take)

    def fingerprint(self) -> str:
        """SHA-256 of all that makes this clip the one that was asked for; the same inputs have it on every machine."""
        values = [self.inputs[one.name] for one in self.model.inputs]
        identity = [self.model.model_id, self.prompt, *values, self.picture.identity, self.take]
        return hashlib.sha256(json.dumps(identity, separators=(",", ":")).encode()).hexdigest()


def check_prompt(prompt: str, model: ModelSpec) -> None:
    """Refuse a prompt that says nothing or is too long.

    Raises:
        InvalidInputError: Empty, too long, or not text that can be sent.
    """
    if not prompt.strip():
        raise InvalidInputError("The prompt is empty.", remedy="Describe what should happen in the clip.")
    if len(prompt) > model.max_prompt_chars:
        raise InvalidInputError(
            f"The prompt has {len(prompt):,} characters; the model takes {model.max_prompt_chars:,} at most.",
            remedy="Shorten it.",
        )
    try:
        prompt.encode()
    except UnicodeEncodeError:
        raise InvalidInputError(
            "The prompt holds half of a character (a lone surrogate), which cannot be sent.", remedy="Type it again."
        ) from None


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
        is_released: Whether the user gave the job up so that the same inputs can be bought anew.
        reason: RunComfy's words, or ours, for the state the job is in.
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
    def has_whole_file(self) -> bool:
        """Whether the downloaded clip is still on the disk, at its full length."""
        if self.state is not JobState.DOWNLOADED or self.path is None:
            return False
        try:
            return self.path.stat().st_size == self.file_bytes
        except OSError:
            return False


def describe_inputs(inputs: Mapping[str, Scalar]) -> list[str]:
    """Each input in words, such as `1280x720` and `4 s`."""
    return [f"{value} s" if name in LENGTH_FIELDS else str(value) for name, value in inputs.items()]


def charge_sentence(job: Job) -> str:
    """What is known about the money of a job, in one sentence."""
    if job.cost_usd is not None:
        return f"RunComfy charged ${job.cost_usd:.2f} for it."
    if not job.may_be_charged:
        return "Nothing was charged for it."
    expected = "" if job.expected_usd is None else f" (expected: ${job.expected_usd:.2f})"
    if job.state in (JobState.COMPLETED, JobState.DOWNLOADED):
        return f"It is paid for; RunComfy has not named the amount yet{expected}."
    if job.state is JobState.SUBMITTED:
        return f"RunComfy has accepted it and will charge for it{expected}."
    return f"It may have been charged{expected}."
