"""Clips that are unusual and whole are read as FFmpeg reads them; what is not whole is said in words."""

import logging
import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from sora2pro.nodes.errors import VideoDecodeError
from sora2pro.nodes.media.colour import remarks
from sora2pro.nodes.media.decode import decode
from sora2pro.nodes.media.packets import unit_format
from sora2pro.nodes.media.thumbnail import write_thumbnail
from sora2pro.nodes.media.timeline import probe
from support import clips
from support.mp4_edits import box, changed, patched, rewrite, samples, split

ONES = b"\xff" * 4
ZEROS = bytes(4)
PLAIN = "+disable_chpl"  # with the index at the end


@pytest.fixture
def path(tmp_path):
    return tmp_path / "clip.mp4"


@pytest.fixture
def clip(path):
    """30 frames at 30 fps and a second of sound; the index stands at the end."""
    tone = clips.beeps([0.1, 0.5, 0.8], 1)
    return clips.write(path, clips.numbered(30), sound=("aac", 48000, tone, 0), movflags=PLAIN, options={"g": "10"})


def numbers_of(path):
    return [clips.read_frame_number(frame) for frame in decode(path).frames]


def assert_whole(path, count=30):
    assert probe(path).frame_count == count
    assert numbers_of(path) == list(range(count))


def without(unwanted):
    return lambda kind, content: b"" if kind == unwanted else box(kind, content)


def twice(wanted):
    return lambda kind, content: box(kind, content) * (2 if kind == wanted else 1)


def terminated(wanted):
    return lambda kind, content: box(kind, content + (ZEROS if kind == wanted else b""))


@pytest.mark.parametrize(
    "change",
    [
        patched(b"mvhd", 16, ONES),
        patched(b"mvhd", 16, ZEROS),
        patched(b"tkhd", 20, ONES),
        patched(b"tkhd", 20, ZEROS),
        patched(b"mdhd", 16, ONES),
        patched(b"mdhd", 16, ZEROS),
        *(patched(*field, b"\x7f" + b"\xff" * 3) for field in ((b"mvhd", 16), (b"tkhd", 20), (b"mdhd", 16))),
        without(b"elst"),
        without(b"edts"),
        patched(b"mvhd", 12, ZEROS),
        lambda kind, content: box(kind, b"" if kind == b"elst" else content),
        twice(b"edts"),
        twice(b"elst"),
        twice(b"udta"),
        twice(b"stss"),
        *(terminated(kind) for kind in (b"moov", b"trak", b"udta", b"stbl", b"edts")),
    ],
)
def test_an_index_that_is_unusual_and_harmless_is_read(clip, change):
    rewrite(clip, change)
    assert probe(clip).frame_count == 30
    assert len(decode(clip).frames) == 30


@pytest.mark.parametrize(
    "more",
    [b"\r\n", b"\0", bytes(5000), b"text behind the clip", struct.pack(">I4s", 4096, b"free") + bytes(100), ONES * 9],
)
def test_bytes_behind_the_last_box_and_a_last_box_that_claims_more_are_passed_over(clip, more):
    clip.write_bytes(clip.read_bytes() + more)
    assert_whole(clip)


@pytest.mark.parametrize("kind", [b"\1\2\3\4", ZEROS, b"\x7fabc"])
def test_a_box_of_an_unknown_kind_between_the_others_is_passed_over(clip, kind):
    *others, (moov, index) = split(clip.read_bytes())
    assert moov == b"moov"
    clip.write_bytes(b"".join(box(*each) for each in [*others, (kind, bytes(40)), (moov, index)]))
    assert_whole(clip)


