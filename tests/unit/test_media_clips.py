"""Clips of every kind: all frames once, in order, upright, with the sound in step."""

import logging
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from sora2pro.nodes.errors import VideoDecodeError
from sora2pro.nodes.media.decode import decode
from sora2pro.nodes.media.timeline import probe
from support import clips


def numbers_of(frames):
    return [clips.read_frame_number(frame) for frame in frames]


def numbers_by_opencv(path):
    capture, numbers = cv2.VideoCapture(str(path)), []
    while True:
        is_there, frame = capture.read()
        if not is_there:
            return numbers
        numbers.append(clips.read_frame_number(frame))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "clip.mp4"


@pytest.mark.parametrize("fps", [24, 25, Fraction(30000, 1001), 30, 60])
def test_every_usual_rate_is_read_as_it_is(path, fps):
    clips.write(path, clips.numbered(int(fps)), fps=fps)
    decoded, facts = decode(path), probe(path)
    assert numbers_of(decoded.frames) == numbers_by_opencv(path) == list(range(int(fps)))
    assert decoded.fps == facts.fps == float(fps)
    assert facts.frame_count == int(fps)
    assert facts.duration_s == pytest.approx(int(fps) / fps)


@pytest.mark.parametrize("options", [{"bf": "0"}, {"bf": "3", "b_strategy": "0"}, {"g": "1"}, {"bf": "8", "refs": "8"}])
def test_reordered_frames_come_in_the_order_in_which_they_are_shown(path, options):
    clips.write(path, clips.numbered(50), options=options)
    assert numbers_of(decode(path).frames) == list(range(50))


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "options"),
    [
        ("libx265", "yuv420p", {"x265-params": "log-level=error"}),
        ("libvpx-vp9", "yuv420p", {"deadline": "realtime", "cpu-used": "8"}),
        ("libsvtav1", "yuv420p", {"preset": "8", "crf": "10"}),
        ("mpeg4", "yuv420p", {"q": "2"}),
        ("mpeg4", "yuv420p", {"bf": "2"}),
        ("libx264", "yuvj420p", {}),
    ],
)
def test_other_codecs_are_read_too(path, codec, pix_fmt, options):
    clips.write(path, clips.numbered(20), codec=codec, pix_fmt=pix_fmt, options=options)
    assert numbers_of(decode(path).frames) == list(range(20))


def test_a_variable_rate_keeps_all_frames_and_says_that_fps_is_the_average(path, caplog):
    starts = [0, 33, 66, 200, 233, 500, 533, 566, 600, 1000]
    clips.write(path, clips.numbered(10), starts=starts)
    with caplog.at_level(logging.INFO, "runcomfy.sora2pro.media"):
        decoded = decode(path)
    assert numbers_of(decoded.frames) == list(range(10))
    assert decoded.fps == pytest.approx(10 / probe(path).duration_s, rel=1e-3)
    assert "variable frame rate" in caplog.text


