"""The boxes of an MP4 file as a tree that can be changed: the oddities that writers, taggers and proxies leave in files."""

import struct
from dataclasses import dataclass, field

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"udta", b"mvex", b"moof", b"traf"}
UNITY = 1 << 16
MATRICES = {  # the upper left four numbers of a display matrix, ISO 14496-12 section 8.3.2
    "turned right": (0, 1, -1, 0),
    "turned left": (0, -1, 1, 0),
    "upside down": (-1, 0, 0, -1),
    "mirrored": (-1, 0, 0, 1),
    "mirrored top to bottom": (1, 0, 0, -1),
    "transposed": (0, 1, 1, 0),
    "transposed the other way": (0, -1, -1, 0),
}


@dataclass
class Box:
    kind: bytes
    content: bytes = b""
    children: list = field(default_factory=list)

    def dump(self):
        body = self.content + b"".join(child.dump() for child in self.children)
        return struct.pack(">I4s", 8 + len(body), self.kind) + body

    def all(self, kind):
        """Every box of this kind below this one, in order."""
        for child in self.children:
            if child.kind == kind:
                yield child
            yield from child.all(kind)

    def put(self, offset, value):
        self.content = self.content[:offset] + value + self.content[offset + len(value) :]


def parse(data):
    root, place = Box(b""), 0
    while place + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        header = 16 if size == 1 else 8
        end = place + struct.unpack_from(">Q", data, place + 8)[0] if size == 1 else place + (size or len(data))
        body = data[place + header : end]
        root.children.append(Box(kind, children=parse(body).children) if kind in CONTAINERS else Box(kind, body))
        place = max(end, place + 8)
    return root


def rewritten(change):
    """An edit of the tree as an edit of the file; the places of the samples follow the content where it moves to."""

    def edit(data):
        root = parse(data)
        before = _content_place(root)
        change(root)
        moved = _content_place(root) - before
        for kind, letter, width in ((b"stco", "I", 4), (b"co64", "Q", 8)):
            for table in root.all(kind):
                count = (len(table.content) - 8) // width
                places = struct.unpack_from(f">{count}{letter}", table.content, 8)
                table.put(8, struct.pack(f">{count}{letter}", *(place + moved for place in places)))
        return b"".join(box.dump() for box in root.children)

    return edit


def _content_place(root):
    place = 0
    for box in root.children:
        if box.kind == b"mdat":
            return place
        place += len(box.dump())
    return place


def _tracks(root, handler):
    return [track for track in root.all(b"trak") if next(track.all(b"hdlr")).content[8:12] == handler]


def _set(kind, offset, value):
    """Overwrite a field in every box of a kind; the offsets are those of version 0."""

    def change(root):
        for box in root.all(kind):
            if box.content[:1] == b"\0":
                box.put(offset, value)

    return rewritten(change)


def _matrix(a, b, c, d):
    def change(root):
        for track in _tracks(root, b"vide"):
            header = next(track.all(b"tkhd"))
            header.put(40, struct.pack(">9i", a * UNITY, b * UNITY, 0, c * UNITY, d * UNITY, 0, 0, 0, 1 << 30))

    return rewritten(change)


def _emptied_edit_lists(root):
    for box in root.all(b"edts"):
        box.children = []


def _without_edit_lists(root):
    for track in root.all(b"trak"):
        track.children = [box for box in track.children if box.kind != b"edts"]


def _edit_list_terminator(root):
    for box in root.all(b"edts"):
        box.children.append(Box(b"free", bytes(4)))


def _inside(kind, place, box):
    def change(root):
        for parent in root.all(kind):
            parent.children.insert(len(parent.children) if place is None else place, Box(*box))

    return rewritten(change)


def _in_front(box):
    return rewritten(lambda root: root.children.insert(1, Box(*box)))


def _empty_sound_track(root):
    for track in _tracks(root, b"soun"):
        table = next(track.all(b"stbl"))
        table.children = [box for box in table.children if box.kind not in (b"sgpd", b"sbgp", b"ctts")]
        for box in table.children:
            if box.kind in (b"stts", b"stsc", b"stco"):
                box.content = bytes(8)
            elif box.kind == b"stsz":
                box.content = bytes(12)
        track.children = [box for box in track.children if box.kind != b"edts"]
        next(track.all(b"tkhd")).put(20, bytes(4))
        next(track.all(b"mdhd")).put(16, bytes(4))


