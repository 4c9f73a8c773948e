"""WebM and Matroska clips are read as FFmpeg reads them: every frame, in its colours, with the sound in step."""

import shutil
import subprocess

import av
import numpy as np
import pytest
from sora2pro.nodes.errors import VideoDecodeError
from sora2pro.nodes.media.decode import decode
from sora2pro.nodes.media.thumbnail import write_thumbnail
from sora2pro.nodes.media.timeline import probe
from support import clips

COUNT, FPS = 48, 24
CLUSTER = b"\x1f\x43\xb6\x75"
KINDS = {
    "vp8": ("libvpx", "yuv420p", "libopus", {}),
    "vp9": ("libvpx-vp9", "yuv420p", "libopus", {}),
    "av1": ("libsvtav1", "yuv420p", "libopus", {"preset": "10"}),
    "av1 10 bit": ("libsvtav1", "yuv420p10le", None, {"preset": "10"}),
}


def frames_of(pix_fmt):
    for planes in clips.numbered(COUNT):
        yield tuple(plane.astype(np.uint16) << 2 for plane in planes) if "10" in pix_fmt else planes


def written(path, kind, *, form="webm", fps=FPS):
    codec, pix_fmt, sound, options = KINDS[kind]
    tone = clips.beeps([0.2, 0.5, 0.7], COUNT / fps)
    heard = sound and (sound, 48000, tone, 0)
    return clips.write(
        path, frames_of(pix_fmt), codec=codec, pix_fmt=pix_fmt, fps=fps, options=options, sound=heard, form=form
    )


def ffmpeg(*arguments):
    command = [shutil.which("ffmpeg"), "-v", "error", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def numbers_of(path):
    return [clips.read_frame_number(frame) for frame in decode(path).frames]


@pytest.fixture
def clip(tmp_path):
    return written(tmp_path / "clip.webm", "vp9")


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_is_there_once_at_the_rate_that_is_stated(tmp_path, kind):
    path = written(tmp_path / "clip.webm", kind)
    facts = probe(path)
    assert (facts.frame_count, facts.fps, facts.has_audio) == (COUNT, FPS, KINDS[kind][2] is not None)
    assert numbers_of(path) == list(range(COUNT))
    assert decode(path, select_every_nth=2, frame_load_cap=5).fps == FPS / 2


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "vp8"])
def test_its_colours_are_those_of_the_same_pictures_in_mp4(tmp_path, kind):
    path = written(tmp_path / "clip.webm", kind)
    ffmpeg("-i", path, "-map", "0:v", "-c", "copy", tmp_path / "clip.mp4")
    assert np.array_equal(decode(path).frames, decode(tmp_path / "clip.mp4").frames)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind][2]])
def test_its_sound_is_the_one_that_ffmpeg_plays_and_is_in_step(tmp_path, kind):
    path = written(tmp_path / "clip.webm", kind)
    with av.open(str(path)) as container:
        late = next(container.demux(video=0)).pts / 1000
    played = np.frombuffer(ffmpeg("-i", path, "-f", "f32le", "-ar", 48000, "-"), np.float32).reshape(-1, 2).T
    sound = decode(path).audio["waveform"][0].numpy()
    length = min(played.shape[1] - round(late * 48000), sound.shape[1])
    assert abs(sound.shape[1] - COUNT / FPS * 48000) <= 48 * 2
    assert length > COUNT / FPS * 48000 - 2000
    assert np.abs(sound[:, :length] - played[:, round(late * 48000) :][:, :length]).max() < 1e-6


@pytest.mark.parametrize("rate", [24, 30, 50, 60, 23.976])
def test_its_rate_is_not_blurred_by_times_in_milliseconds(tmp_path, rate):
    fps = probe(written(tmp_path / "clip.webm", "vp9", fps=rate)).fps
    assert fps == pytest.approx(rate, abs=0.001)


def test_a_live_stream_whose_parts_do_not_state_their_length_is_read(clip, tmp_path):
    live = tmp_path / "live.webm"
    live.write_bytes(ffmpeg("-i", clip, "-c", "copy", "-f", "webm", "-live", 1, "-cluster_time_limit", 500, "-"))
    content, place, count = bytearray(live.read_bytes()), 0, 0
    while (place := content.find(CLUSTER, place) + 4) > 3:
        width = 9 - content[place].bit_length()
        # All ones are a length that is not known (RFC 8794, 6.2).
        content[place : place + width] = ((1 << 7 * width + 1) - 1).to_bytes(width, "big")
        count += 1
    assert count > 1
    live.write_bytes(content)
    assert numbers_of(live) == list(range(COUNT))


