"""The elements of a WebM or Matroska file as a tree that can be changed: what writers leave in files, or leave out.

Layouts: RFC 8794 (EBML) and RFC 9559 (Matroska).
"""

from dataclasses import dataclass, field

EBML, SEGMENT, SEEK, INFO, TRACKS, CLUSTER, CUES = (
    0x1A45DFA3,
    0x18538067,
    0x114D9B74,
    0x1549A966,
    0x1654AE6B,
    0x1F43B675,
    0x1C53BB6B,
)
TRACK, VIDEO, GROUP = 0xAE, 0xE0, 0xA0
VOID, DURATION, NUMBER, TYPE, HEIGHT, SHOWN_WIDTH, SHOWN_HEIGHT = 0xEC, 0x4489, 0xD7, 0x83, 0xBA, 0x54B0, 0x54BA
SIMPLE_BLOCK, BLOCK, REFERENCE, DEFAULT_DURATION = 0xA3, 0xA1, 0xFB, 0x23E383
MASTERS = {SEGMENT, INFO, TRACKS, TRACK, VIDEO, CLUSTER, GROUP}
PICTURES, SOUND = 1, 2
IS_KEY, LACING = 0x80, {"Xiph": 0x02, "fixed": 0x04, "EBML": 0x06}


@dataclass
class Element:
    number: int
    content: bytes = b""
    children: list = field(default_factory=list)
    is_open: bool = False  # of unknown size

    def dump(self):
        body = self.content + b"".join(child.dump() for child in self.children)
        size = b"\x01" + b"\xff" * 7 if self.is_open else (len(body) | 1 << 56).to_bytes(8, "big")
        return self.number.to_bytes((self.number.bit_length() + 7) // 8, "big") + size + body

    def all(self, number):
        """Every element of this number below this one, in order."""
        for child in self.children:
            if child.number == number:
                yield child
            yield from child.all(number)

    def of(self, number):
        return next(self.all(number))


def parse(data):
    root, place = Element(0), 0
    while place < len(data):
        width = 9 - data[place].bit_length()
        number, place = int.from_bytes(data[place : place + width], "big"), place + width
        width = 9 - data[place].bit_length()
        size = int.from_bytes(data[place : place + width], "big") - (1 << 7 * width)
        start = place + width
        place = len(data) if size == (1 << 7 * width) - 1 else start + size
        body = data[start:place]
        is_master = number in MASTERS
        root.children.append(Element(number, *((b"", parse(body).children) if is_master else (body,))))
    return root


def rewritten(change):
    """An edit of the tree as an edit of the file. What says where other elements are goes: it would be wrong."""

    def edit(data):
        root = parse(data)
        segment = root.of(SEGMENT)
        segment.children = [child for child in segment.children if child.number not in {SEEK, CUES}]
        change(root, segment)
        return b"".join(child.dump() for child in root.children)

    return edit


def _open_clusters(_root, segment):
    for cluster in segment.all(CLUSTER):
        cluster.is_open = True


def _open_everything(root, segment):
    _open_clusters(root, segment)
    segment.is_open = True


def _without_duration(_root, segment):
    segment.of(INFO).children = [each for each in segment.of(INFO).children if each.number != DURATION]


def _with_voids(root, segment):
    root.children.insert(1, Element(VOID, bytes(40)))
    for around in (segment, segment.of(TRACKS), segment.of(INFO), *segment.all(TRACK), *segment.all(CLUSTER)):
        around.children = [each for child in around.children for each in (child, Element(VOID, bytes(3)))]


def _in_groups(_root, segment):
    """Each simple block as a group, which says of what it is no key frame of."""
    for cluster in segment.all(CLUSTER):
        cluster.children = [_grouped(each) if each.number == SIMPLE_BLOCK else each for each in cluster.children]


def _grouped(block):
    head, flags, body = block.content[:3], block.content[3], block.content[4:]
    group = Element(GROUP, children=[Element(BLOCK, head + bytes([flags & ~IS_KEY]) + body)])
    if not flags & IS_KEY:
        group.children.append(Element(REFERENCE, b"\xff"))
    return group


def _laced(kind):
    def change(_root, segment):
        """Two packets of sound in one block each, where they lie side by side among those of the sound."""
        number = _number_of(segment, SOUND)
        for cluster in segment.all(CLUSTER):
            sounds = [
                each for each in cluster.children if each.number == SIMPLE_BLOCK and each.content[0] & 0x7F == number
            ]
            for one, other in zip(sounds[::2], sounds[1::2], strict=False):
                joined = _joined(one.content, other.content, kind)
                if joined:
                    one.content = joined
                    cluster.children = [each for each in cluster.children if each is not other]

    return change


def _joined(one, other, kind):
    first, second = one[4:], other[4:]
    if kind == "fixed" and len(first) != len(second):
        return None
    sizes = {
        "fixed": b"",
        "Xiph": b"\xff" * (len(first) // 255) + bytes([len(first) % 255]),
        "EBML": (len(first) | 1 << 28).to_bytes(4, "big"),
    }[kind]
    return one[:3] + bytes([one[3] | LACING[kind], 1]) + sizes + first + second


def _number_of(segment, kind):
    for track in segment.all(TRACK):
        if track.of(TYPE).content == bytes([kind]):
            return track.of(NUMBER).content[-1]
    return 0


def _with_other_height(_root, segment):
    height = segment.of(HEIGHT)
    height.content = (int.from_bytes(height.content, "big") + 2).to_bytes(2, "big")


def _with_shown_size(_root, segment):
    shown = [Element(SHOWN_WIDTH, (200).to_bytes(2, "big")), Element(SHOWN_HEIGHT, (64).to_bytes(2, "big"))]
    kept = [each for each in segment.of(VIDEO).children if each.number not in {SHOWN_WIDTH, SHOWN_HEIGHT}]
    segment.of(VIDEO).children = [*kept, *shown]


def _other_order(_root, segment):
    segment.of(TRACKS).children.reverse()


def _other_numbers(_root, segment):
    for track in segment.all(TRACK):
        track.of(NUMBER).content = bytes([track.of(NUMBER).content[-1] + 40])
    for kind in (SIMPLE_BLOCK, BLOCK):
        for block in segment.all(kind):
            block.content = bytes([block.content[0] + 40]) + block.content[1:]


def _without_rate(_root, segment):
    for track in segment.all(TRACK):
        track.children = [each for each in track.children if each.number != DEFAULT_DURATION]


def _without_clusters(_root, segment):
    segment.children = [each for each in segment.children if each.number != CLUSTER]


EDITS = {
    "no index of places": rewritten(lambda _root, _segment: None),
    "clusters of unknown size": rewritten(_open_clusters),
    "everything of unknown size": rewritten(_open_everything),
    "no duration": rewritten(_without_duration),
    "void elements": rewritten(_with_voids),
    "groups of blocks": rewritten(_in_groups),
    **{f"{kind} lacing": rewritten(_laced(kind)) for kind in LACING},
    "another height in the index": rewritten(_with_other_height),
    "another size to be shown": rewritten(_with_shown_size),
    "tracks in another order": rewritten(_other_order),
    "tracks of other numbers": rewritten(_other_numbers),
    "no rate in the index": rewritten(_without_rate),
    "no clusters": rewritten(_without_clusters),
    "bytes behind the end": lambda data: data + b"\r\n\0\0" + b"text",
}
