"""When each frame of a clip is shown, and what the clip is: read from its index and its packets, nothing is decoded."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from ..errors import VideoDecodeError
from .container import MAX_EDGE, inspect, opened, pass_over_others, sound_stream, video_stream
from .mp4.index import PICTURES, SOUND, clip_fault, track_fault
from .orientation import Orientation
from .packets import SHOWS_A_PICTURE, LeadingPictures, unit_format

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from av.container import InputContainer
    from av.video.stream import VideoStream

    from .mp4.index import Index, Track


MAX_FRAMES = 60_000
MAX_SECONDS = 1_800
_SAME_RATE = Fraction(1, 1000)
_SLACK_FRAMES = 3
_LEAST_PICTURES = 0.6  # of the length of the sound: what has less has lost pictures
_SOUND_SLACK_S = 1.0
_LOOK_EVERY = 256
_USUAL_RATE = 30


@dataclass(frozen=True, slots=True)
class Timeline:
    """The frames that will be shown.

    Attributes:
        starts: When each is shown, in presentation order, in units of `time_base`. Several may be shown at one time.
        end: When the last one is over, in the same units.
        time_base: Seconds per unit.
        fps: Average frames per second.
        is_steady: Whether every frame is shown equally long.
        width: Of the upright picture, in pixels.
        height: Of the upright picture, in pixels.
        orientation: How a stored picture becomes upright.
        has_sound: Whether there is a sound track with sound in it.
        sound_end_s: When the sound is over, where the index says it.
        intact_count: How many frames, from the first on, can be decoded without a broken one.
        frames_fault: A sentence that says why its frames are not whole, or cannot be read; None where nothing shows that.
        broken_frame: A sentence that names the first broken frame, if the others are there; else None.
        sound_fault: The same of its sound.
    """

    starts: tuple[int, ...]
    end: int
    time_base: Fraction
    fps: Fraction
    is_steady: bool
    width: int
    height: int
    orientation: Orientation
    has_sound: bool
    sound_end_s: float | None
    intact_count: int
    frames_fault: str | None
    broken_frame: str | None
    sound_fault: str | None

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


@dataclass(frozen=True, slots=True)
class _Packets:
    """The packets of the picture track.

    Attributes:
        shown: (start, duration) of those that are shown, in order.
        count: How many there are.
        skipped: How many of them decoders skip.
        broken_at: When the first broken one is shown; None where none is.
        intact_until: When the first of those is shown that are decoded from there on.
    """

    shown: tuple[tuple[int, int], ...]
    count: int
    skipped: int
    broken_at: int | None
    intact_until: int | None


def picture_track(container: InputContainer, index: Index) -> Track | None:
    """Return what the index says of the pictures that are shown."""
    return index.track(PICTURES, video_stream(container).id)


def check_readable(container: InputContainer, index: Index, path: Path) -> None:
    """Make sure that the pictures are in a form that can be decoded.

    Raises:
        VideoDecodeError: They are encrypted, or in an unknown format.
    """
    track = picture_track(container, index)
    if track is not None and track.is_encrypted:
        raise VideoDecodeError("The clip is encrypted: without its key its pictures cannot be read.", path=path)
    if video_stream(container).codec_context is None:
        what = (
            f"The pictures of the clip are in the format {track.formats[0]!a}, which PyAV does not know."
            if track and track.formats
            else "The pictures of the clip are in an unnamed format that PyAV does not know."
        )
        raise VideoDecodeError(what, path=path)


def read_timeline(container: InputContainer, index: Index, path: Path, checkpoint: Callable[[], None]) -> Timeline:
    """Read all packets of the picture track once, and compare them with the index. Edit lists are honoured.

    Args:
        container: The clip, at its beginning.
        index: What its index says.
        path: The clip, for errors.
        checkpoint: Called now and then; may raise.

    Raises:
        VideoDecodeError: It has no frames, or is absurd.
    """
    track = picture_track(container, index)
    packets = _packets(container, path, checkpoint, can_have_holes=not (track and track.is_encrypted))
    return _timeline(packets, container, index, track, path)


def _packets(
    container: InputContainer, path: Path, checkpoint: Callable[[], None], *, can_have_holes: bool
) -> _Packets:
    stream = video_stream(container)
    codec = stream.codec_context
    units = unit_format(codec.name, codec.extradata) if codec is not None and can_have_holes else None
    leading = units and LeadingPictures(units)
    shows = None if codec is None or not can_have_holes else SHOWS_A_PICTURE.get(codec.name)
    shown: list[tuple[int, int]] = []
    count, skipped = 0, 0
    broken_at: int | None = None
    intact_until: int | None = None
    pass_over_others(container, stream)
    for packet in container.demux(stream):
        if count % _LOOK_EVERY == 0:
            checkpoint()
        if packet.size == 0:
            continue
        count += 1
        if count > MAX_FRAMES:
            raise VideoDecodeError(f"The clip claims more than {MAX_FRAMES} frames.", path=path)
        said = packet.dts if packet.pts is None else packet.pts
        start = said or 0
        content = bytes(packet) if units or shows else b""
        if broken_at is None and (packet.is_corrupt or said is None or (units and units.is_blank(content))):
            broken_at = start
        if broken_at is not None:
            intact_until = min(start, broken_at if intact_until is None else intact_until)
        if (leading and leading.are_skipped(content, start)) or (shows and not shows(content)):
            skipped += 1
        elif not packet.is_discard:
            shown.append((start, packet.duration or 0))
    return _Packets(tuple(sorted(shown)), count, skipped, broken_at, intact_until)


def _timeline(packets: _Packets, container: InputContainer, index: Index, track: Track | None, path: Path) -> Timeline:
    stream = video_stream(container)
    starts = tuple(start for start, _ in packets.shown)
    if not starts or not stream.time_base:
        raise VideoDecodeError("The clip has no frames.", path=path)
    steps = [later - earlier for earlier, later in pairwise(starts)]
    is_steady = not steps or max(steps) - min(steps) <= 1
    # With a variable rate, packets last until the next one is decoded, not shown: then the last frame is an average one.
    last = packets.shown[-1][1] if is_steady else round(sum(steps) / len(steps))
    end = starts[-1] + (last or round(1 / (Fraction(stream.average_rate or _USUAL_RATE) * stream.time_base)) or 1)
    duration = (end - starts[0]) * stream.time_base
    if duration > MAX_SECONDS:
        raise VideoDecodeError(f"The clip claims to be longer than {MAX_SECONDS // 60} minutes.", path=path)
    upright = track.orientation if track else Orientation()
    width, height = _size(stream, track)
    if not (0 < width <= MAX_EDGE and 0 < height <= MAX_EDGE):
        raise VideoDecodeError(f"The clip claims a size of {width} x {height} pixels.", path=path)
    width, height = upright.size(width, height)
    heard = sound_stream(container)
    sound = index.track(SOUND, heard.id) if heard is not None else None
    shown = _Shown(len(starts), float(end * stream.time_base), float(duration), is_steady)
    return Timeline(
        starts=starts,
        end=end,
        time_base=stream.time_base,
        fps=_rate(len(starts), duration, stream.average_rate, stream.time_base),
        is_steady=is_steady,
        width=width,
        height=height,
        orientation=upright,
        has_sound=heard is not None and (sound is None or sound.sample_count > 0),
        sound_end_s=None if sound is None or index.is_fragmented else float(sound.played_s),
        intact_count=_intact_count(packets),
        frames_fault=_frames_fault(packets, shown, index, track, sound),
        broken_frame=_broken_frame(packets),
        sound_fault=_sound_fault(index, sound),
    )


def _size(stream: VideoStream, track: Track | None) -> tuple[int, int]:
    codec = stream.codec_context
    if codec is not None:
        return codec.width, codec.height
    return track.size if track else (0, 0)


def _rate(count: int, duration: Fraction, said: Fraction | None, time_base: Fraction) -> Fraction:
    """Return the measured rate, or the rate that the clip states if both agree: 29.97 is 30000/1001.

    Times are rounded, in WebM mostly to milliseconds: the first and the last one can be half a unit off, and so can the
    length of the last frame.
    """
    measured = count / duration
    if not said:
        return measured
    is_same = abs(measured / said - 1) < _SAME_RATE or abs(duration - count / Fraction(said)) <= 2 * time_base
    return Fraction(said) if is_same else measured


@dataclass(frozen=True, slots=True)
class _Shown:
    count: int
    end_s: float
    duration_s: float
    is_steady: bool


def _frames_fault(
    packets: _Packets, shown: _Shown, index: Index, track: Track | None, sound: Track | None
) -> str | None:
    """Return a sentence on what shows that frames are missing; None where nothing does.

    Encoders do not agree whether the length of a track counts the delay of reordered frames: a little may be missing.
    """
    if track is None:
        return "The clip is damaged: the index of its pictures cannot be read."
    clause = (track and track_fault(track, is_fragmented=index.is_fragmented)) or clip_fault(index)
    if clause:
        return f"The file is not a whole clip: {clause}."
    if track is not None:
        said_s = float(track.length_s)
        is_trimmed = (
            track.edited_s is not None and abs(track.edited_s - track.timed_s) > shown.duration_s / shown.count / 2
        )
        is_short = shown.is_steady and said_s - shown.end_s > _SLACK_FRAMES * shown.duration_s / shown.count
        if (is_short and not index.is_fragmented) or (
            min(shown.count + packets.skipped, packets.count) < track.sample_count and not is_trimmed
        ):
            return (
                f"The clip is damaged: {shown.count} of {track.sample_count} frames and "
                f"{shown.end_s:.2f} of {said_s:.2f} seconds are there."
            )
    if sound is not None and _lacks_pictures(shown, sound):
        return (
            f"The clip is not whole: there are {float(sound.timed_s):.2f} s of sound, but only {shown.duration_s:.2f} s "
            "of pictures."
        )
    return None


def _broken_frame(packets: _Packets) -> str | None:
    if packets.broken_at is None:
        return None
    number = max(1, bisect_right(packets.shown, (packets.broken_at, MAX_SECONDS << 32)))
    return f"Frame {number} of {len(packets.shown)} is broken."


def _intact_count(packets: _Packets) -> int:
    if packets.intact_until is None:
        return len(packets.shown)
    return bisect_left(packets.shown, (packets.intact_until, 0))


def _lacks_pictures(shown: _Shown, sound: Track) -> bool:
    seconds = float(min(sound.timed_s, sound.length_s))
    return shown.duration_s < _LEAST_PICTURES * seconds and shown.duration_s + _SOUND_SLACK_S < seconds


def _sound_fault(index: Index, sound: Track | None) -> str | None:
    if sound is None:
        return "The clip is damaged: the index of its sound cannot be read." if SOUND in index.unreadable else None
    clause = track_fault(sound, is_fragmented=index.is_fragmented)
    return f"The file is not a whole clip: {clause}." if clause else None


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
    fault = timeline.frames_fault or timeline.broken_frame or timeline.sound_fault
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