def test_a_matroska_file_and_bytes_behind_the_end_are_read(clip, tmp_path):
    ffmpeg("-i", clip, "-c", "copy", tmp_path / "clip.mkv")
    assert numbers_of(tmp_path / "clip.mkv") == list(range(COUNT))
    clip.write_bytes(clip.read_bytes() + b"\r\n\0\0")
    assert numbers_of(clip) == list(range(COUNT))


def test_frames_have_the_size_they_were_coded_in_whatever_the_index_says(tmp_path):
    path = written(tmp_path / "clip.webm", "vp8")
    expected = decode(path).frames
    content = bytearray(path.read_bytes())
    # PixelHeight, of two bytes or one (RFC 9559, 5.1.4.1.28.7)
    place = next(place for size in (b"\x82\x00", b"\x81") if (place := content.find(b"\xba" + size)) > 0)
    content[place + content[place + 1] - 0x80 + 1] += 2
    path.write_bytes(content)
    clip = decode(path)
    assert np.array_equal(clip.frames, expected)
    assert (clip.width, clip.height) == (192, 128)


def test_sound_from_before_the_picture_is_cut_to_the_sample(clip, tmp_path):
    late = tmp_path / "late.webm"
    ffmpeg("-itsoffset", "0.1", "-i", clip, "-i", clip, "-map", "0:v", "-map", "1:a", "-c", "copy", late)
    with av.open(str(late)) as container:
        cut = container.streams.video[0].start_time * 48  # milliseconds
    played = np.frombuffer(ffmpeg("-i", late, "-map", "0:a", "-f", "f32le", "-"), np.float32).reshape(-1, 2).T
    sound = decode(late).audio["waveform"][0].numpy()
    assert cut > 4000
    length = min(sound.shape[1], played.shape[1] - cut)
    assert np.abs(sound[:, :length] - played[:, cut:][:, :length]).max() < 1e-6


def test_a_picture_that_others_only_refer_to_is_not_a_missing_frame(tmp_path):
    path = written(tmp_path / "clip.webm", "vp8")
    with av.open(str(path)) as container:
        packet = bytes([packet for packet in container.demux(video=0) if packet.size][10])
    content = bytearray(path.read_bytes())
    content[content.index(packet[:64])] &= 0xEF  # show_frame
    path.write_bytes(content)
    assert numbers_of(path) == [number for number in range(COUNT) if number != 10]


@pytest.mark.parametrize("is_piped", [False, True])
def test_a_file_that_was_cut_off_anywhere_is_never_a_short_success(clip, tmp_path, is_piped):
    content = ffmpeg("-i", clip, "-c", "copy", "-f", "webm", "-") if is_piped else clip.read_bytes()
    cut = tmp_path / "cut.webm"
    for place in range(5, content.rindex(CLUSTER) + 40, len(content) // 60):
        cut.write_bytes(content[:place])
        with pytest.raises(VideoDecodeError):
            probe(cut)


def test_pictures_that_end_long_before_the_sound_are_not_a_whole_clip(clip, tmp_path):
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "sine=duration=8",
        "-i",
        clip,
        "-map",
        "1:v",
        "-map",
        "0:a",
        "-c:v",
        "copy",
        tmp_path / "c.webm",
    )
    with pytest.raises(VideoDecodeError, match=r"s of sound, but only 2\.00 s of pictures"):
        probe(tmp_path / "c.webm")


@pytest.mark.parametrize("content", [b"", bytes(500), b"\xff" * 500, b"\x18\x53\x80\x67\x08" + b"\xff" * 90])
def test_what_only_begins_like_one_is_refused(tmp_path, content):
    path = tmp_path / "clip.webm"
    path.write_bytes(b"\x1a\x45\xdf\xa3" + content)
    with pytest.raises(VideoDecodeError):
        decode(path)


def test_it_has_a_thumbnail(clip, tmp_path):
    write_thumbnail(clip, tmp_path / "small.jpg")
    assert (tmp_path / "small.jpg").stat().st_size > 1000
