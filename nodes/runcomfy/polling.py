"""How often to ask how far a request is. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

MIN_SAMPLES = 3
EARLY_MARGIN = 0.8
MAX_STRETCH = 12
MAX_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Usual:
    """How long the user's own clips of a kind take, in seconds."""

    earliest_s: float
    median_s: float


def usual_times(samples_s: Sequence[float]) -> Usual | None:
    """What a history says, or None while it is too short to say anything."""
    if len(samples_s) < MIN_SAMPLES:
        return None
    return Usual(earliest_s=min(samples_s), median_s=statistics.median(samples_s))


def next_poll_s(interval_s: float, elapsed_s: float | None, usual: Usual | None) -> float:
    """Seconds until the next look.

    Args:
        interval_s: The most often the user wants it; also the rate around the usual time.
        elapsed_s: How long the request has been rendering; None while it is queued.
        usual: The user's own history.
    """
    if elapsed_s is None or usual is None:
        return interval_s
    nothing_before_s = usual.earliest_s * EARLY_MARGIN - elapsed_s
    longest_s = min(interval_s * MAX_STRETCH, max(interval_s, MAX_WAIT_S))
    return max(interval_s, min(nothing_before_s, longest_s))
