"""The index ("moov") of an MP4 or QuickTime file, which says several times over how long the clip is.

With a damaged index a demuxer may silently find fewer frames. The same wrong number is unlikely to stand in every place,
so `track_fault` and `clip_fault` compare them. A track that is longer than stated is not a fault.
Layouts: ISO/IEC 14496-12, clause 8 (https://www.iso.org/standard/83102.html).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO

from ..orientation import Orientation, combined, orientation
from .boxes import Box, BoxError, content, walk
from .samples import Fragments, Samples, sample_count, sample_times, samples_end

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_INDEX_BYTES = 64 * 1024**2
_MOST_TRACKS = 32
PICTURES, SOUND = "vide", "soun"
_SLACK_FRAMES = 3  # encoders do not agree whether the delay of reordered frames counts
_LEAST_SHOWN = Fraction(1, 2)  # of a track: edit lists trim its ends, but nobody delivers a clip to hide most of it
_SOUND_SLACK_S = Fraction(1, 10)  # sound frames are long, and their padding is counted by some and not by others
_MOST_SECONDS = 3 * 60 * 60  # no clip that is read is nearly so long
_UNKNOWN = {0, 2**32 - 1, 2**64 - 1}  # what is written for a length that is not known (8.2.2, 8.3.2, 8.4.2)
_LIST_BYTES = 8  # of an edit list, in front of its entries (8.6.6)
_ENTRY_BYTES = {PICTURES: 78, SOUND: 28}  # of a sample description, in front of the boxes in it (12.1.3, 12.2.3)
_DAMAGED = (struct.error, ZeroDivisionError, KeyError, IndexError, OverflowError)


@dataclass(frozen=True, slots=True)
class Track:
    """What the index says about one track. A length that is not known is None.

    Attributes:
        number: Its id.
        kind: "vide", "soun", ...
        sample_count: Frames, or pieces of sound.
        timed_count: The same, from the table of times.
        media_s: Length of all samples, from the media's header.
        timed_s: The same, from the table of times.
        shown_s: How long it is shown, from the track's header.
        edited_s: The same, from the edit list; None also without one.
        said_s: Length of all samples, from an index of the parts of a fragmented clip.
        data_end: Where its last sample ends in the file.
        is_steady: Whether all samples but the last are equally long.
        size: Width and height of the picture, in pixels.
        orientation: How the picture stands.
        channels: Channels of sound; 0 where there are none.
        formats: The four letters of each of its sample descriptions.
        is_encrypted: Whether any of it is.
        has_clean_aperture: Whether a part of the picture is marked as the one to show.
        gap_s: The first part that is missing in the middle.
    """

    number: int
    kind: str
    sample_count: int
    timed_count: int
    media_s: Fraction | None
    timed_s: Fraction
    shown_s: Fraction | None
    edited_s: Fraction | None
    said_s: Fraction | None
    data_end: int
    is_steady: bool
    size: tuple[int, int]
    orientation: Orientation
    channels: int
    formats: tuple[str, ...]
    is_encrypted: bool
    has_clean_aperture: bool
    gap_s: tuple[Fraction, Fraction] | None

    @property
    def length_s(self) -> Fraction:
        """How long it is shown, by what says it best."""
        return next(length for length in (self.shown_s, self.edited_s, self.timed_s) if length is not None)

    @property
    def played_s(self) -> Fraction:
        """How long players play it: only an edit list cuts anything off."""
        return self.timed_s if self.edited_s is None else self.edited_s


@dataclass(frozen=True, slots=True)
class Index:
    """What the index says.

    Attributes:
        shown_s: Length of the clip, if it is known.
        is_fragmented: Whether samples are described elsewhere too, next to the samples.
        tracks: The tracks with pictures and sound that can be read.
        unreadable: The kinds of those that cannot.
    """

    shown_s: Fraction | None
    is_fragmented: bool
    tracks: tuple[Track, ...]
    unreadable: frozenset[str]

    def track(self, kind: str, number: int) -> Track | None:
        """Return the track of a kind with an id."""
        return next((track for track in self.tracks if (track.kind, track.number) == (kind, number)), None)


@dataclass(frozen=True, slots=True)
class _Movie:
    timescale: int
    matrix: tuple[int, ...]
    fragments: Fragments | None


def movie_extends(file: BinaryIO, moov: Box) -> Box | None:
    """Return the box that says that the clip is fragmented, if it is."""
    return next((box for box in walk(file, moov) if box.kind == "mvex"), None)


def read_index(file: BinaryIO, moov: Box, fragments: Fragments | None) -> Index:
    """Read the index from its box, and what the fragments add to it.

    Raises:
        BoxError: It is damaged.
    """
    if moov.end - moov.start > _MOST_INDEX_BYTES:
        raise BoxError("its index is absurdly large")
    boxes = list(walk(file, moov))
    try:
        header = content(file, _first(boxes, "mvhd"))
        timescale, shown = _clock(header)
        matrix = struct.unpack_from(">9i", header, 48 if header[0] else 36)
        said = [
            _extended(content(file, box))
            for box in boxes
            if box.kind == "mvex"
            for box in walk(file, box)
            if box.kind == "mehd"
        ]
    except _DAMAGED as error:
        raise BoxError("its index is damaged") from error
    movie = _Movie(timescale, matrix, fragments)
    tracks = [box for box in boxes if box.kind == "trak"]
    if len(tracks) > _MOST_TRACKS:
        raise BoxError(f"it has {len(tracks)} tracks")
    read, unreadable = [], set()
    for box in tracks:
        kind = _kind(file, box)
        if kind in {PICTURES, SOUND}:
            try:
                read.append(_track(file, box, kind, movie))
            except (BoxError, *_DAMAGED):
                unreadable.add(kind)
    if shown is not None and any(_other_length(file, box) >= shown for box in tracks):
        shown = None  # it is the length of subtitles or the like
    longest = max([length for length in (shown, *said) if length is not None], default=None)
    return Index(_seconds(longest, timescale), fragments is not None, tuple(read), frozenset(unreadable))


def clip_fault(index: Index) -> str | None:
    """Return a clause that says what is missing from the clip; None where nothing shows that."""
    if index.shown_s is None or not index.tracks:
        return None
    longest = max(
        track.timed_s if index.is_fragmented else max(track.length_s, track.timed_s) for track in index.tracks
    )
    if index.shown_s - longest > max(_SOUND_SLACK_S, *(_SLACK_FRAMES * _frame_s(track) for track in index.tracks)):
        return f"it should be {float(index.shown_s):.2f} s long and its tracks are {float(longest):.2f} s"
    return None


def track_fault(track: Track, *, is_fragmented: bool) -> str | None:
    """Return a clause that says how a track contradicts itself; None where it does not."""
    name = "picture" if track.kind == PICTURES else "sound"
    if track.sample_count != track.timed_count:
        return f"its {name} track has {track.sample_count} samples and times for {track.timed_count}"
    if track.gap_s is not None:
        start, end = track.gap_s
        return f"a part of its {name} track is missing, from {float(start):.2f} s to {float(end):.2f} s"
    frame_s = _frame_s(track)
    lengths = [(track.said_s, track.timed_s, _SLACK_FRAMES * frame_s)]
    if track.is_steady and not is_fragmented:
        lengths.append((track.media_s, track.timed_s, _SLACK_FRAMES * frame_s))
    if track.edited_s is not None:
        lengths.append((track.shown_s, track.edited_s, frame_s / 2))
        if track.kind == PICTURES and track.edited_s < track.timed_s * _LEAST_SHOWN:
            seconds = f"{float(track.timed_s):.2f} s long, but only {float(track.edited_s):.2f} s would be shown"
            return f"its picture track is {seconds}"
    for said, found, slack in lengths:
        if said is not None and said - found > max(slack, 0 if track.kind == PICTURES else _SOUND_SLACK_S):
            return f"its {name} track should be {float(said):.2f} s long and is {float(found):.2f} s"
    return None


def _frame_s(track: Track) -> Fraction:
    return track.timed_s / max(track.timed_count, 1)


def _kind(file: BinaryIO, trak: Box) -> str:
    media = next((box for box in walk(file, trak) if box.kind == "mdia"), None)
    handler = media and next((box for box in walk(file, media) if box.kind == "hdlr"), None)
    return content(file, handler)[8:12].decode("latin-1") if handler else ""


def _other_length(file: BinaryIO, trak: Box) -> int:
    """Return the length of a track with neither pictures nor sound, in the movie's timescale; else 0."""
    header = next((box for box in walk(file, trak) if box.kind == "tkhd"), None)
    if header is None or _kind(file, trak) in {PICTURES, SOUND}:
        return 0
    try:
        return _display(content(file, header)).duration or 0
    except _DAMAGED:
        return 0


