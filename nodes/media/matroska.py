"""The elements of a WebM or Matroska file: what it says of itself, compared with what is there.

A demuxer passes over what it cannot read, and a file that was cut off gives fewer frames without a word. So every block is
counted, and no element may end behind the one around it or behind the file.
Layouts: RFC 8794 (EBML, https://www.rfc-editor.org/rfc/rfc8794) and RFC 9559 (Matroska, https://www.rfc-editor.org/rfc/rfc9559).
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO

from .mp4.index import PICTURES, SOUND, Index, Track
from .orientation import Orientation

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"\x1a\x45\xdf\xa3"
_MOST_ELEMENTS = 400_000
_MOST_TRACKS = 32
_MOST_VALUE_BYTES = 8
_NANOSECONDS = 10**9
_USUAL_SCALE = 10**6  # nanoseconds per unit, where the file does not say (RFC 9559, 5.1.2.9)
_KINDS = {1: PICTURES, 2: SOUND}  # RFC 9559, 5.1.4.1.3

_HEADER, _SEGMENT = 0x1A45DFA3, 0x18538067
_INFO, _TRACKS, _CLUSTER = 0x1549A966, 0x1654AE6B, 0x1F43B675
_TOP = {
    _INFO,
    _TRACKS,
    _CLUSTER,
    0x114D9B74,
    0x1C53BB6B,
    0x1941A469,
    0x1043A770,
    0x1254C367,
}  # RFC 9559, 5.1.1 to 5.1.8
_SCALE, _DURATION = 0x2AD7B1, 0x4489
_TRACK, _NUMBER, _TYPE, _DEFAULT, _CODEC = 0xAE, 0xD7, 0x83, 0x88, 0x86
_VIDEO, _WIDTH, _HEIGHT, _AUDIO, _CHANNELS = 0xE0, 0xB0, 0xBA, 0xE1, 0x9F
_ENCODINGS, _ENCODING, _ENCRYPTION = 0x6D80, 0x6240, 0x5035
_TIMESTAMP, _SIMPLE_BLOCK, _GROUP, _BLOCK = 0xE7, 0xA3, 0xA0, 0xA1


class ElementError(Exception):
    """The file is not made of elements as it should be. ``str()`` is a clause that says what is wrong."""


@dataclass(frozen=True, slots=True)
class _Element:
    number: int
    start: int
    end: int


@dataclass(slots=True)
class _Read:
    """What was read of one track so far; times in units of the file's scale."""

    number: int = 0
    kind: str = ""
    codec: str = ""
    is_default: bool = True
    is_encrypted: bool = False
    size: tuple[int, int] = (0, 0)
    channels: int = 0
    times: list[int] = field(default_factory=list)


def read_elements(file: BinaryIO, size: int) -> Index:
    """Read a WebM or Matroska file from its first byte to its last.

    Returns:
        The first track of pictures and the track of sound that is to be heard. FFmpeg numbers neither, so both are 0.

    Raises:
        ElementError: It is cut off or damaged.
    """
    with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as content:
        return _Reader(content, size).index()


