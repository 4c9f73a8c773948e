"""When each frame of a clip is shown: read from its index and its packets, nothing is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from ..errors import VideoDecodeError
from .container import video_stream
from .index import PICTURES, SOUND

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from av.container import InputContainer

    from .index import Index, Track

MAX_FRAMES = 60_000
MAX_SECONDS = 1_800
_SAME_RATE = Fraction(1, 1000)
_NO_ZEROS = {"h264", "hevc"}  # they write 0, 0, 3 for 0, 0, so that only a damaged packet holds a run of zeros
_SLACK_FRAMES = 3
_LOOK_EVERY = 256


@dataclass(frozen=True, slots=True)
class Timeline:
    """The frames that will be shown.

    Attributes:
        starts: When each is shown, in presentation order, in units of `time_base`.
        end: When the last one is over, in the same units.
        time_base: Seconds per unit.
        fps: Average frames per second.
        is_steady: Whether every frame is shown equally long.
        width: Of the upright picture, in pixels.
        height: Of the upright picture, in pixels.
        has_sound: Whether there is a sound track.
        sound_end_s: When the sound is over, where the index says it.
    """

    starts: tuple[int, ...]
    end: int
    time_base: Fraction
    fps: Fraction
    is_steady: bool
    width: int
    height: int
    has_sound: bool
    sound_end_s: float | None

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


def read_timeline(container: InputContainer, index: Index, path: Path, checkpoint: Callable[[], None]) -> Timeline:
    """Read all packets of the picture track once, and hold them against the index. Edit lists are honoured.

    Args:
        container: The clip, at its beginning.
        index: What its index says.
        path: The clip, for errors.
        checkpoint: Called now and then; may raise.

    Raises:
        VideoDecodeError: It is not a whole clip, or absurd.
    """
    shown, count = _packets(container, path, checkpoint)
    timeline = _timeline(shown, container, index, path)
    track = index.first(PICTURES)
    if track is not None and not index.is_fragmented:
        _check_complete(timeline, count, track, path)
    return timeline


def _packets(
    container: InputContainer, path: Path, checkpoint: Callable[[], None]
) -> tuple[list[tuple[int, int]], int]:
    """Return (start, duration) of the packets that are shown, in order of presentation, and the number of all."""
    stream = video_stream(container)
    shown: list[tuple[int, int]] = []
    count = 0
    for packet in container.demux(stream):
        if count % _LOOK_EVERY == 0:
            checkpoint()
        if packet.size == 0:
            continue
        is_blank = stream.codec_context.name in _NO_ZEROS and bytes(4) in bytes(packet)
        if packet.is_corrupt or packet.pts is None or is_blank:
            raise VideoDecodeError(f"The clip is damaged: packet {count} is incomplete.", path=path)
        count += 1
        if count > MAX_FRAMES:
            raise VideoDecodeError(f"The clip claims more than {MAX_FRAMES} frames.", path=path)
        if not packet.is_discard:
            shown.append((packet.pts, packet.duration or 0))
    return sorted(shown), count


def _timeline(shown: list[tuple[int, int]], container: InputContainer, index: Index, path: Path) -> Timeline:
    stream = video_stream(container)
    starts = tuple(start for start, _ in shown)
    if not starts or not stream.time_base:
        raise VideoDecodeError("The clip is damaged: it has no frames.", path=path)
    steps = [later - earlier for earlier, later in pairwise(starts)]
    if 0 in steps:
        raise VideoDecodeError("The clip is damaged: two frames are shown at the same time.", path=path)
    is_steady = not steps or max(steps) - min(steps) <= 1
    # With a variable rate, packets last until the next one is decoded, not shown: then the last frame is an average one.
    end = starts[-1] + (shown[-1][1] if is_steady and shown[-1][1] else round(sum(steps) / max(len(steps), 1)))
    duration = (end - starts[0]) * stream.time_base
    if duration > MAX_SECONDS:
        raise VideoDecodeError(f"The clip claims to be longer than {MAX_SECONDS // 60} minutes.", path=path)
    width, height = stream.codec_context.width, stream.codec_context.height
    track, sound = index.first(PICTURES), index.first(SOUND)
    is_turned = track is not None and track.is_turned
    return Timeline(
        starts=starts,
        end=end,
        time_base=stream.time_base,
        fps=_rate(len(starts), duration, stream.average_rate),
        is_steady=is_steady,
        width=height if is_turned else width,
        height=width if is_turned else height,
        has_sound=sound is not None,
        sound_end_s=None if sound is None or index.is_fragmented else float(sound.shown_s),
    )


def _rate(count: int, duration: Fraction, said: Fraction | None) -> Fraction:
    """Return the measured rate, or the clip's own word for it where both agree: 29.97 is 30000/1001."""
    if duration == 0:
        return Fraction(said or 30)
    measured = count / duration
    return Fraction(said) if said and abs(measured / said - 1) < _SAME_RATE else measured


def _check_complete(timeline: Timeline, packet_count: int, track: Track, path: Path) -> None:
    """Hold what the packets say against the index, which says it in other words.

    Encoders do not agree whether the length of a track counts the delay of reordered frames: a little may be missing.
    """
    frame_s = timeline.duration_s / len(timeline.starts)
    shown_s = float(track.shown_s)
    is_trimmed = abs(track.shown_s - track.timed_s) > frame_s / 2
    is_short = timeline.is_steady and shown_s - timeline.end_s() > _SLACK_FRAMES * frame_s
    if is_short or ({len(timeline.starts), packet_count} != {track.sample_count} and not is_trimmed):
        raise VideoDecodeError(
            f"The clip is damaged: {len(timeline.starts)} of {track.sample_count} frames and "
            f"{timeline.end_s():.2f} of {shown_s:.2f} seconds are there.",
            path=path,
        )
