"""What a clip is, and whether it is whole; without decoding it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import VideoDecodeError
from .timeline import read_timeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LEAST_SHARE = 0.75  # of the seconds that were ordered: less is a part of the clip, not a clip


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What a clip is.

    Attributes:
        width: Of the upright picture, in pixels.
        height: Of the upright picture, in pixels.
        fps: Average frames per second.
        frame_count: Frames that are shown.
        duration_s: How long they are shown.
        has_audio: Whether there is a sound track.
    """

    width: int
    height: int
    fps: float
    frame_count: int
    duration_s: float
    has_audio: bool


def probe(path: Path, *, checkpoint: Callable[[], None] | None = None) -> ClipFacts:
    """Read the facts of a clip from its boxes and packets.

    Raises:
        VideoDecodeError: It is not a clip, or not a whole one.
    """
    timeline = read_timeline(path, checkpoint or (lambda: None))
    return ClipFacts(
        width=timeline.width,
        height=timeline.height,
        fps=float(timeline.fps),
        frame_count=len(timeline.starts),
        duration_s=timeline.duration_s,
        has_audio=timeline.has_sound,
    )


def check_whole(path: Path, *, expected_seconds: float | None = None) -> ClipFacts:
    """Make sure that a file is a complete clip: cheap enough for every download, before the file gets its name.

    Raises:
        VideoDecodeError: It is cut off, damaged, not a clip, or much shorter than was ordered.
    """
    facts = probe(path)
    if expected_seconds is not None and facts.duration_s < expected_seconds * _LEAST_SHARE:
        raise VideoDecodeError(
            f"The clip is cut off: it has {facts.duration_s:.1f} of {expected_seconds:.1f} seconds.", path=path
        )
    return facts