def _track(file: BinaryIO, trak: Box, kind: str, movie: _Movie) -> Track:
    inside = list(walk(file, trak))
    media = list(walk(file, _first(inside, "mdia")))
    samples = list(walk(file, _first(list(walk(file, _first(media, "minf"))), "stbl")))
    tables = {
        box.kind: content(file, box) for box in reversed(samples) if box.kind in _TABLES
    }  # the first of a kind counts
    said_timescale, duration = _clock(content(file, _first(media, "mdhd")))
    timescale = said_timescale or 1  # as FFmpeg takes it
    display = _display(content(file, _first(inside, "tkhd")))
    count = sample_count(tables)
    # FFmpeg writes times for samples that only the fragments have.
    timed_count, timed, is_steady = sample_times(tables["stts"]) if count or not movie.fragments else (0, 0, True)
    fragments = movie.fragments or Fragments()
    more = fragments.tracks.get(display.number, Samples())
    said, ticks_per_s = fragments.said_ticks.get(display.number, (0, timescale))
    edited = None if movie.fragments else _edited(file, inside)
    entries = list(_entries(file, _first(samples, "stsd"), kind))
    return Track(
        number=display.number,
        kind=kind,
        sample_count=count + more.count,
        timed_count=timed_count + more.count,
        media_s=_seconds(duration, said_timescale),
        timed_s=Fraction(timed + more.ticks, timescale),
        shown_s=None if movie.fragments else _seconds(display.duration, movie.timescale),
        edited_s=_seconds(edited, movie.timescale),
        said_s=Fraction(said, ticks_per_s) if said else None,
        data_end=max(samples_end(tables), more.end),
        is_steady=is_steady and not more.count,
        size=display.size,
        orientation=orientation(combined(display.matrix, movie.matrix)),
        channels=max((entry.channels for entry in entries), default=0),
        formats=tuple(entry.name for entry in entries),
        is_encrypted=any(entry.name in {"encv", "enca"} or "sinf" in entry.parts for entry in entries),
        has_clean_aperture=any("clap" in entry.parts for entry in entries),
        gap_s=more.gap and (Fraction(more.gap[0], timescale), Fraction(more.gap[1], timescale)),
    )


