"""Where a run of a node is shown: ComfyUI's bar and line, and the web extension's card on the node."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from . import host
from .errors import RunComfyError, Stopped
from .events import Document, ended_part, part_of
from .node_states import NodeStates

EVENT = "sora2pro.progress"
STATES = NodeStates()


class Stage:
    """The place of the coroutine that makes it. Use it from that coroutine."""

    def __init__(self) -> None:
        self._place = host.current_place()
        self._workflow_id = host.workflow_id(self._place.prompt_id)
        self._display = host.Display(self._place)

    def show(self, text: str, fraction: float, clips: Sequence[Document]) -> None:
        """Show how far the clips of this run are.

        Args:
            text: For ComfyUI's own line: without RunComfy's words, which would become a part of the page there.
            fraction: How much of the work on this machine is done, 0 to 1.
            clips: For the card, which shows whatever it gets as text.
        """
        self._display.show(text, fraction)
        self._tell(part_of(clips))

    def end(self, phase: str, message: str, request_id: str | None = None) -> None:
        """Show that the run ended without its clips; what ComfyUI's own line says stays."""
        before = STATES.part(self._place, self._workflow_id)
        self._tell(ended_part(before, phase=phase, message=message, request_id=request_id))

    def _tell(self, part: Document) -> None:
        if self._place.node_id is None:
            return
        document = STATES.note(self._place, self._workflow_id, part)
        if document is not None:
            self._display.send(EVENT, document)


@contextlib.contextmanager
def endings_shown() -> Iterator[None]:
    """Show on the node how a run ends that does not go well, wherever in it that happens."""
    try:
        yield
    except RunComfyError as error:
        Stage().end("failed", str(error), error.request_id)
        raise
    except BaseException as error:
        is_stop = isinstance(error, Stopped) or host.is_interruption(error)
        message = str(error) if is_stop else f"The node failed unexpectedly ({type(error).__name__}); see the log."
        Stage().end("stopped" if is_stop else "failed", message)
        raise
