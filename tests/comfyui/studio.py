"""ComfyUI and the emulator side by side: a graph goes in here, a charge appears there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from comfyui.outcome import Outcome
    from comfyui.server import ComfyUI
    from emulator import Call, Emulator, Recorded, Request

WAIT_S = 60.0

Found = TypeVar("Found")


@dataclass(frozen=True)
class Studio:
    """Both of them, counted from the beginning of one test. Requests move by hand.

    Attributes:
        requests_before: how many requests the emulator had accepted.
        charges_before: how many of them were charged.
        calls_before: how many calls it had recorded.
    """

    comfyui: ComfyUI
    emulator: Emulator
    requests_before: int
    charges_before: int
    calls_before: int

    @classmethod
    def from_now(cls, comfyui: ComfyUI, emulator: Emulator) -> Studio:
        """Begins to count."""
        return cls(comfyui, emulator, len(emulator.requests), emulator.charges, len(emulator.calls))

    @property
    def charges(self) -> int:
        """What this test has been charged for, refunds taken off."""
        return self.emulator.charges - self.charges_before

    @property
    def calls(self) -> list[Recorded]:
        """What the pack has asked RunComfy for in this test."""
        return self.emulator.calls[self.calls_before :]

    def accepted(self, count: int) -> list[Request]:
        """Waits until RunComfy has accepted so many requests of this test; returns them, oldest first."""
        return self._at_least(count, lambda: self.emulator.requests[self.requests_before :])

    def called(self, call: Call) -> list[Recorded]:
        """Waits until the pack has made such a call in this test; returns all of them."""
        return self._at_least(1, lambda: [recorded for recorded in self.calls if recorded.call is call])

    def run(self, graph: Mapping[str, object], *, clips: int = 1) -> Outcome:
        """Runs a graph to its end; RunComfy finishes its new requests as soon as all of them are accepted."""
        prompt_id = self.comfyui.queue(graph)
        if clips:
            for request in self.accepted(clips):
                self.emulator.release(request.request_id)
        return self.comfyui.wait(prompt_id)

    def _at_least(self, count: int, find: Callable[[], list[Found]]) -> list[Found]:
        try:
            self.emulator.wait_until(lambda: len(find()) >= count, WAIT_S)
        except TimeoutError as error:
            message = f"Not {count} of them in {WAIT_S:.0f} s. {error} The log:\n{self.comfyui.log[-3000:]}"
            raise TimeoutError(message) from error
        return find()
