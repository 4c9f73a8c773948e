"""How a run in a thread of its own is told to end."""

from __future__ import annotations

import threading

from ..errors import Stopped


class StopSignal:
    """Set once, from any thread. Every wait of the engine goes through it, so that Stop is noticed at once.

    Attributes:
        cancels_remotely: Whether the request is to be cancelled at RunComfy too: yes when the user pressed Stop, no when
            a sibling node failed.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self.cancels_remotely = False

    def set(self, *, cancels_remotely: bool) -> None:
        """Ask the run to end."""
        self.cancels_remotely = cancels_remotely
        self._event.set()

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
