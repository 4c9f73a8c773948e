"""The boxes an MP4 or QuickTime file is made of (ISO 14496-12): enough of them to see that a file is cut off."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_BOXES = 10_000
_HEADER_BYTES = 8
_LARGE_HEADER_BYTES = 16


class BoxError(Exception):
    """The boxes do not fill the file as they say. ``str()`` is a clause that says what is wrong."""


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its four-letter kind, and where in the file its content starts and ends."""

    kind: str
    start: int
    end: int


def walk(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """Yield the boxes that lie side by side between two places of a file.

    Raises:
        BoxError: One of them runs past `end`, is no box, or there are absurdly many.
    """
    for _ in range(_MOST_BOXES):
        if start == end:
            return
        box = _read(file, start, end)
        yield box
        start = box.end
    raise BoxError("it has far too many parts")


def _read(file: BinaryIO, start: int, end: int) -> Box:
    file.seek(start)
    header = file.read(min(_LARGE_HEADER_BYTES, end - start))
    if len(header) < _HEADER_BYTES:
        raise BoxError("it ends in the middle of a part")
    size, name = struct.unpack_from(">I4s", header)
    content = start + _HEADER_BYTES
    if size == 1:
        if len(header) < _LARGE_HEADER_BYTES:
            raise BoxError("it ends in the middle of a part")
        (size,) = struct.unpack_from(">Q", header, _HEADER_BYTES)
        content = start + _LARGE_HEADER_BYTES
    elif size == 0:
        size = end - start
    kind = name.decode("latin-1")
    if not all(letter.isprintable() for letter in kind):
        raise BoxError(f"there is no part of a clip at byte {start}")
    if start + size < content:
        raise BoxError(f"its part '{kind}' has the impossible size {size}")
    if start + size > end:
        raise BoxError(f"it is cut off: its part '{kind}' should go on for {start + size - end} more bytes")
    return Box(kind, content, start + size)
