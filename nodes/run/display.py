"""What a run shows: ComfyUI's bar and line, the web extension's card, and the last state of every node."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import host
from ..errors import CancelledByUserError, RunComfyError, Stopped
from ..runcomfy import progress as p
from ..runcomfy import shown, shown_lines

if TYPE_CHECKING:
    from ..host import Place


LOCAL_HALF = 0.5


def describe(progress: p.Progress, since_s: float) -> str:  # noqa: C901, PLR0911, PLR0912 - one line for each kind
    """One line for a state.

    Args:
        progress: The state as last reported.
        since_s: How many seconds ago that was, so that elapsed time goes on between two reports.
    """
    match progress:
        case p.Preparing():
            return "Preparing the picture"
        case p.WaitingForSlot(limit):
            return _waiting(limit)
        case p.Following():
            return "Another node is already making this clip; waiting for it (no second charge)"
        case p.Asking(_, expected_usd, bound):
            price = "its price is not known" if expected_usd is None else bound.words(expected_usd)
            return f"Waiting for your answer: buy this clip ({price})?"
        case p.Submitting(expected_usd, bound):
            return "Sending to RunComfy" + ("" if expected_usd is None else f" ({bound.words(expected_usd)})")
        case p.Retrying(reason, wait_s):
            return f"{shown(reason).rstrip('.')}. {_trying_again(wait_s - since_s)}"
        case p.Queued(_, position):
            return "Queued at RunComfy" + ("" if position is None else f", position {position}")
        case p.Rendering(_, elapsed_s, usual_s):
            usual = "" if usual_s is None else f" (usually {duration(usual_s)})"
            return f"Rendering for {duration(elapsed_s + since_s)}{usual}"
        case p.Downloading(_, done, total):
            return f"Downloading {megabytes(done)}" + ("" if total is None else f" of {megabytes(total)}")
        case p.Decoding(done, total):
            return f"Decoding frame {done} of {total}"
        case p.Rehearsing(done, total):
            return f"Rehearsal (free, not sent): frame {done} of {total}"
        case p.FromJournal():
            return "Already bought: no charge"
        case p.Finished(_, summary, details):
            return details or summary


def own_words(progress: p.Progress, since_s: float) -> str:
    """The same line without a word of RunComfy's.

    It is for ComfyUI's own line on a node, which takes HTML and link syntax, and which a node of another workflow with the
    same id shows too.
    """
    match progress:
        case p.Retrying(_, wait_s):
            return f"RunComfy did not answer as expected. {_trying_again(wait_s - since_s)}"
        case p.Finished(summary=summary):
            return summary
        case _:
            return describe(progress, since_s)


def _waiting(limit: int) -> str:
    if limit == 1:
        return "Waiting for a free slot: 1 paid request is already running (the limit is in Settings under RunComfy)"
    return (
        f"Waiting for a free slot: {limit} paid requests are already running (the limit is in Settings under RunComfy)"
    )


def _trying_again(wait_s: float) -> str:
    return f"Trying again in {max(0.0, wait_s):.0f} s"


def logged(progress: p.Progress) -> str:
    """One line for the log, which tells of a kind of state once: where one counts, only how far it will."""
    match progress:
        case p.Decoding(_, total):
            return f"Decoding {total} frame{'' if total == 1 else 's'}"
        case p.Rehearsing(_, total):
            return f"Rehearsal (free, not sent): {total} frame{'' if total == 1 else 's'}"
        case _:
            return describe(progress, 0.0)


def local_fraction(progress: p.Progress) -> float:
    """How much of the work on this machine is done, 0 to 1. What RunComfy does has no measure, so it counts nothing."""
    match progress:
        case p.Downloading(_, done, total) | p.Rehearsing(done, total):
            return LOCAL_HALF * done / total if total else 0.0
        case p.FromJournal():
            return LOCAL_HALF
        case p.Decoding(done, total):
            return LOCAL_HALF + LOCAL_HALF * done / total if total else LOCAL_HALF
        case p.Finished():
            return 1.0
        case _:
            return 0.0


def summary(lines: Sequence[str]) -> str:
    """One text for the clips of a batch."""
    if len(lines) == 1:
        return lines[0]
    return "\n".join(f"Clip {number}: {line}" for number, line in enumerate(lines, start=1))


def duration(seconds: float) -> str:
    """`45 s`, `3 min 5 s`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def megabytes(count: int) -> str:
    """`3.4 MB`."""
    return f"{count / 1e6:.1f} MB"


