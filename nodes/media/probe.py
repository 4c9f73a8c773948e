"""What a clip is, and whether it is whole; without decoding it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import VideoDecodeError
from .container import inspect, opened
from .timeline import read_timeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What a clip is.

    Attributes:
        width: Of the upright picture, in pixels.
        height: Of the upright picture, in pixels.
        fps: Average frames per second.
        frame_count: Frames that are shown.
        duration_s: How long they are shown.
        has_audio: Whether there is a sound track with sound in it.
    """

    width: int
    height: int
    fps: float
    frame_count: int
    duration_s: float
    has_audio: bool


def probe(path: Path, *, checkpoint: Callable[[], None] | None = None) -> ClipFacts:
    """Read the facts of a clip from its boxes and packets: cheap enough for every download, before the file gets its name.

    Raises:
        VideoDecodeError: It is not a clip, or not a whole one.
    """
    index = inspect(path)
    with opened(path) as container:
        timeline = read_timeline(container, index, path, checkpoint or (lambda: None))
    fault = timeline.frames_fault or timeline.sound_fault
    if fault:
        raise VideoDecodeError(fault, path=path)
    return ClipFacts(
        width=timeline.width,
        height=timeline.height,
        fps=float(timeline.fps),
        frame_count=len(timeline.starts),
        duration_s=timeline.duration_s,
        has_audio=timeline.has_sound,
    )