@pytest.mark.parametrize("options", [{"bf": "0"}, {"bf": "2"}])
def test_an_edit_list_of_two_parts_that_adjoin_shows_every_frame(path, options):
    clips.write(path, clips.numbered(30), options={"g": "30", **options}, movflags=PLAIN)
    content = path.read_bytes()
    timescale = struct.unpack_from(">I", content, content.index(b"mdhd") + 16)[0]
    length, begin, rate = struct.unpack_from(">IiI", content, content.index(b"elst") + 12)
    halves = [(length // 2, begin, rate), (length // 2, begin + timescale // 2, rate)]
    listed = struct.pack(">II", 0, 2) + b"".join(struct.pack(">IiI", *half) for half in halves)
    rewrite(path, lambda kind, inner: box(kind, listed if kind == b"elst" else inner))
    assert_whole(path)


@pytest.mark.parametrize(("claimed", "is_whole"), [(8, True), (4096, True), (-1, False)])
def test_content_that_runs_past_the_end_is_refused_only_where_samples_lie_there(path, claimed, is_whole):
    clips.write(path, clips.numbered(30))
    content = bytearray(path.read_bytes())
    place = content.index(b"mdat") - 4
    size = struct.unpack_from(">I", content, place)[0]
    if is_whole:
        content[place : place + 4] = struct.pack(">I", size + claimed)
    else:
        del content[claimed:]
    path.write_bytes(content)
    if is_whole:
        assert_whole(path)
    else:
        with pytest.raises(VideoDecodeError, match="cut off: 1 more bytes should follow"):
            decode(path)


def test_a_cover_before_the_tracks_is_not_the_film(clip, tmp_path):
    plain = np.asarray(decode(clip).frames[0])
    codec = av.CodecContext.create("mjpeg", "w")
    codec.width = codec.height = 64
    codec.pix_fmt, codec.time_base = "yuvj420p", Fraction(1, 1)
    frame = clips.video_frame([np.full((side, side), 60, np.uint8) for side in (64, 32, 32)], "yuvj420p")
    frame.pts = 0
    jpeg = b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)])
    handler = box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    covers = box(b"ilst", box(b"covr", box(b"data", struct.pack(">II", 13, 0) + jpeg)))
    cover = box(b"udta", box(b"meta", ZEROS + handler + covers))

    def put_first(kind, content):
        return box(kind, cover + content if kind == b"moov" else content) if kind != b"udta" else b""

    rewrite(clip, put_first)
    assert_whole(clip)
    write_thumbnail(clip, tmp_path / "thumbnail.jpg")
    with av.open(str(tmp_path / "thumbnail.jpg")) as picture:
        small = next(picture.decode(video=0)).to_ndarray(format="rgb24") / 255
    assert np.abs(small - plain).mean() < 0.03


@pytest.mark.parametrize("zeros", [1, 2, 3, 8, 1000])
def test_zeros_behind_a_nal_unit_are_not_a_hole_and_zeros_in_a_slice_are(zeros):
    is_blank = unit_format("h264", b"\x01\x64\x00\x0a\xff").is_blank

    def packet(*units):
        return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)

    one, other = b"\x09\xf0" + bytes(zeros), b"\x65" + b"\x88\x11" * 20
    assert not is_blank(packet(one, b"\x06\x05\x01a\x80", other))
    assert not is_blank(packet(other + bytes(zeros), other))
    assert is_blank(packet(other + bytes(4) + b"\x01", other))
    assert is_blank(packet(other)[:-1])
    assert is_blank(packet(other) + bytes(8))


def test_frames_that_are_shown_at_one_time_are_all_delivered_in_order(path):
    clips.write(path, clips.numbered(12), options={"bf": "0"}, movflags=PLAIN)

    def two_at_once(kind, content):
        if kind == b"stts":
            step = struct.unpack_from(">I", content, 12)[0]
            content = struct.pack(">II6I", 0, 3, 5, step, 1, 0, 6, step)
        return box(kind, content)

    rewrite(path, two_at_once)
    assert_whole(path, 12)


def as_stored(picture):
    return picture


MATRICES = {
    "hflip": ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
    "vflip": ((1, 0, 0, -1), lambda p: p[::-1]),
    "transpose": ((0, 1, 1, 0), lambda p: p.swapaxes(0, 1)),
    "transverse": ((0, -1, -1, 0), lambda p: p.swapaxes(0, 1)[::-1, ::-1]),
    "right": ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
    "left": ((0, -1, 1, 0), np.rot90),
    "half": ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
    "flat": ((0, 0, 0, 0), as_stored),
}


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("header", [(b"tkhd", 40), (b"mvhd", 36)])
def test_a_matrix_turns_and_mirrors_exactly(path, name, header):
    clips.write(path, clips.numbered(3), movflags=PLAIN)
    stored = np.asarray(decode(path).frames[1])
    (a, b, c, d), expected = MATRICES[name]
    matrix = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    rewrite(path, patched(*header, matrix))
    decoded = decode(path)
    assert np.array_equal(decoded.frames[1], expected(stored))
    assert (probe(path).width, probe(path).height) == (decoded.width, decoded.height)


def test_an_odd_angle_is_left_as_it_is_stored_and_said(path, caplog):
    clips.write(path, clips.numbered(3), movflags=PLAIN)
    stored = np.asarray(decode(path).frames)
    matrix = struct.pack(">9i", 46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30)
    rewrite(path, patched(b"tkhd", 40, matrix))
    with caplog.at_level(logging.INFO, "runcomfy.sora2pro.media"):
        assert np.array_equal(decode(path).frames, stored)
    assert "marked for rotation by 45 degrees, but is delivered unrotated" in caplog.text


