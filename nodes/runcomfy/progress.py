"""What a run can report while it goes on. Values only; the runtime turns them into bars and words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preparing:
    """The picture is fitted and encoded, the price read, the journal written."""


@dataclass(frozen=True, slots=True)
class WaitingForSlot:
    """As many paid requests as the user allows are already in flight."""

    limit: int


@dataclass(frozen=True, slots=True)
class Following:
    """Another node or another ComfyUI is already working on the same job."""


@dataclass(frozen=True, slots=True)
class Submitting:
    """The request is on its way."""

    expected_usd: float | None


@dataclass(frozen=True, slots=True)
class Retrying:
    """Something passing went wrong and is tried again."""

    reason: str
    wait_s: float


@dataclass(frozen=True, slots=True)
class Queued:
    """RunComfy has the request and has not begun."""

    request_id: str
    position: int | None


@dataclass(frozen=True, slots=True)
class Rendering:
    """RunComfy is at work. `usual_s` is the median of the user's own clips of this size and length."""

    request_id: str
    elapsed_s: float
    usual_s: float | None


@dataclass(frozen=True, slots=True)
class Downloading:
    """The clip is on its way."""

    request_id: str
    done_bytes: int
    total_bytes: int | None


@dataclass(frozen=True, slots=True)
class Decoding:
    """Frames are made."""

    done_frames: int
    total_frames: int


@dataclass(frozen=True, slots=True)
class Rehearsing:
    """A free stand-in clip is rendered on this machine."""

    done_frames: int
    total_frames: int


@dataclass(frozen=True, slots=True)
class FromJournal:
    """The clip was bought earlier and is served without a charge."""

    request_id: str


@dataclass(frozen=True, slots=True)
class Finished:
    """All is done. `summary` says in our own words what came of it and what it cost; `details` may quote RunComfy."""

    request_id: str
    summary: str
    details: str = ""


Progress = (
    Preparing
    | WaitingForSlot
    | Following
    | Submitting
    | Retrying
    | Queued
    | Rendering
    | Downloading
    | Decoding
    | Rehearsing
    | FromJournal
    | Finished
)
Report = Callable[[Progress], None]


def ignore(_progress: Progress) -> None:
    """Report to nobody."""