@pytest.mark.parametrize(("skip", "count"), [(0, 60), (10, 50), (0, 45), (7, 30), (29, 31)])
def test_an_edit_list_decides_which_frames_are_shown(path, skip, count):
    clips.write(path, clips.numbered(60), options={"bf": "3", "g": "30"})
    clips.set_edit(path, skip_s=skip / 30, seconds=count / 30)
    decoded = decode(path)
    assert numbers_of(decoded.frames) == list(range(skip, skip + count))
    assert decoded.fps == pytest.approx(30)
    assert probe(path).frame_count == count


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_rotated_clip_is_turned_upright_as_opencv_turns_it(path, degrees):
    clips.write(path, clips.numbered(5))
    lying = decode(path).frames.numpy()
    clips.set_rotation(path, degrees)
    decoded = decode(path)
    assert np.array_equal(decoded.frames.numpy(), np.rot90(lying, -degrees // 90, axes=(1, 2)))
    upright = cv2.VideoCapture(str(path)).read()[1][..., ::-1] / 255
    assert np.abs(decoded.frames[0].numpy() - upright).mean() < 0.02
    facts = probe(path)
    size = (decoded.width, decoded.height)
    assert size == (facts.width, facts.height) == ((192, 128) if degrees == 180 else (128, 192))
    assert decoded.frames.is_contiguous()


@pytest.mark.parametrize("size", [(97, 65), (98, 65), (97, 66), (65, 129)])
@pytest.mark.parametrize(("codec", "pix_fmt"), [("libvpx-vp9", "yuv420p"), ("libx264", "yuv444p")])
def test_odd_sizes_are_read_whole(path, size, codec, pix_fmt):
    frames = clips.numbered(5, *size)
    if pix_fmt == "yuv444p":
        frames = ([luma, *(np.full_like(luma, 128) for _ in range(2))] for luma, *_ in frames)
    options = {"deadline": "realtime", "cpu-used": "8"} if codec == "libvpx-vp9" else {}
    clips.write(path, frames, codec=codec, pix_fmt=pix_fmt, options=options)
    decoded = decode(path)
    assert tuple(decoded.frames.shape) == (5, size[1], size[0], 3)
    assert numbers_of(decoded.frames) == list(range(5))


def test_one_frame_is_a_clip(path):
    clips.write(path, clips.numbered(1))
    decoded = decode(path)
    assert numbers_of(decoded.frames) == [0]
    assert decoded.fps == 30
    assert decoded.audio["waveform"].shape == (1, 2, 1600)


@pytest.mark.parametrize("movflags", ["+faststart", "+empty_moov+frag_keyframe+default_base_moof", "-faststart"])
def test_the_index_may_be_in_front_behind_or_in_pieces(path, movflags):
    sound = ("aac", 48000, clips.beeps([0.5], 2), 0)
    clips.write(path, clips.numbered(60), movflags=movflags, sound=sound, options={"g": "15"})
    decoded = decode(path)
    assert numbers_of(decoded.frames) == list(range(60))
    assert clips.heard(decoded.audio["waveform"], 48000) == pytest.approx([0.5], abs=0.022)
    assert decoded.audio["waveform"].shape[2] == pytest.approx(96000, abs=1024)
    assert probe(path).has_audio


def test_a_clip_without_sound_gets_silence_of_its_length(path):
    clips.write(path, clips.numbered(75), fps=25)
    audio = decode(path).audio
    assert (tuple(audio["waveform"].shape), audio["sample_rate"]) == ((1, 2, 144000), 48000)
    assert not audio["waveform"].any()
    assert decode(path, frame_load_cap=5).audio["waveform"].shape == (1, 2, 9600)
    assert not probe(path).has_audio


@pytest.mark.parametrize(
    ("codec", "rate", "channels"),
    [("aac", 48000, 2), ("aac", 44100, 1), ("libmp3lame", 44100, 2), ("libopus", 48000, 1), ("flac", 32000, 2)],
)
def test_the_sound_keeps_its_rate_and_channels_and_is_in_step(path, codec, rate, channels):
    beeps = [0.3, 1.0, 1.7]
    clips.write(path, clips.numbered(60), sound=(codec, rate, clips.beeps(beeps, 2, rate, channels), 0))
    audio = decode(path).audio
    assert (audio["sample_rate"], audio["waveform"].shape[1]) == (rate, channels)
    assert clips.heard(audio["waveform"], rate) == pytest.approx(beeps, abs=1024 / rate)
    assert audio["waveform"].shape[2] == pytest.approx(2 * rate, abs=1152)


def test_sound_that_starts_late_is_padded_so_that_it_stays_in_step(path):
    clips.write(path, clips.numbered(60), sound=("aac", 48000, clips.beeps([0.25], 1), 0.5))
    audio = decode(path).audio
    assert clips.heard(audio["waveform"], 48000) == pytest.approx([0.75], abs=1024 / 48000)


def test_sound_from_before_the_first_shown_frame_is_cut_off(path):
    clips.write(path, clips.numbered(60), sound=("aac", 48000, clips.beeps([0.2, 1.5], 2), 0), options={"bf": "0"})
    clips.set_edit(path, skip_s=0.5, seconds=1.5)
    clips.set_edit(path, skip_s=0.5, seconds=1.5, number=1)
    decoded = decode(path)
    assert numbers_of(decoded.frames) == list(range(15, 60))
    assert clips.heard(decoded.audio["waveform"], 48000) == pytest.approx([1.0], abs=1024 / 48000)


def test_a_cap_cuts_the_sound_where_the_frames_end(path):
    clips.write(path, clips.numbered(60), sound=("aac", 48000, clips.beeps([0.2, 1.5], 2), 0))
    decoded = decode(path, frame_load_cap=30)
    assert clips.heard(decoded.audio["waveform"], 48000) == pytest.approx([0.2], abs=1024 / 48000)
    assert decoded.audio["waveform"].shape[2] == 48000


def test_a_file_with_sound_alone_is_an_error(path):
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48000, layout="stereo")
        samples = np.zeros((2, 48000), np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        frame.sample_rate = 48000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(VideoDecodeError, match="picture"):
        decode(path)