@pytest.mark.parametrize(
    ("matrix", "transfer", "primaries", "word"),
    [(8, 1, 1, "YCgCo"), (1, 16, 1, "PQ"), (1, 18, 1, "HLG"), (9, 1, 9, "BT.2020")],
)
def test_colours_that_are_not_converted_are_named(matrix, transfer, primaries, word):
    assert word in " ".join(remarks(matrix, transfer, primaries))
    assert remarks(1, 1, 1) == remarks(2, 2, 2) == []


def test_a_broken_frame_is_named_by_its_number_counted_from_one(path):
    clips.write(path, clips.numbered(30), options={"bf": "0", "g": "1"}, movflags=PLAIN)
    content = bytearray(path.read_bytes())
    place, size = samples(path)[16]
    content[place + 4 : place + size] = b"\xff" * (size - 4)
    path.write_bytes(content)
    with pytest.raises(VideoDecodeError, match=r"^Frame 17 of 30 is broken\.") as caught:
        decode(path)
    assert str(path) in str(caught.value)


def test_pictures_that_are_broken_do_not_withhold_the_sound(clip):
    content = bytearray(clip.read_bytes())
    for place, size in samples(clip)[10:]:
        content[place : place + size] = bytes(size)
    clip.write_bytes(content)
    with pytest.raises(VideoDecodeError, match="Frame 11 of 30 is broken"):
        decode(clip)
    audio = decode(clip, with_frames=False).audio
    assert clips.heard(audio["waveform"], 48000) == pytest.approx([0.1, 0.5, 0.8], abs=0.03)


def test_an_encrypted_clip_and_an_unknown_format_are_named(clip):
    original = clip.read_bytes()
    clip.write_bytes(original.replace(b"avc1" + bytes(6), b"encv" + bytes(6)))
    with pytest.raises(VideoDecodeError, match="encrypted"):
        decode(clip)
    clip.write_bytes(original.replace(b"avc1" + bytes(6), b"zzz1" + bytes(6)))
    with pytest.raises(VideoDecodeError, match="format 'zzz1', which PyAV does not know"):
        decode(clip)
    assert decode(clip, with_frames=False).audio["waveform"].shape[2] >= 48000


FRAGMENTED = "+frag_keyframe+empty_moov+default_base_moof"


def fragmented(path, movflags=FRAGMENTED):
    return clips.write(path, clips.numbered(40), options={"g": "10", "bf": "0"}, movflags=movflags)


@pytest.mark.parametrize(
    "movflags", [FRAGMENTED, "+frag_keyframe", "+dash+global_sidx", "+frag_every_frame+empty_moov", "+cmaf"]
)
def test_fragmented_clips_are_whole(path, movflags):
    assert_whole(fragmented(path, movflags), 40)


@pytest.mark.parametrize("lost", [1, 2])
def test_a_fragment_in_the_middle_or_at_the_end_that_is_lost_is_an_error(path, lost):
    boxes = split(fragmented(path).read_bytes())
    moofs = [number for number, (kind, _) in enumerate(boxes) if kind == b"moof"]
    gone = {moofs[lost], moofs[lost] + 1}
    for with_list in (True, False):
        kept = [each for n, each in enumerate(boxes) if n not in gone and (with_list or each[0] != b"mfra")]
        path.write_bytes(b"".join(box(*each) for each in kept))
        for reader in (probe, decode):
            with pytest.raises(VideoDecodeError, match=r"parts|part of its picture track is missing"):
                reader(path)


@pytest.mark.parametrize("tells", ["mehd", "sidx", "tfra"])
def test_the_last_fragment_that_is_lost_is_an_error_where_anything_tells_of_it(path, tells):
    boxes = split(fragmented(path, "+dash+global_sidx" if tells == "sidx" else FRAGMENTED).read_bytes())
    last = [number for number, (kind, _) in enumerate(boxes) if kind == b"moof"][-1]
    kept = [
        each for n, each in enumerate(boxes) if n not in {last, last + 1} and (tells == "tfra" or each[0] != b"mfra")
    ]
    content = b"".join(box(*each) for each in kept)
    if tells == "mehd":
        mehd = box(b"mehd", struct.pack(">II", 0, 1333))
        content = changed(content, lambda kind, inner: box(kind, mehd + inner if kind == b"mvex" else inner))
    path.write_bytes(content)
    with pytest.raises(VideoDecodeError):
        probe(path)


def test_a_clip_that_lost_half_of_its_pictures_and_none_of_its_sound_is_an_error(path):
    sound = ("aac", 48000, clips.beeps([0.5], 4), 0)
    clips.write(path, clips.numbered(60), sound=sound, movflags=PLAIN)
    with pytest.raises(VideoDecodeError, match=r"4\.0. s of sound, but only 2\.00 s of pictures"):
        probe(path)
