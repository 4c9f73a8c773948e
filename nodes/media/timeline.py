"""When each frame of a clip is shown: read from the packets alone, nothing is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from ..errors import VideoDecodeError
from .container import video_stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from av.container import InputContainer
    from av.video.stream import VideoStream

MAX_FRAMES = 60_000
MAX_SECONDS = 1_800
_SAME_RATE = Fraction(1, 1000)
_LOOK_EVERY = 256


@dataclass(frozen=True, slots=True)
class Timeline:
    """The frames that will be shown.

    Attributes:
        starts: When each is shown, in presentation order, in units of `time_base`.
        end: When the last one is over.
        time_base: Seconds per unit.
        fps: Average frames per second.
        is_steady: Whether every frame is shown equally long.
    """

    starts: tuple[int, ...]
    end: int
    time_base: Fraction
    fps: Fraction
    is_steady: bool

    @property
    def start_s(self) -> float:
        """When the first frame is shown, in seconds."""
        return float(self.starts[0] * self.time_base)

    @property
    def duration_s(self) -> float:
        """How long the clip is shown, in seconds."""
        return float((self.end - self.starts[0]) * self.time_base)

    def end_s(self, number: int | None = None) -> float:
        """When a frame, by default the last, is over, in seconds."""
        is_last = number is None or number >= len(self.starts) - 1
        return float((self.end if is_last else self.starts[(number or 0) + 1]) * self.time_base)


def read_timeline(container: InputContainer, path: Path, checkpoint: Callable[[], None]) -> Timeline:
    """Read all packets of the picture track once. Edit lists are honoured.

    Raises:
        VideoDecodeError: A packet is damaged or has no time, or there are absurdly many.
    """
    stream = video_stream(container)
    if stream.time_base is None:
        raise VideoDecodeError("The clip is damaged: its picture track has no clock.", path=path)
    shown: list[tuple[int, int]] = []
    for number, packet in enumerate(container.demux(stream)):
        if number % _LOOK_EVERY == 0:
            checkpoint()
        if packet.size == 0:
            continue
        if packet.is_corrupt or packet.pts is None:
            raise VideoDecodeError(f"The clip is damaged: packet {number} is incomplete.", path=path)
        if number >= MAX_FRAMES:
            raise VideoDecodeError(f"The clip claims more than {MAX_FRAMES} frames.", path=path)
        if not packet.is_discard:
            shown.append((packet.pts, packet.duration or 0))
    return _timeline(sorted(shown), stream, path)


def _timeline(shown: list[tuple[int, int]], stream: VideoStream, path: Path) -> Timeline:
    starts = tuple(start for start, _ in shown)
    if not starts:
        raise VideoDecodeError("The clip has no frames.", path=path)
    if len(set(starts)) != len(starts):
        raise VideoDecodeError("The clip is damaged: two frames are shown at the same time.", path=path)
    time_base = Fraction(stream.time_base or 1)
    steps = {later - earlier for earlier, later in pairwise(starts)}
    last = shown[-1][1] or max(steps, default=0)
    end = starts[-1] + last
    if (end - starts[0]) * time_base > MAX_SECONDS:
        raise VideoDecodeError(f"The clip claims to be longer than {MAX_SECONDS // 60} minutes.", path=path)
    is_steady = not steps or max(steps) - min(steps) <= 1
    return Timeline(starts, end, time_base, _rate(len(starts), (end - starts[0]) * time_base, stream), is_steady)


def _rate(count: int, duration: Fraction, stream: VideoStream) -> Fraction:
    """Return the measured rate, or the clip's own word for it where both agree: 29.97 is 30000/1001."""
    said = stream.average_rate
    if duration == 0:
        return Fraction(said or 30)
    measured = count / duration
    return Fraction(said) if said and abs(measured / said - 1) < _SAME_RATE else measured
