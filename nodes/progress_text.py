"""What the user reads on the node while it runs. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .runcomfy import progress as p
from .runcomfy.foreign_text import shown

LOCAL_HALF = 0.5


def describe(progress: p.Progress, since_s: float) -> str:  # noqa: C901, PLR0911 - one line for each kind
    """One line for a state.

    Args:
        progress: The state as last reported.
        since_s: How many seconds ago that was, so that elapsed time goes on between two reports.
    """
    match progress:
        case p.Preparing():
            return "Preparing the picture"
        case p.WaitingForSlot(limit):
            return f"Waiting: {limit} paid request{'s are' if limit != 1 else ' is'} already in flight (RUNCOMFY_MAX_PARALLEL)"
        case p.Following():
            return "Another node is already getting this very clip; waiting for it (no second charge)"
        case p.Submitting(expected_usd):
            return "Sending to RunComfy" + ("" if expected_usd is None else f" (about ${expected_usd:.2f})")
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
            return "From your earlier purchase, no charge"
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
        case p.Finished(_, summary, _):
            return summary
        case _:
            return describe(progress, since_s)


def _trying_again(wait_s: float) -> str:
    return f"Trying again in {max(0.0, wait_s):.0f} s"


def logged(progress: p.Progress) -> str:
    """One line for the log, which tells of a kind of state once: where one counts, only how far it will."""
    match progress:
        case p.Decoding(_, total):
            return f"Decoding {total} frames"
        case p.Rehearsing(_, total):
            return f"Rehearsal (free, not sent): {total} frames"
        case _:
            return describe(progress, 0.0)


def local_fraction(progress: p.Progress) -> float:
    """How much of the work on this machine is done, 0 to 1. What RunComfy does has no measure, so it counts nothing."""
    match progress:
        case p.Downloading(_, done, total):
            return LOCAL_HALF * done / total if total else 0.0
        case p.FromJournal():
            return LOCAL_HALF
        case p.Decoding(done, total) | p.Rehearsing(done, total):
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
    """`45 s`, `3:05 min`."""
    whole = int(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60}:{whole % 60:02} min"  # noqa: PLR2004 - seconds of a minute


def megabytes(count: int) -> str:
    """`3.4 MB`."""
    return f"{count / 1e6:.1f} MB"


def listed(numbers: Sequence[object]) -> str:
    """`1`, `1 and 3`, `1, 2 and 4`; the same for names."""
    *head, last = [str(number) for number in numbers]
    return f"{', '.join(head)} and {last}" if head else last


def numbered(noun: str, numbers: Sequence[int]) -> str:
    """`Clip 2`, `Clips 1 and 3`."""
    return f"{noun}{'' if len(numbers) == 1 else 's'} {listed(numbers)}"
