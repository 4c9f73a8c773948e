"""What a run reports while it goes on, how it waits, and how it is asked to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from ..errors import Stopped


class StopSignal:
    """Set once, from any thread. Every wait of the engine goes through it, so that Stop is noticed at once.

    Attributes:
        cancels_remotely: Whether the request is to be cancelled at RunComfy too: yes when the user pressed Stop, no when
            a sibling node failed.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self.cancels_remotely = False

    def set(self, *, cancels_remotely: bool) -> None:
        """Ask the run to end. The first one to ask says how."""
        with self._lock:
            if self._event.is_set():
                return
            self.cancels_remotely = cancels_remotely
            self._event.set()
            listeners = list(self._listeners)
        for unblock in listeners:
            unblock()

    @contextmanager
    def ending(self, unblock: Callable[[], None]) -> Iterator[None]:
        """Around something that blocks: `unblock` is called, by the thread that asks, when the run is asked to end.

        It is called at once where the run was asked to end before.
        """
        with self._lock:
            self._listeners.append(unblock)
            is_late = self._event.is_set()
        try:
            if is_late:
                unblock()
            yield
        finally:
            with self._lock:
                self._listeners.remove(unblock)

    @property
    def is_set(self) -> bool:
        """Whether the run was asked to end."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise `Stopped` if the run was asked to end."""
        if self._event.is_set():
            raise Stopped

    def sleep(self, seconds: float) -> None:
        """Wait, or raise `Stopped` as soon as the run is asked to end."""
        if self._event.wait(max(0.0, seconds)):
            raise Stopped


class Slots:
    """So many runs at once, the others wait.

    Args:
        limit: How many, as of now: it may change while some are held.
        interval_s: How often a waiting run looks whether it was asked to end.
    """

    def __init__(self, limit: Callable[[], int], *, interval_s: float = 0.1) -> None:
        self.limit = limit
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._held = 0

    @contextmanager
    def held(
        self, stop: StopSignal, on_wait: Callable[[], None], *, may_take: Callable[[], bool] = lambda: True
    ) -> Iterator[None]:
        """Hold one of the slots.

        Args:
            stop: Ends the waiting.
            on_wait: Called before each pause.
            may_take: Whether others are not to go first.

        Raises:
            Stopped: The run was asked to end while it waited.
        """
        while not (may_take() and self._take()):
            on_wait()
            stop.sleep(self._interval_s)
        try:
            yield
        finally:
            with self._lock:
                self._held -= 1

    def _take(self) -> bool:
        limit = self.limit()
        with self._lock:
            if self._held >= limit:
                return False
            self._held += 1
            return True


@dataclass(frozen=True, slots=True)
class Preparing:
    """The picture is fitted and encoded, the price read, the journal written."""


@dataclass(frozen=True, slots=True)
class WaitingForSlot:
    """As many paid requests as the user allows are already running."""

    limit: int


@dataclass(frozen=True, slots=True)
class Following:
    """Another node or another ComfyUI is already working on the same job."""


class PriceBound(StrEnum):
    """What a price that is expected says of the real one; kept with the job under these words."""

    ABOUT = "about"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    AT_LEAST_FOR_THE_LONGEST = "at_least_for_the_longest"  # where the model decides the length

    @classmethod
    def _missing_(cls, _value: object) -> PriceBound:
        """What an older journal does not say."""
        return cls.ABOUT

    def words(self, usd: float) -> str:
        """Such as `about $1.20`."""
        return {
            PriceBound.ABOUT: "about {}",
            PriceBound.AT_LEAST: "from {}",
            PriceBound.AT_MOST: "up to {}",
            PriceBound.AT_LEAST_FOR_THE_LONGEST: "from {} at its longest",
        }[self].format(f"${usd:.2f}")


@dataclass(frozen=True, slots=True)
class Asking:
    """The user is asked whether to buy a clip, `expected_usd` None where its price is not known. An answer names `question`."""

    question: str
    expected_usd: float | None
    bound: PriceBound = PriceBound.ABOUT


@dataclass(frozen=True, slots=True)
class Submitting:
    """The request is on its way."""

    expected_usd: float | None
    bound: PriceBound = PriceBound.ABOUT


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
    """All is done. `summary` says in our own words what came of it and what it cost; `details` may quote RunComfy.

    `has_clip` is False where a job was only looked at.
    """

    request_id: str
    summary: str
    details: str = ""
    has_clip: bool = True


Progress = (
    Preparing
    | WaitingForSlot
    | Following
    | Asking
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
Arrived = Callable[[int, bytes, int | None], None]


def ignore(*_news: object) -> None:
    """Report to nobody."""


@dataclass(frozen=True, slots=True)
class Run:
    """What the engine needs to know of whoever waits for it.

    Attributes:
        stop: Ends the run.
        report: Told of every step.
        arrived: Given every piece of a clip that is downloaded, in the order in which it is written: (place of its first
            byte, its bytes, length of the file if that is known). A clip can begin again, and need not be whole at the end.
    """

    stop: StopSignal
    report: Report
    arrived: Arrived = ignore
