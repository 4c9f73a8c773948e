"""How many samples an MP4 or QuickTime file has, where they lie, and whether all are there (ISO/IEC 14496-12, 8.6 to 8.8)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from itertools import accumulate, islice
from typing import TYPE_CHECKING, BinaryIO

from .boxes import Box, BoxError, content, walk

if TYPE_CHECKING:
    from collections.abc import Iterable

# Flags of tfhd (8.8.7) and trun (8.8.8).
_BASE, _DESCRIPTION, _DURATION, _SIZE = 0x1, 0x2, 0x8, 0x10
_OFFSET, _FIRST_FLAGS, _DURATIONS, _SIZES, _FLAGS, _SHIFTS = 0x1, 0x4, 0x100, 0x200, 0x400, 0x800
_MOST_RUN = 1 << 20  # samples
_TEXT = b"\0\r\n\t "


@dataclass(slots=True)
class Samples:
    """The samples of one track.

    Attributes:
        count: How many.
        ticks: How long all last, in the media's timescale.
        end: Where the last one in the file ends.
        pieces: Movie fragments that hold some of them.
        gap: The first fragment that is missing among them: (from, to) in ticks.
    """

    count: int = 0
    ticks: int = 0
    end: int = 0
    pieces: int = 0
    gap: tuple[int, int] | None = None


def samples_end(tables: dict[str, bytes]) -> int:
    """Return where the last sample ends, by the tables of an stbl box; 0 without samples.

    Raises:
        struct.error: A table is cut off.
        KeyError: One is missing.
    """
    wide = "co64" in tables
    places = _numbers(tables["co64" if wide else "stco"], 4, ">Q" if wide else ">I")
    runs = _rows(tables["stsc"], 4, ">III")
    sizes = _Sizes(tables)
    end, sample, last_run = 0, 0, len(runs) - 1
    run = 0
    for number, place in enumerate(places, start=1):
        while run < last_run and runs[run + 1][0] <= number:
            run += 1
        if not runs or sample >= sizes.count:
            break
        following = min(sample + runs[run][1], sizes.count)
        end = max(end, place + sizes.sum(sample, following))
        sample = following
    return end


def sample_count(tables: dict[str, bytes]) -> int:
    """Return how many samples the table of sizes describes."""
    table = tables["stsz"] if "stsz" in tables else tables["stz2"]
    return int(struct.unpack_from(">I", table, 8)[0])


def sample_times(stts: bytes) -> tuple[int, int, bool]:
    """Return (samples, their duration in the media's timescale, whether all but the last are equally long)."""
    (entries,) = struct.unpack_from(">I", stts, 4)
    pairs = list(struct.iter_unpack(">II", stts[8 : 8 + 8 * entries]))
    count = sum(samples for samples, _ in pairs)
    duration = sum(samples * each for samples, each in pairs)
    return count, duration, len(pairs) == 1 or (len(pairs) == 2 and pairs[1][0] == 1)  # noqa: PLR2004 - see the docstring


class _Sizes:
    """The sizes of samples (stsz or stz2), of which sums are asked."""

    _each: int
    count: int

    def __init__(self, tables: dict[str, bytes]) -> None:
        if "stsz" in tables:
            self._each, self.count = struct.unpack_from(">II", tables["stsz"], 4)
            values: Iterable[int] = () if self._each else _numbers(tables["stsz"], 8, ">I")
        else:
            bits, self.count = tables["stz2"][7], struct.unpack_from(">I", tables["stz2"], 8)[0]
            self._each = 0
            values = _small_numbers(tables["stz2"][12:], bits, self.count)
        self._sums: list[int] = [0, *accumulate(values)]

    def sum(self, first: int, end: int) -> int:
        if self._each:
            return (end - first) * self._each
        return self._sums[end] - self._sums[first]


def _small_numbers(table: bytes, bits: int, count: int) -> list[int]:
    if bits == 4:  # noqa: PLR2004 - two to a byte, the higher one first (8.7.3.3)
        table = bytes(half for byte in table for half in (byte >> 4, byte & 15))
    return list(struct.unpack_from(f">{count}{'H' if bits == 16 else 'B'}", table))  # noqa: PLR2004 - see above


def _rows(table: bytes, offset: int, layout: str) -> list[tuple[int, ...]]:
    (count,) = struct.unpack_from(">I", table, offset)
    size = struct.calcsize(layout)
    if len(table) < offset + 4 + count * size:
        raise struct.error("a table is cut off")
    return list(struct.iter_unpack(layout, table[offset + 4 : offset + 4 + count * size]))


def _numbers(table: bytes, offset: int, layout: str) -> list[int]:
    return [row[0] for row in _rows(table, offset, layout)]


@dataclass(slots=True)
class Fragments:
    """What the movie fragments of a file hold, by track id.

    Attributes:
        tracks: The samples of each track.
        said_ticks: Lengths from segment indexes (sidx, 8.16.3), with their timescale, by track id.
    """

    tracks: dict[int, Samples] = field(default_factory=dict)
    said_ticks: dict[int, tuple[int, int]] = field(default_factory=dict)


def read_fragments(file: BinaryIO, boxes: list[Box], mvex: Box, size: int) -> Fragments:
    """Read all movie fragments, and compare them with the indexes that list them.

    Raises:
        BoxError: Some are missing.
        struct.error: One is damaged.
    """
    found, defaults = Fragments(), {}
    for box in walk(file, mvex):
        if box.kind == "trex":
            track, _, duration, length = struct.unpack_from(">4I", content(file, box), 4)
            defaults[track] = (duration, length)
    _check_last(file, boxes, size)
    reader = _Reader(file, found, defaults)
    for box in boxes:
        if box.kind == "moof":
            reader.read(box)
        elif box.kind == "sidx":
            _read_sidx(content(file, box), box.end, size, found)
        elif box.kind == "mfra":
            _check_mfra(file, box, found)
    return found


def _check_last(file: BinaryIO, boxes: list[Box], size: int) -> None:
    last = boxes[-1]
    if last.missing and last.kind in {"moof", "sidx", "styp", "emsg", "prft", "ssix"}:
        raise BoxError(f"it is cut off: its part '{last.kind}' should go on for {last.missing} more bytes")
    file.seek(last.end)
    rest = file.read(8)
    if size - last.end < 8 and rest.strip(_TEXT):  # noqa: PLR2004 - what is shorter than the header of a box
        raise BoxError("it ends in the middle of a part")


class _Reader:
    """Reads one movie fragment after the other."""

    def __init__(self, file: BinaryIO, found: Fragments, defaults: dict[int, tuple[int, int]]) -> None:
        self._file = file
        self._found = found
        self._defaults = defaults
        self._next: dict[int, int] = {}  # when the next sample of a track should begin
        self._number = 0

    def read(self, moof: Box) -> None:
        boxes = list(walk(self._file, moof))
        numbers = [struct.unpack_from(">I", content(self._file, box), 4)[0] for box in boxes if box.kind == "mfhd"]
        number = numbers[0] if numbers else self._number + 1
        is_jump, self._number = self._number and number > self._number + 1, number
        end = moof.place
        for box in boxes:
            if box.kind == "traf":
                end = self._track(box, moof.place, end, is_jump=bool(is_jump))

    def _track(self, traf: Box, moof_place: int, end: int, *, is_jump: bool) -> int:
        boxes = list(walk(self._file, traf))
        header = next((content(self._file, box) for box in boxes if box.kind == "tfhd"), b"")
        flags, track = struct.unpack_from(">II", header)
        place, base = 8, end
        duration, size = self._defaults.get(track, (0, 0))
        if flags & 0x020000:  # default-base-is-moof
            base = moof_place
        if flags & _BASE:
            (base,) = struct.unpack_from(">Q", header, place)
            place += 8
        place += 4 if flags & _DESCRIPTION else 0
        if flags & _DURATION:
            (duration,) = struct.unpack_from(">I", header, place)
            place += 4
        if flags & _SIZE:
            (size,) = struct.unpack_from(">I", header, place)
        samples = self._found.tracks.setdefault(track, Samples())
        samples.pieces += 1
        for box in boxes:
            if box.kind == "tfdt":
                self._check_time(track, samples, content(self._file, box), is_jump=is_jump)
        end, before = base, samples.ticks
        for box in boxes:
            if box.kind == "trun":
                end = self._run(samples, content(self._file, box), (base, end), (duration, size))
        self._next[track] = self._next.get(track, 0) + samples.ticks - before
        return end

    def _check_time(self, track: int, samples: Samples, tfdt: bytes, *, is_jump: bool) -> None:
        (time,) = struct.unpack_from(">Q" if tfdt[0] else ">I", tfdt, 4)
        expected = self._next.get(track)
        if is_jump and expected is not None and time > expected and samples.gap is None:
            samples.gap = (expected, time)
        self._next[track] = time

    def _run(self, samples: Samples, trun: bytes, places: tuple[int, int], defaults: tuple[int, int]) -> int:
        flags, count = struct.unpack_from(">II", trun)
        base, end = places
        place = 8
        if flags & _OFFSET:
            end = base + int(struct.unpack_from(">i", trun, place)[0])
            place += 4
        place += 4 if flags & _FIRST_FLAGS else 0
        fields = [flag for flag in (_DURATIONS, _SIZES, _FLAGS, _SHIFTS) if flags & flag]
        rows = count if fields else 0
        if count > _MOST_RUN or len(trun) < place + 4 * len(fields) * rows:
            raise BoxError("one of its parts describes more samples than it can")
        table = struct.unpack_from(f">{len(fields) * rows}I", trun, place)
        sums: list[int] = []
        for flag, default in zip((_DURATIONS, _SIZES), defaults, strict=True):
            column = islice(table, fields.index(flag), None, len(fields)) if flags & flag else None
            sums.append(count * default if column is None else sum(column))
        samples.count += count
        samples.ticks += sums[0]
        samples.end = max(samples.end, end + sums[1])
        return end + sums[1]


def _read_sidx(sidx: bytes, box_end: int, size: int, found: Fragments) -> None:
    """Compare a segment index (8.16.3) with the file, and keep the length it gives."""
    track, timescale = struct.unpack_from(">II", sidx, 4)
    first, place = (
        (struct.unpack_from(">Q", sidx, 20)[0], 28) if sidx[0] else (struct.unpack_from(">I", sidx, 16)[0], 20)
    )
    (count,) = struct.unpack_from(">H", sidx, place + 2)
    rows = list(struct.iter_unpack(">III", sidx[place + 4 : place + 4 + 12 * count]))
    end = box_end + first + sum(kind_and_size & 0x7FFFFFFF for kind_and_size, _, _ in rows)
    if len(rows) < count or end > size:
        raise BoxError(f"it is cut off: by its own index of parts, {max(1, end - size)} more bytes should follow")
    ticks = sum(duration for kind_and_size, duration, _ in rows if not kind_and_size >> 31)
    said, _ = found.said_ticks.get(track, (0, timescale))
    found.said_ticks[track] = (said + ticks, timescale)


def _check_mfra(file: BinaryIO, mfra: Box, found: Fragments) -> None:
    """Compare the list of fragments at the end of a file (tfra, 8.8.10) with the fragments."""
    for box in walk(file, mfra):
        if box.kind != "tfra":
            continue
        tfra = content(file, box)
        track, lengths, count = struct.unpack_from(">III", tfra, 4)
        each = (16 if tfra[0] else 8) + sum((lengths >> shift & 3) + 1 for shift in (4, 2, 0))
        wide = ">QQ" if tfra[0] else ">II"
        places = {struct.unpack_from(wide, tfra, 16 + each * row)[1] for row in range(min(count, len(tfra) // each))}
        there = found.tracks.get(track, Samples()).pieces
        if there < len(places):
            raise BoxError(f"by its own list it has {len(places)} parts, and only {there} of them are there")
