"""The boxes an MP4 or QuickTime file is made of (ISO/IEC 14496-12, 4.2: https://www.iso.org/standard/83102.html)."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_BOXES = 10_000
_HEADER_BYTES = 8
_LARGE_HEADER_BYTES = 16
_CONTENT = (b"moov", b"moof", b"mdat")  # what a clip cannot do without


class BoxError(Exception):
    """The file is not made of boxes as it should be. ``str()`` is a clause that says what is wrong."""


@dataclass(frozen=True, slots=True)
class Box:
    """One box.

    Attributes:
        kind: Its four letters.
        place: Where in the file it starts.
        start: Where its content starts.
        end: Where its content ends, in the file at hand.
        missing: How many more bytes it claims than there are.
    """

    kind: str
    place: int
    start: int
    end: int
    missing: int = 0


def walk_file(file: BinaryIO, size: int) -> Iterator[Box]:
    """Yield the boxes of a file. Bytes behind the last box that belong to none are passed over.

    Raises:
        BoxError: What follows is not a box although there is content behind it, or there are absurdly many boxes.
    """
    place = 0
    for _ in range(_MOST_BOXES):
        box = _read(file, place, size)
        if box is None or (box.end == size and not box.kind.isprintable()):
            if place < size and (place == 0 or _has_content(file, place)):
                raise BoxError(f"there is no part of a clip at byte {place}")
            return
        yield box
        place = box.end
    raise BoxError("it has far too many parts")


def walk(file: BinaryIO, around: Box) -> Iterator[Box]:
    """Yield the boxes inside another one. A rest too short for a box is a terminator, as QuickTime writes it.

    Raises:
        BoxError: There are absurdly many.
    """
    place = around.start
    for _ in range(_MOST_BOXES):
        box = _read(file, place, around.end)
        if box is None:
            return
        yield box
        place = box.end
    raise BoxError("it has far too many parts")


def content(file: BinaryIO, box: Box) -> bytes:
    """Return what is in a box."""
    file.seek(box.start)
    return file.read(box.end - box.start)


def _read(file: BinaryIO, place: int, end: int) -> Box | None:
    """Return the box at a place; None where none can be."""
    file.seek(place)
    header = file.read(max(0, min(_LARGE_HEADER_BYTES, end - place)))
    if len(header) < _HEADER_BYTES:
        return None
    size, name = struct.unpack_from(">I4s", header)
    start = place + _HEADER_BYTES
    if size == 1 and len(header) == _LARGE_HEADER_BYTES:
        (size,) = struct.unpack_from(">Q", header, _HEADER_BYTES)
        start = place + _LARGE_HEADER_BYTES
    elif size == 0:
        size = end - place
    if place + size < start:
        return None
    return Box(name.decode("latin-1"), place, start, min(place + size, end), max(0, place + size - end))


def _has_content(file: BinaryIO, place: int) -> bool:
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as all_bytes:
        return any(all_bytes.find(kind, place) >= 0 for kind in _CONTENT)