def _two_frames_at_one_time(root):
    """The steps between three frames become (all, nothing), where nothing is reordered; and nothing is trimmed."""
    for track in _tracks(root, b"vide"):
        table = next(track.all(b"stbl"))
        steps = next(track.all(b"stts"))
        is_reordered = next(table.all(b"ctts"), None) is not None
        if is_reordered or len(steps.content) != 16:
            return
        _, count, step = struct.unpack_from(">3I", steps.content, 4)
        if count < 4:
            return
        steps.content = struct.pack(">II6I", 0, 3, 2, step, 1, 0, count - 3, step)
        track.children = [box for box in track.children if box.kind != b"edts"]


def _large_content_header(data):
    """The size of mdat in 64 bits, as for files over 4 GiB: the eight bytes come out of a `free` box in front of it."""
    at = data.find(b"\0\0\0\x08free")
    if at < 0 or data[at + 12 : at + 16] != b"mdat":
        return data
    size = struct.unpack_from(">I", data, at + 8)[0]
    return data[:at] + struct.pack(">I4sQ", 1, b"mdat", size + 8) + data[at + 16 :]


def _content_to_the_end(data):
    """A size of 0: the box goes on to the end of the file."""
    root = parse(data)
    if not root.children or root.children[-1].kind != b"mdat":
        return data
    size = len(root.children[-1].dump())
    return data[: len(data) - size] + bytes(4) + data[len(data) - size + 4 :]


def _broken_packet_of_sound(data):
    root = parse(data)
    for track in _tracks(root, b"soun"):
        sizes, places = next(track.all(b"stsz"), None), next(track.all(b"stco"), None)
        if sizes is None or places is None or len(sizes.content) < 16 or len(places.content) < 12:
            return data
        place, length = struct.unpack_from(">I", places.content, 8)[0], struct.unpack_from(">I", sizes.content, 12)[0]
        return data[:place] + b"\xff" * length + data[place + length :]
    return data


def _cover(jpeg):
    item = Box(b"covr", Box(b"data", struct.pack(">II", 13, 0) + jpeg).dump())
    handler = Box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    return Box(b"udta", Box(b"meta", bytes(4) + handler.dump() + Box(b"ilst", item.dump()).dump()).dump())


def with_cover(jpeg, *, in_front):
    """Cover art, before the tracks as mutagen writes it or behind them."""

    def change(root):
        for movie in root.all(b"moov"):
            movie.children = [box for box in movie.children if box.kind != b"udta"]
            movie.children.insert(1 if in_front else len(movie.children), _cover(jpeg))

    return rewritten(change)


EDITS = {
    "edit boxes without a list": rewritten(_emptied_edit_lists),
    "no edit boxes": rewritten(_without_edit_lists),
    "a free box in every edit box": rewritten(_edit_list_terminator),
    "length of the movie unknown": _set(b"mvhd", 16, b"\xff" * 4),
    "length of the movie zero": _set(b"mvhd", 16, bytes(4)),
    "lengths of the media unknown": _set(b"mdhd", 16, b"\xff" * 4),
    "lengths of the media zero": _set(b"mdhd", 16, bytes(4)),
    "lengths of the tracks unknown": _set(b"tkhd", 20, b"\xff" * 4),
    "lengths of the tracks zero": _set(b"tkhd", 20, bytes(4)),
    "a free box in front": _in_front((b"free", bytes(100))),
    "an unknown box in front": _in_front((b"uuid", bytes(range(100)))),
    "a free box in the index": _inside(b"moov", 1, (b"free", bytes(40))),
    "free boxes in the tracks": _inside(b"trak", None, (b"skip", bytes(12))),
    "a free box among the tables": _inside(b"stbl", None, (b"free", bytes(12))),
    "an empty user data box": _inside(b"moov", None, (b"udta",)),
    "a terminator in the user data": _inside(b"moov", None, (b"udta", bytes(4))),
    "a line break at the end": lambda data: data + b"\r\n",
    "zeros at the end": lambda data: data + bytes(512),
    "three bytes at the end": lambda data: data + b"end",
    "text at the end": lambda data: data + b"<!-- served by a proxy -->\n" * 20,
    "the last free box cut off": lambda data: data + struct.pack(">I4s", 4096, b"free") + bytes(100),
    "a whole free box at the end": lambda data: data + struct.pack(">I4s", 108, b"free") + bytes(100),
    "an empty sound track": rewritten(_empty_sound_track),
    "two frames at one time": rewritten(_two_frames_at_one_time),
    "content with a 64-bit size": _large_content_header,
    "content to the end of the file": _content_to_the_end,
    "a broken packet of sound": _broken_packet_of_sound,
    **{name: _matrix(*numbers) for name, numbers in MATRICES.items()},
}