def listed(numbers: Sequence[object]) -> str:
    """`1`, `1 and 3`, `1, 2 and 4`; the same for names."""
    *head, last = [str(number) for number in numbers]
    return f"{', '.join(head)} and {last}" if head else last


def numbered(one: str, several: str, numbers: Sequence[int], **values: object) -> str:
    """The sentence that fits how many there are, with the list in the place of `{numbers}`."""
    return (one if len(numbers) == 1 else several).format(numbers=listed(numbers), **values)


Document = dict[str, Any]

_KINDS: dict[type, str] = {
    p.Preparing: "preparing",
    p.WaitingForSlot: "waiting",
    p.Following: "following",
    p.Asking: "asking",
    p.Submitting: "submitting",
    p.Retrying: "retrying",
    p.Queued: "queued",
    p.Rendering: "rendering",
    p.Downloading: "downloading",
    p.Decoding: "decoding",
    p.Rehearsing: "rehearsing",
    p.FromJournal: "from_journal",
    p.Finished: "finished",
}
# In place of a clip, the report of a job that was only looked at.
REPORTED = "reported"
# The worst news of several runs on one node stands for all of them.
_PHASES = ("working", "failed", "stopped", "done")


def clip_document(progress: p.Progress, text: str, *, fraction: float) -> Document:
    """One clip of a run.

    Args:
        progress: The state as last reported.
        text: What the user reads on the card; it may quote RunComfy.
        fraction: How much of the work on this machine is done, 0 to 1.
    """
    is_report = isinstance(progress, p.Finished) and not progress.has_clip
    question = (
        {"question": progress.question, "usd": progress.expected_usd, "price_bound": progress.bound.value}
        if isinstance(progress, p.Asking)
        else {}
    )
    return {
        "kind": REPORTED if is_report else _KINDS[type(progress)],
        "text": shown_lines(text),
        "fraction": round(fraction, 3),
        "request_id": getattr(progress, "request_id", None) or None,
        **question,
    }


def failed_clip_document(error: RunComfyError) -> Document:
    """A clip of a run that will not arrive any more."""
    return {"kind": "failed", "text": shown_lines(str(error)), "fraction": 1.0, "request_id": error.request_id}


def part_of(clips: Sequence[Document]) -> Document:
    """The state of a run that goes well so far."""
    is_done = all(clip["kind"] in {_KINDS[p.Finished], REPORTED} for clip in clips)
    return {"phase": "done" if is_done else "working", "clips": list(clips), "message": ""}


def ended_part(before: Document | None, *, phase: str, message: str, request_id: str | None = None) -> Document:
    """The state of a run that ended without all of its clips.

    Args:
        before: Its last state; the clips it names are kept, because their request ids are worth having.
        phase: `failed`, `stopped`, or `done` where the others are delivered.
        message: What happened to those that are missing.
        request_id: The request the error is about.
    """
    clips = [] if before is None else before["clips"]
    if request_id and not any(clip["request_id"] for clip in clips):
        clips = [{"kind": "ended", "text": "", "fraction": 0.0, "request_id": request_id}]
    return {"phase": phase, "clips": clips, "message": shown_lines(message)}


def combined(parts: Iterable[Document]) -> Document:
    """One state for a node that ComfyUI runs several times at once, for each item of a list.

    Args:
        parts: `phase`, `clips` and `message` of each run, in the order of the list.
    """
    parts = list(parts)
    phases = {part["phase"] for part in parts}
    messages = dict.fromkeys(part["message"] for part in parts if part["message"])
    return {
        "phase": next(phase for phase in _PHASES if phase in phases),
        "clips": [clip for part in parts for clip in part["clips"]],
        "message": "\n".join(messages),
    }


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
        """Show that the run ended without all of its clips; what ComfyUI's own line says stays."""
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
    except CancelledByUserError as error:
        Stage().end("stopped", str(error), error.request_id)
        raise host.interruption(str(error)) from None
    except RunComfyError as error:
        Stage().end("failed", str(error), error.request_id)
        raise
    except BaseException as error:
        is_stop = isinstance(error, Stopped) or host.is_interruption(error)
        message = (
            str(error)
            if is_stop
            else f"The node failed unexpectedly ({type(error).__name__}); see the log. Anything already sent is listed in the "
            "RunComfy clips tab. Run the node again: what was bought is not bought twice."
        )
        Stage().end("stopped" if is_stop else "failed", message)
        raise
