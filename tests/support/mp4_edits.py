"""Changes the boxes of a clip whose index stands at its end, so that no offset moves."""

import struct

import av

INNER = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"mvex", b"moof", b"traf"}


def box(kind, content=b""):
    return struct.pack(">I4s", 8 + len(content), kind) + content


def split(content):
    """[(kind, content)] of the boxes that lie side by side."""
    boxes, place = [], 0
    while place + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, place)
        boxes.append((kind, content[place + 8 : place + size]))
        place += size
    return boxes


def changed(content, change):
    """The boxes, each of them passed through `change(kind, content)`, which gives bytes; inner ones first."""
    return b"".join(change(kind, changed(inner, change) if kind in INNER else inner) for kind, inner in split(content))


def rewrite(path, change):
    path.write_bytes(changed(path.read_bytes(), change))


def patched(wanted, offset, value):
    """A change that puts bytes at a place of all boxes of a kind."""

    def change(kind, content):
        if kind == wanted:
            content = content[:offset] + value + content[offset + len(value) :]
        return box(kind, content)

    return change


def samples(path):
    """[(place, size)] of all packets of the pictures."""
    with av.open(str(path)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
