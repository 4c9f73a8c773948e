import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from sora2pro.nodes.errors import VideoDecodeError
from sora2pro.nodes.media.decode import decode
from sora2pro.nodes.media.rehearsal import render
from sora2pro.nodes.media.timeline import probe
from support import clips

TESTS = Path(clips.__file__).parents[1]
WEBM_MUTATIONS = 300
MUTATIONS = 2_000


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    render(clips.photo(96, 64), path, seconds=1, frame_counter=True, mark=None)
    return path


@pytest.mark.parametrize("reader", [decode, probe])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 5000,
        b"<!DOCTYPE html><html><body>Not Found</body></html>" * 100,
        b'{"detail": "gone"}',
        b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n",
        b"GIF89a" + b"\1" * 500,
        b"RIFF\x24\x10\0\0AVI LIST" + bytes(500),
        b"\x1a\x45\xdf\xa3" + bytes(500),
        (b"\0\0\0\x08free" * 100_000),
        b"\0\0\0\x10ftypisom\0\0\0\0",
        b"\0\0\0\x01mdat\xff\xff\xff\xff\xff\xff\xff\xff",
    ],
)
def test_what_is_not_a_clip_is_an_error_with_the_path(tmp_path, content, reader):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoDecodeError) as caught:
        reader(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), os.mkfifo, lambda _: None])
def test_a_folder_a_pipe_and_nothing_are_errors_and_are_not_waited_for(tmp_path, make):
    path = tmp_path / "clip.mp4"
    make(path)
    with pytest.raises(VideoDecodeError):
        probe(path)


def test_every_length_a_download_can_stop_at_is_an_error_before_the_file_gets_its_name(clip, tmp_path):
    content, cut = clip.read_bytes(), tmp_path / "cut.mp4"
    for length in [*range(0, len(content), 97), len(content) - 1]:
        cut.write_bytes(content[:length])
        with pytest.raises(VideoDecodeError):
            probe(cut)


def test_an_index_at_the_end_that_never_came_is_an_error(clip, tmp_path):
    content = clip.read_bytes()
    start = content.index(b"moov") - 4
    length = int.from_bytes(content[start : start + 4], "big")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(content[:start] + content[start + length :])
    with pytest.raises(VideoDecodeError, match="index"):
        probe(cut)


def test_a_stretch_of_zeros_in_the_content_is_an_error_before_anything_is_decoded(clip, tmp_path):
    content = bytearray(clip.read_bytes())
    start = content.index(b"mdat") + 2000
    content[start : start + 600] = bytes(600)
    hollow = tmp_path / "hollow.mp4"
    hollow.write_bytes(content)
    with pytest.raises(VideoDecodeError):
        probe(hollow)


def test_an_index_that_would_hide_most_of_the_clip_is_an_error(clip, tmp_path):
    content = bytearray(clip.read_bytes())
    place = content.index(b"mvhd") + 16
    timescale = int.from_bytes(content[place : place + 4], "big")  # of the edit lists
    content[place : place + 4] = (525 * timescale).to_bytes(4, "big")
    hidden = tmp_path / "hidden.mp4"
    hidden.write_bytes(content)
    with pytest.raises(VideoDecodeError, match=r"1\.00 s long, but only 0\.00 s would be shown"):
        probe(hidden)


@pytest.mark.parametrize("patch", ["width and height of the sample entry", "number of frames"])
def test_a_terabyte_of_frames_is_refused_before_memory_is_taken(clip, tmp_path, patch):
    content = bytearray(clip.read_bytes())
    if patch == "number of frames":
        for table in (b"stts", b"stsz"):
            place = content.index(table) + 12
            content[place : place + 4] = b"\x7f" + b"\xff" * 3
    else:
        place = content.index(b"avc1") + 28
        content[place : place + 4] = b"\xff" * 4
        place = content.index(b"avcC") + 13  # the parameter sets, which would put the size right again
        content[place : place + 12] = bytes(12)
    absurd = tmp_path / "absurd.mp4"
    absurd.write_bytes(content)
    with pytest.raises(VideoDecodeError):
        decode(absurd)


def test_two_thousand_damaged_clips_give_an_error_or_all_frames_and_never_a_hang_a_crash_or_a_short_success(clip):
    assert_damage_is_seen(clip, MUTATIONS, [30, 64, 96, 3])


@pytest.mark.parametrize("handler", [b"vi`e", b"text", bytes(4)])
def test_frames_of_a_track_that_the_index_does_not_call_pictures_are_not_vouched_for(clip, tmp_path, handler):
    path = tmp_path / "clip.mp4"
    content = bytearray(clip.read_bytes())
    place = content.index(b"vide", content.index(b"hdlr"))
    content[place : place + 4] = handler
    path.write_bytes(content)
    for reader in (probe, decode):
        with pytest.raises(VideoDecodeError, match=r"index of its pictures cannot be read|no picture track"):
            reader(path)


def test_sound_that_should_lie_past_the_end_of_the_file_withholds_no_frame(tmp_path):
    path = tmp_path / "clip.mp4"
    tone = clips.beeps([0.1], 1)
    clips.write(path, clips.numbered(30), sound=("aac", 48000, tone, 0), movflags="+disable_chpl")
    content = bytearray(path.read_bytes())
    table = content.rindex(b"stco")
    (count,) = struct.unpack_from(">I", content, table + 8)
    content[table + 12 : table + 12 + 4 * count] = b"\x7f\xff\xff\x00" * count
    path.write_bytes(content)
    decoded = decode(path)
    assert [clips.read_frame_number(frame) for frame in decoded.frames] == list(range(30))
    assert decoded.audio["waveform"].shape[2] == 48000
    assert decoded.notes == ("The sound of the clip could not be read and is silent.",)


@pytest.mark.parametrize("codec", ["libvpx-vp9", "libsvtav1"])
def test_damaged_webm_clips_do_the_same(tmp_path, codec):
    tone = clips.beeps([0.1, 0.5], 1)
    frames = clips.numbered(24, 96, 64)
    clip = clips.write(tmp_path / "c.webm", frames, codec=codec, fps=24, sound=("libopus", 48000, tone, 0), form="webm")
    assert_damage_is_seen(clip, WEBM_MUTATIONS, [24])


def assert_damage_is_seen(clip, mutations, shape):
    ranges = [(0, mutations // 2), (mutations // 2, mutations)]
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "support.mutations", str(clip), str(first), str(last)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])},
        )
        for first, last in ranges
    ]
    results = []
    for child in children:
        out, err = child.communicate()
        assert child.returncode == 0, err[-4000:]
        results += json.loads(out)
    assert [seed for seed, *_ in results] == list(range(mutations))
    assert [result for result in results if result[2] not in ("clip", "error")] == []
    assert [result for result in results if result[2] == "clip" and result[3][: len(shape)] != shape] == []
    assert [result for result in results if result[2] == "error" and not result[3]] == []
    assert sum(result[2] == "error" for result in results) > mutations / 2