_TABLES = {"stts", "stsz", "stz2", "stsc", "stco", "co64"}


def _first(boxes: Iterable[Box], kind: str) -> Box:
    """Return the first box of a kind; FFmpeg passes over a second one."""
    box = next((box for box in boxes if box.kind == kind), None)
    if box is None or box.missing:
        raise BoxError(f"its index lacks the part '{kind}'")
    return box


def _seconds(length: int | None, timescale: int) -> Fraction | None:
    """Return a length in seconds; None where it is not known, or absurd and so not one that was measured."""
    seconds = None if length is None or not timescale else Fraction(length, timescale)
    return None if seconds is None or seconds > _MOST_SECONDS else seconds


def _known(length: int) -> int | None:
    return None if length in _UNKNOWN else length


def _clock(header: bytes) -> tuple[int, int | None]:
    """Return (timescale, duration) of an mvhd or mdhd; a timescale of 0 leaves every length unknown that is counted in it."""
    timescale, duration = struct.unpack_from(">IQ" if header[0] == 1 else ">II", header, 20 if header[0] == 1 else 12)
    return timescale, _known(duration)


def _extended(mehd: bytes) -> int | None:
    """Return the length of a fragmented clip (8.8.2)."""
    return _known(struct.unpack_from(">Q" if mehd[0] == 1 else ">I", mehd, 4)[0])


@dataclass(frozen=True, slots=True)
class _Display:
    number: int
    duration: int | None
    matrix: tuple[int, ...]
    size: tuple[int, int]


def _display(tkhd: bytes) -> _Display:
    is_long = tkhd[0] == 1
    (number,) = struct.unpack_from(">I", tkhd, 20 if is_long else 12)
    (duration,) = struct.unpack_from(">Q" if is_long else ">I", tkhd, 28 if is_long else 20)
    *matrix, width, height = struct.unpack_from(">9iII", tkhd, 52 if is_long else 40)
    return _Display(number, _known(duration), tuple(matrix), (width >> 16, height >> 16))


def _edited(file: BinaryIO, track: list[Box]) -> int | None:
    """Return the sum of the edit list in the movie's timescale; None without one, or where it says no length."""
    lists = [box for edits in track if edits.kind == "edts" for box in walk(file, edits) if box.kind == "elst"]
    if not lists:
        return None
    elst = content(file, lists[0])
    if len(elst) < _LIST_BYTES:
        return None
    layout = ">QqI" if elst[:1] == b"\1" else ">IiI"
    (entries,) = struct.unpack_from(">I", elst, 4)
    segments = struct.iter_unpack(layout, elst[8 : 8 + struct.calcsize(layout) * entries])
    return _known(sum(int(duration) for duration, _, _ in segments))


@dataclass(frozen=True, slots=True)
class _Entry:
    """A sample description: its four letters, the kinds of the boxes in it, and its channels of sound."""

    name: str
    parts: set[str]
    channels: int


def _entries(file: BinaryIO, stsd: Box, kind: str) -> Iterable[_Entry]:
    for entry in walk(file, replace(stsd, start=stsd.start + 8)):
        inside = replace(entry, start=min(entry.start + _ENTRY_BYTES[kind], entry.end))
        channels = _channels(content(file, entry)) if kind == SOUND else 0
        yield _Entry(entry.kind, {box.kind for box in walk(file, inside)}, channels)


def _channels(entry: bytes) -> int:
    """Return the channels of a sound description (12.2.3), which QuickTime's second version keeps elsewhere.

    See https://developer.apple.com/documentation/quicktime-file-format/sound_sample_description_(version_2).
    """
    is_second = entry[8:10] == b"\0\2"
    return int.from_bytes(entry[40:44] if is_second else entry[16:18], "big")
