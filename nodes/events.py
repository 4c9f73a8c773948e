"""Progress as documents for the web extension. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .runcomfy import progress as p
from .runcomfy.foreign_text import shown_lines

Document = dict[str, Any]

_KINDS: dict[type, str] = {
    p.Preparing: "preparing",
    p.WaitingForSlot: "waiting",
    p.Following: "following",
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
# The worst news of several runs on one node stands for all of them.
_PHASES = ("working", "failed", "stopped", "done")


def clip_document(progress: p.Progress, text: str, *, fraction: float) -> Document:
    """One clip of a run.

    Args:
        progress: The state as last reported.
        text: What the user reads on the card; it may quote RunComfy.
        fraction: How much of the work on this machine is done, 0 to 1.
    """
    return {
        "kind": _KINDS[type(progress)],
        "text": shown_lines(text),
        "fraction": round(fraction, 3),
        "request_id": getattr(progress, "request_id", None) or None,
    }


def part_of(clips: Sequence[Document]) -> Document:
    """The state of a run that goes well so far."""
    is_done = all(clip["kind"] == "finished" for clip in clips)
    return {"phase": "done" if is_done else "working", "clips": list(clips), "message": ""}


def ended_part(before: Document | None, *, phase: str, message: str, request_id: str | None = None) -> Document:
    """The state of a run that ended without its clips.

    Args:
        before: Its last state; the clips it names are kept, because their request ids are worth having.
        phase: `failed` or `stopped`.
        message: The sentence of the error.
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
