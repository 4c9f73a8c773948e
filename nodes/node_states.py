"""The last state of every node that ran, so that a page which is opened or reloaded can show it. In memory only."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .events import Document, combined

if TYPE_CHECKING:
    from .host import Place

KEPT = 512


@dataclass(slots=True)
class _NodeState:
    """One node in one prompt; `parts` by the item of the list it runs for."""

    prompt_id: str | None
    run: int
    step: int = 0
    parts: dict[int, Document] = field(default_factory=dict)
    document: Document = field(default_factory=dict)


class NodeStates:
    """States by workflow and node: a newer prompt takes the place of an older one.

    Args:
        clock: Seconds since the epoch; it also puts runs of two lives of the server in order.
        kept: How many nodes are remembered.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time, kept: int = KEPT) -> None:
        self._clock = clock
        self._kept = kept
        self._lock = threading.Lock()
        self._states: OrderedDict[tuple[str | None, str | None], _NodeState] = OrderedDict()

    def note(self, place: Place, workflow_id: str | None, part: Document) -> Document | None:
        """Take in the state of a node.

        Args:
            place: Which node of which prompt.
            workflow_id: The workflow that the browser had open when it queued the prompt.
            part: `phase`, `clips` and `message`.

        Returns:
            What to tell the browser; None if it knows already.
        """
        with self._lock:
            state = self._state(place, workflow_id)
            index = place.list_index or 0
            if state.parts.get(index) == part:
                return None
            state.parts[index] = part
            state.step += 1
            together = combined(state.parts[number] for number in sorted(state.parts))
            state.document = {
                "node": place.node_id,
                "prompt_id": place.prompt_id,
                "workflow_id": workflow_id,
                "run": state.run,
                "step": state.step,
                "at": self._clock(),
                **together,
            }
            return state.document

    def all(self) -> list[Document]:
        """The last document of every node that is remembered."""
        with self._lock:
            return [state.document for state in self._states.values() if state.document]

    def part(self, place: Place, workflow_id: str | None) -> Document | None:
        """What was noted last for this very run of a node."""
        with self._lock:
            state = self._states.get((workflow_id, place.node_id))
            if state is None or state.prompt_id != place.prompt_id:
                return None
            return state.parts.get(place.list_index or 0)

    def _state(self, place: Place, workflow_id: str | None) -> _NodeState:
        key = (workflow_id, place.node_id)
        state = self._states.get(key)
        if state is None or state.prompt_id != place.prompt_id:
            started_ms = int(self._clock() * 1000)
            run = started_ms if state is None else max(started_ms, state.run + 1)
            state = self._states[key] = _NodeState(place.prompt_id, run)
        self._states.move_to_end(key)
        while len(self._states) > self._kept:
            self._states.popitem(last=False)
        return state