class _Reader:
    def __init__(self, content: mmap.mmap, size: int) -> None:
        self._content = content
        self._size = size
        self._seen = 0
        self._scale = _USUAL_SCALE
        self._duration: float | None = None
        self._tracks: list[_Read] = []

    def index(self) -> Index:
        place = 0
        while place < self._size:
            element = self._element(place, self._size, may_be_cut=True)
            if element.number == _SEGMENT:
                self._segment(element)
                return self._said()
            place = element.end
        raise ElementError("its content is missing")

    def _segment(self, segment: _Element) -> None:
        stated = segment.end
        for element in self._inside(segment, may_be_cut=True):
            if element.end > self._size and element.number in {_INFO, _TRACKS, _CLUSTER}:
                raise ElementError(f"it is cut off: {max(stated, element.end) - self._size} more bytes should follow")
            if element.number == _INFO:
                self._info(element)
            elif element.number == _TRACKS:
                self._tracks += [self._track(one) for one in self._inside(element) if one.number == _TRACK]
            elif element.number == _CLUSTER:
                self._cluster(element)
            if element.end >= self._size and stated > element.end:
                raise ElementError(f"it is cut off: {stated - self._size} more bytes should follow")
        if not self._tracks:
            raise ElementError("its list of tracks is missing")
        if len(self._tracks) > _MOST_TRACKS:
            raise ElementError("it has far too many tracks")

    def _info(self, info: _Element) -> None:
        for element in self._inside(info):
            if element.number == _SCALE:
                self._scale = self._whole(element) or _USUAL_SCALE
            elif element.number == _DURATION:
                self._duration = self._real(element)

    def _track(self, entry: _Element) -> _Read:
        track = _Read()
        for element in self._inside(entry):
            match element.number:
                case n if n == _NUMBER:
                    track.number = self._whole(element)
                case n if n == _TYPE:
                    track.kind = _KINDS.get(self._whole(element), "")
                case n if n == _DEFAULT:
                    track.is_default = self._whole(element) != 0
                case n if n == _CODEC:
                    track.codec = self._content[element.start : element.end][:64].decode("latin-1")
                case n if n == _VIDEO:
                    values = {one.number: one for one in self._inside(element)}
                    track.size = (self._at(values, _WIDTH), self._at(values, _HEIGHT))
                case n if n == _AUDIO:
                    track.channels = self._at({one.number: one for one in self._inside(element)}, _CHANNELS) or 1
                case n if n == _ENCODINGS:
                    track.is_encrypted = any(
                        part.number == _ENCRYPTION
                        for encoding in self._inside(element)
                        if encoding.number == _ENCODING
                        for part in self._inside(encoding)
                    )
        return track

    def _cluster(self, cluster: _Element) -> None:
        started = 0
        for element in self._inside(cluster):
            if element.number == _TIMESTAMP:
                started = self._whole(element)
            elif element.number == _SIMPLE_BLOCK:
                self._block(element, started)
            elif element.number == _GROUP:
                for one in self._inside(element):
                    if one.number == _BLOCK:
                        self._block(one, started)

    def _block(self, block: _Element, started: int) -> None:
        number, place, _ = self._value(block.start, block.end)
        if place + 3 > block.end:
            raise ElementError(f"there is a broken block at byte {block.start}")
        (offset,) = struct.unpack_from(">h", self._content, place)
        for track in self._tracks:
            if track.number == number:
                track.times.append(started + offset)

    def _inside(self, around: _Element, *, may_be_cut: bool = False) -> Iterator[_Element]:
        place, end = around.start, min(around.end, self._size)
        while place < end:
            element = self._element(place, around.end, may_be_cut=may_be_cut)
            yield element
            place = element.end

    def _end_of_cluster(self, place: int) -> int:
        """Return where a cluster of unknown length ends: where something begins that cannot be in one (RFC 8794, 6.2)."""
        while place < self._size and self._number(place, self._size)[0] not in _TOP:
            place = self._element(place, self._size).end
        return place

    def _element(self, place: int, end: int, *, may_be_cut: bool = False) -> _Element:
        self._seen += 1
        if self._seen > _MOST_ELEMENTS:
            raise ElementError("it has far too many parts")
        limit = min(end, self._size)
        number, place = self._number(place, limit)
        length, start, is_open = self._value(place, limit)
        if is_open:
            if number not in {_SEGMENT, _CLUSTER}:
                raise ElementError(f"a part of it has no end, at byte {place}")
            return _Element(number, start, limit if number == _SEGMENT else self._end_of_cluster(start))
        if start + length > end and not may_be_cut:
            raise ElementError(f"it is cut off: {start + length - limit} more bytes should follow byte {limit}")
        return _Element(number, start, start + length)

    def _number(self, place: int, end: int) -> tuple[int, int]:
        """Return an element's number, and the place behind it."""
        width = 9 - self._byte(place, end).bit_length()
        if width > 4:  # noqa: PLR2004 - bytes, RFC 8794, 5
            raise ElementError(f"there is no part of a clip at byte {place}")
        if place + width > end:
            raise ElementError(f"it is cut off at byte {end}")
        return int.from_bytes(self._content[place : place + width], "big"), place + width

    def _value(self, place: int, end: int) -> tuple[int, int, bool]:
        """Return a number of variable length, the place behind it, and whether it stands for an unknown one."""
        width = 9 - self._byte(place, end).bit_length()
        if width > _MOST_VALUE_BYTES:
            raise ElementError(f"there is no part of a clip at byte {place}")
        if place + width > end:
            raise ElementError(f"it is cut off at byte {end}")
        most = (1 << 7 * width) - 1
        value = int.from_bytes(self._content[place : place + width], "big") & most
        return value, place + width, value == most

    def _byte(self, place: int, end: int) -> int:
        if place >= end:
            raise ElementError(f"it is cut off at byte {end}")
        return self._content[place]

    def _whole(self, element: _Element) -> int:
        if element.end - element.start > _MOST_VALUE_BYTES:
            raise ElementError(f"there is a broken number at byte {element.start}")
        return int.from_bytes(self._content[element.start : element.end], "big")

    def _at(self, values: dict[int, _Element], number: int) -> int:
        return self._whole(values[number]) if number in values else 0

    def _real(self, element: _Element) -> float | None:
        layout = {4: ">f", 8: ">d"}.get(element.end - element.start)
        if layout is None:
            return None
        (value,) = struct.unpack_from(layout, self._content, element.start)
        return value if 0 < value < 2**53 else None

    def _said(self) -> Index:
        pictures = [track for track in self._tracks if track.kind == PICTURES][:1]
        sounds = [track for track in self._tracks if track.kind == SOUND]
        heard = next((track for track in sounds if track.is_default), next(iter(sounds), None))
        if pictures and not pictures[0].times:
            raise ElementError("its pictures are missing")
        seconds = Fraction(self._scale, _NANOSECONDS)
        read = [*pictures, *([heard] if heard else [])]
        return Index(
            shown_s=None if self._duration is None else Fraction(self._duration) * seconds,
            is_fragmented=True,
            tracks=tuple(_track_of(track, seconds) for track in read),
            unreadable=frozenset(),
        )


def _track_of(track: _Read, seconds: Fraction) -> Track:
    count, times = len(track.times), track.times
    step = Fraction(max(times) - min(times), count - 1) if count > 1 else Fraction(0)
    return Track(
        number=0,
        kind=track.kind,
        sample_count=count,
        timed_count=count,
        media_s=None,
        timed_s=(max(times) + step) * seconds if times else Fraction(0),
        shown_s=None,
        edited_s=None,
        said_s=None,
        data_end=0,
        is_steady=False,
        size=track.size,
        orientation=Orientation(),
        channels=track.channels,
        formats=(track.codec,),
        is_encrypted=track.is_encrypted,
        has_clean_aperture=False,
        gap_s=None,
    )
