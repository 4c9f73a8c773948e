"""The index ("moov") of an MP4 or QuickTime file, which says several times over how long the clip is.

A damaged index can make a demuxer find fewer frames without a word. It will hardly say the same wrong thing everywhere:
that is what `check_index` looks at. Layouts: ISO/IEC 14496-12, clause 8.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

from .boxes import Box, BoxError, walk

_MOST_INDEX_BYTES = 64 * 1024**2
_MOST_TRACKS = 32
PICTURES, SOUND = "vide", "soun"
_SLACK_FRAMES = 3  # encoders do not agree whether the delay of reordered frames counts
_LEAST_SHOWN = Fraction(1, 2)  # of a track: edit lists trim its ends, but nobody delivers a clip to hide most of it
_SOUND_SLACK_S = Fraction(1, 10)  # sound frames are long, and their padding is counted by some and not by others


@dataclass(frozen=True, slots=True)
class Track:
    """What the index says about one track.

    Attributes:
        kind: "vide", "soun", ...
        sample_count: Frames, or pieces of sound.
        timed_count: The same, from the table of times.
        media_s: Length of all samples, from the media's header.
        timed_s: The same, from the table of times.
        shown_s: How long it is shown, from the track's header.
        edited_s: The same, from the edit list; None without one.
        is_steady: Whether all samples but the last are equally long.
        is_turned: Whether the picture lies on its side.
    """

    kind: str
    sample_count: int
    timed_count: int
    media_s: Fraction
    timed_s: Fraction
    shown_s: Fraction
    edited_s: Fraction | None
    is_steady: bool
    is_turned: bool


@dataclass(frozen=True, slots=True)
class Index:
    """What the index says.

    Attributes:
        shown_s: Length of the clip.
        is_fragmented: Whether the samples are described elsewhere, next to the samples.
        tracks: All tracks.
    """

    shown_s: Fraction
    is_fragmented: bool
    tracks: tuple[Track, ...]

    def first(self, kind: str) -> Track | None:
        """Return the first track of a kind."""
        return next((track for track in self.tracks if track.kind == kind), None)


def read_index(file: BinaryIO, moov: Box) -> Index:
    """Read the index from its box.

    Raises:
        BoxError: It is damaged.
    """
    if moov.end - moov.start > _MOST_INDEX_BYTES:
        raise BoxError("its index is absurdly large")
    boxes = list(walk(file, moov.start, moov.end))
    try:
        timescale, shown = _clock(file, _only(boxes, "mvhd"))
        tracks = [_track(file, box, timescale) for box in boxes if box.kind == "trak"]
    except (struct.error, ZeroDivisionError) as error:
        raise BoxError("its index is damaged") from error
    if len(tracks) > _MOST_TRACKS:
        raise BoxError(f"it has {len(tracks)} tracks")
    return Index(Fraction(shown, timescale), any(box.kind == "mvex" for box in boxes), tuple(tracks))


def check_index(index: Index) -> None:
    """Make sure that the index does not contradict itself.

    Raises:
        BoxError: It does.
    """
    if index.is_fragmented:
        return
    for track in index.tracks:
        if track.kind in {PICTURES, SOUND}:
            _check_track(track)
    longest = max((track.shown_s for track in index.tracks), default=Fraction(0))
    if abs(longest - index.shown_s) > _SOUND_SLACK_S:
        raise BoxError(f"it should be {float(index.shown_s):.2f} s long and its tracks are {float(longest):.2f} s")


def _check_track(track: Track) -> None:
    name = "picture" if track.kind == PICTURES else "sound"
    if track.sample_count != track.timed_count:
        raise BoxError(f"its {name} track has {track.sample_count} samples and times for {track.timed_count}")
    frame_s = track.timed_s / max(track.timed_count, 1)
    lengths = []
    if track.is_steady:
        lengths.append((track.media_s, track.timed_s, _SLACK_FRAMES * frame_s))
    if track.edited_s is not None:
        lengths.append((track.shown_s, track.edited_s, frame_s / 2))
        if track.kind == PICTURES and track.edited_s < track.timed_s * _LEAST_SHOWN:
            raise BoxError(
                f"its picture track is {float(track.timed_s):.2f} s long, and only {float(track.edited_s):.2f} s would be shown"
            )
    for said, found, slack in lengths:
        if abs(said - found) > max(slack, 0 if track.kind == PICTURES else _SOUND_SLACK_S):
            raise BoxError(f"its {name} track should be {float(said):.2f} s long and is {float(found):.2f} s")


def _track(file: BinaryIO, trak: Box, movie_timescale: int) -> Track:
    inside = list(walk(file, trak.start, trak.end))
    media = _inside(file, inside, "mdia")
    samples = _inside(file, _inside(file, media, "minf"), "stbl")
    timescale, duration = _clock(file, _only(media, "mdhd"))
    shown, is_turned = _display(file, _only(inside, "tkhd"))
    timed_count, timed, is_steady = _times(_content(file, _only(samples, "stts")))
    edited = _edited(file, inside)
    return Track(
        kind=_content(file, _only(media, "hdlr"))[8:12].decode("latin-1"),
        sample_count=_sample_count(file, samples),
        timed_count=timed_count,
        media_s=Fraction(duration, timescale),
        timed_s=Fraction(timed, timescale),
        shown_s=Fraction(shown, movie_timescale),
        edited_s=None if edited is None else Fraction(edited, movie_timescale),
        is_steady=is_steady,
        is_turned=is_turned,
    )


def _only(boxes: list[Box], kind: str) -> Box:
    found = [box for box in boxes if box.kind == kind]
    if len(found) != 1:
        raise BoxError(f"its index has {len(found)} parts '{kind}' where there should be one")
    return found[0]


def _inside(file: BinaryIO, boxes: list[Box], kind: str) -> list[Box]:
    box = _only(boxes, kind)
    return list(walk(file, box.start, box.end))


def _content(file: BinaryIO, box: Box) -> bytes:
    file.seek(box.start)
    return file.read(box.end - box.start)


def _clock(file: BinaryIO, box: Box) -> tuple[int, int]:
    """Return (timescale, duration) of an mvhd or mdhd."""
    content = _content(file, box)
    timescale, duration = struct.unpack_from(
        ">IQ" if content[:1] == b"\1" else ">II", content, 20 if content[:1] == b"\1" else 12
    )
    return timescale, duration


def _display(file: BinaryIO, tkhd: Box) -> tuple[int, bool]:
    """Return (duration in the movie's timescale, whether the picture lies on its side)."""
    content = _content(file, tkhd)
    is_long = content[:1] == b"\1"
    (duration,) = struct.unpack_from(">Q" if is_long else ">I", content, 28 if is_long else 20)
    matrix = struct.unpack_from(">9i", content, 52 if is_long else 40)
    return duration, matrix[0] == 0 and matrix[4] == 0


def _times(stts: bytes) -> tuple[int, int, bool]:
    """Return (samples, their duration in the media's timescale, whether all but the last are equally long)."""
    (entries,) = struct.unpack_from(">I", stts, 4)
    pairs = list(struct.iter_unpack(">II", stts[8 : 8 + 8 * entries]))
    count = sum(samples for samples, _ in pairs)
    duration = sum(samples * each for samples, each in pairs)
    return count, duration, len(pairs) == 1 or (len(pairs) == 2 and pairs[1][0] == 1)  # noqa: PLR2004 - see the docstring


def _sample_count(file: BinaryIO, samples: list[Box]) -> int:
    box = next((box for box in samples if box.kind in {"stsz", "stz2"}), None)
    if box is None:
        raise BoxError("its index lacks the sizes of the samples")
    (count,) = struct.unpack_from(">I", _content(file, box), 8)
    return int(count)


def _edited(file: BinaryIO, track: list[Box]) -> int | None:
    """Return the sum of the edit list in the movie's timescale, or None without one."""
    edits = [box for box in track if box.kind == "edts"]
    if not edits:
        return None
    elst = _content(file, _only(_inside(file, track, "edts"), "elst"))
    layout = ">QqI" if elst[:1] == b"\1" else ">IiI"
    (entries,) = struct.unpack_from(">I", elst, 4)
    segments = struct.iter_unpack(layout, elst[8 : 8 + struct.calcsize(layout) * entries])
    return sum(int(duration) for duration, _, _ in segments)
