"""How a request gets from the queue to its end: a pure function of looks and time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """What a request is doing; the values are the words of /result."""

    QUEUED = "in_queue"
    RENDERING = "in_progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_ended(self) -> bool:
        """Whether nothing can change any more."""
        return self in {State.SUCCEEDED, State.FAILED, State.CANCELLED}


@dataclass(frozen=True, slots=True)
class Timeline:
    """When a request leaves the queue and when it is done; make one with one of the four constructors.

    Attributes:
        queued_polls: So many looks find it queued.
        rendering_polls: So many looks after that find it rendering.
        queued_s: So many seconds it is queued.
        rendering_s: So many seconds after that it is rendering.
        is_manual: Nothing moves by itself.
    """

    queued_polls: int = 0
    rendering_polls: int = 0
    queued_s: float = 0.0
    rendering_s: float = 0.0
    is_manual: bool = False

    @classmethod
    def immediate(cls) -> Timeline:
        """Done at the first look."""
        return cls()

    @classmethod
    def after_polls(cls, queued: int = 1, rendering: int = 2) -> Timeline:
        """Moves with each look at /status or /result."""
        return cls(queued_polls=queued, rendering_polls=rendering)

    @classmethod
    def by_clock(cls, queued_s: float, rendering_s: float) -> Timeline:
        """Moves with time."""
        return cls(queued_s=queued_s, rendering_s=rendering_s)

    @classmethod
    def by_hand(cls) -> Timeline:
        """Moves only through `Emulator.release`."""
        return cls(is_manual=True)

    def has_left_queue(self, polls: int, elapsed_s: float) -> bool:
        """Whether rendering has begun, after so many earlier looks and so much time."""
        return polls >= self.queued_polls and elapsed_s >= self.queued_s

    def is_done(self, polls: int, elapsed_s: float) -> bool:
        """Whether the end is reached."""
        return polls >= self.queued_polls + self.rendering_polls and elapsed_s >= self.queued_s + self.rendering_s

    def state(self, current: State, polls: int, elapsed_s: float, end: State) -> State:
        """The state after `current`; never backwards, and `end` is where it comes to."""
        if self.is_manual or current.is_ended:
            return current
        if self.is_done(polls, elapsed_s):
            return end
        return State.RENDERING if self.has_left_queue(polls, elapsed_s) else current
