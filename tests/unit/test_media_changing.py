"""Clips whose pictures or sound change on the way, that mark a part of the picture, or that were cut out of another one."""

import logging
import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from sora2pro.nodes.errors import VideoDecodeError
from sora2pro.nodes.media.decode import decode
from sora2pro.nodes.media.timeline import probe
from support import clips, colours
from support.mp4_edits import box, rewrite, samples

RATE = 48000
TICK = Fraction(1, 30)
PLAIN = "+disable_chpl"  # with the index at the end
LOG = "runcomfy.sora2pro.media"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "clip.mp4"


def numbers_of(path, **chosen):
    return [clips.read_frame_number(frame) for frame in decode(path, **chosen).frames]


def jpegs(numbers, times_larger):
    codec = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = 192 * times_larger, 128 * times_larger, "yuvj420p", TICK
    for number, planes in enumerate(clips.numbered(numbers.stop)):
        frame = clips.video_frame([np.kron(p, np.ones((times_larger,) * 2, p.dtype)) for p in planes], "yuvj420p")
        frame.pts, frame.time_base = number, TICK
        if number in numbers:
            yield from codec.encode(frame)
    yield from codec.encode(None)


def test_frames_of_another_size_are_scaled_to_the_first_and_said(path, caplog):
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = 192, 128, "yuvj420p"
        for packet in [*jpegs(range(6), 1), *jpegs(range(6, 12), 2)]:
            packet.stream = stream
            out.mux(packet)
    with caplog.at_level(logging.INFO, LOG):
        decoded = decode(path)
    assert decoded.frames.shape == (12, 128, 192, 3)
    assert [clips.read_frame_number(frame) for frame in decoded.frames] == list(range(12))
    assert "Frame 7 of clip.mp4 has another size and is scaled." in caplog.text


def mp3(rate, layout, tone, start_s):
    codec = av.CodecContext.create("libmp3lame", "w")
    codec.rate, codec.layout, codec.format = rate, layout, "fltp"
    codec.time_base = Fraction(1, rate)
    frame = clips._audio_frame(rate, tone, 0)
    for packet in [*codec.encode(frame), *codec.encode(None)]:
        seconds = start_s + max(0, packet.pts) / rate
        packet.time_base = Fraction(1, 90000)
        packet.pts = packet.dts = round(seconds * 90000)
        yield packet


@pytest.mark.parametrize("second", [(48000, "mono", 1), (32000, "stereo", 2), (44100, "stereo", 2)])
def test_sound_that_changes_its_form_stays_in_step_and_keeps_the_first_form(path, second):
    rate, layout, channels = second
    with av.open(str(path), "w", format="mp4") as out:
        video = out.add_stream("libx264", rate=12)
        video.width, video.height, video.pix_fmt = 192, 128, "yuv420p"
        sound = out.add_stream("libmp3lame", rate=RATE, layout="stereo")
        for number, planes in enumerate(clips.numbered(24)):
            frame = clips.video_frame(planes, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 12)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        before = [each for each in mp3(RATE, "stereo", clips.beeps([0.3], 1.2), 0) if each.pts < 90000]
        for packet in [*before, *mp3(rate, layout, clips.beeps([0.3], 0.9, rate, channels), 1.0)]:
            packet.stream = sound
            out.mux(packet)
    decoded = decode(path)
    assert (decoded.audio["sample_rate"], decoded.audio["waveform"].shape[1]) == (RATE, 2)
    assert clips.heard(decoded.audio["waveform"], RATE) == pytest.approx([0.3, 1.3], abs=0.06)


def write_with_pcm(path, layout, channels):
    with av.open(str(path), "w", format="mov") as out:
        video = out.add_stream("libx264", rate=12)
        video.width, video.height, video.pix_fmt = 192, 128, "yuv420p"
        sound = out.add_stream("pcm_s16le", rate=RATE, layout=layout)
        for number, planes in enumerate(clips.numbered(24)):
            frame = clips.video_frame(planes, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 12)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        tone = np.int16(clips.beeps([0.5, 1.5], 2, channels=1)[0] * 20000)
        frame = av.AudioFrame.from_ndarray(np.repeat(tone, channels)[None], format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        out.mux([*sound.encode(frame), *sound.encode(None)])


@pytest.mark.parametrize(
    ("layout", "channels", "heard"),
    [
        ("5.1", 6, 6),
        ("6.1", 7, 7),
        ("7.1", 8, 8),
        ("hexadecagonal", 16, 2),
        ("9 channels", 9, 2),
        ("11 channels", 11, 2),
    ],
)
def test_many_channels_are_heard_at_their_own_loudness_whatever_their_layout(tmp_path, layout, channels, heard):
    """A layout in an unusual order, as QuickTime files hold it, has ended the process."""
    path = tmp_path / "clip.mov"
    write_with_pcm(path, layout, channels)
    for _ in range(3):
        decoded = decode(path)
    waveform = decoded.audio["waveform"]
    assert waveform.shape == (1, heard, 2 * RATE)
    assert clips.heard(waveform, RATE) == pytest.approx([0.5, 1.5], abs=0.03)
    assert waveform.abs().amax(dim=2)[0].tolist() == pytest.approx([0.5 * 20000 / 32768] * heard, abs=0.01)
    assert decoded.notes == ()


def without_their_beginning(path, codec, options):
    """A clip of 24 frames in open groups of 6, from the second group on."""
    whole = path.with_name("whole.mp4")
    clips.write(whole, clips.numbered(24), codec=codec, options=options, movflags=PLAIN)
    with av.open(str(whole)) as source, av.open(str(path), "w", format="mp4", options={"use_editlist": "0"}) as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        start = [number for number, packet in enumerate(packets) if packet.is_keyframe][1]
        for packet in packets[start:]:
            packet.stream = stream
            out.mux(packet)


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"g": "6", "bf": "2", "x264-params": "open-gop=1:b-adapt=0:scenecut=0"}),
        ("libx265", {"x265-params": "log-level=error:keyint=6:min-keyint=6:bframes=2:b-adapt=0:open-gop=1:scenecut=0"}),
    ],
)
def test_pictures_that_refer_to_what_was_cut_off_are_left_out_as_players_leave_them_out(path, codec, options):
    without_their_beginning(path, codec, options)
    with av.open(str(path)) as container:
        shown = len(list(container.decode(video=0)))
    numbers = numbers_of(path)
    assert shown < len(samples(path))
    assert numbers == list(range(24 - shown, 24))
    assert probe(path).frame_count == shown


@pytest.mark.parametrize(("chosen", "numbers"), [({"frame_load_cap": 10}, range(10)), ({"select_every_nth": 40}, [0])])
def test_a_broken_frame_behind_the_last_wanted_one_does_not_withhold_the_others(path, chosen, numbers):
    clips.write(path, clips.numbered(30), options={"bf": "2", "g": "10"}, movflags=PLAIN)
    content = bytearray(path.read_bytes())
    place, size = samples(path)[22]
    content[place : place + size] = bytes(size)
    path.write_bytes(content)
    assert numbers_of(path, **chosen) == list(numbers)
    for more in ({}, {"frame_load_cap": 29}, {"select_every_nth": 2}):
        with pytest.raises(VideoDecodeError, match="of 30 is broken"):
            decode(path, **more)
    with pytest.raises(VideoDecodeError, match="of 30 is broken"):
        probe(path)


def test_a_cap_does_not_excuse_a_file_that_is_cut_off(path):
    clips.write(path, clips.numbered(30))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(VideoDecodeError, match="cut off"):
        decode(path, frame_load_cap=2)


def test_pixels_that_are_not_square_are_delivered_as_stored_and_said(path, caplog):
    with av.open(str(path), "w", format="mp4") as out:
        video = out.add_stream("libx264", rate=12)
        video.width, video.height, video.pix_fmt = 192, 128, "yuv420p"
        video.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for planes in clips.numbered(3):
            out.mux(video.encode(clips.video_frame(planes, "yuv420p")))
        out.mux(video.encode(None))
    with caplog.at_level(logging.INFO, LOG):
        decoded = decode(path)
    assert (decoded.width, decoded.height) == (192, 128)
    assert "Its pixels are not square (4:3)" in caplog.text


def test_a_part_that_is_marked_as_the_one_to_show_is_said_and_the_whole_is_delivered(path, caplog):
    clips.write(path, clips.numbered(3), movflags=PLAIN)
    clap = box(b"clap", struct.pack(">8I", 100, 1, 100, 1, 0, 1, 0, 1))

    def add(kind, content):
        if kind == b"stsd":
            entry = content[8:] + clap
            content = content[:8] + struct.pack(">I", len(entry)) + entry[4:]
        return box(kind, content)

    rewrite(path, add)
    with caplog.at_level(logging.INFO, LOG):
        decoded = decode(path)
    assert decoded.frames.shape == (3, 128, 192, 3)
    assert "(clap)" in caplog.text


@pytest.mark.parametrize(("left", "top"), [(6, 4), (32, 0), (2, 18)])
def test_what_the_codec_crops_on_the_left_and_at_the_top_is_cut_off_exactly(path, left, top):
    whole = path.with_name("whole.mp4")
    clips.write(whole, clips.numbered(6), options={"bf": "0"}, movflags=PLAIN)
    with av.open(str(whole)) as source, av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        crop = av.bitstream.BitStreamFilterContext(
            f"h264_metadata=crop_left={left}:crop_top={top}", source.streams.video[0], stream
        )
        for packet in source.demux(video=0):
            for changed in crop.filter(packet if packet.size else None):
                changed.stream = stream
                out.mux(changed)
    expected = decode(whole).frames[:, top:, left:]
    decoded = decode(path)
    assert decoded.frames.shape == expected.shape
    assert np.array_equal(decoded.frames[:, 2:, 2:], expected[:, 2:, 2:])
    assert (probe(path).width, probe(path).height) == (decoded.width, decoded.height)


def test_pictures_with_opacity_have_exactly_the_colours_that_their_planes_say(path):
    random = np.random.default_rng(2)
    planes = [random.integers(64, 940, (64, 96)).astype(np.uint16) for _ in range(4)]
    with av.open(str(path), "w", format="mov") as out:
        video = out.add_stream("prores_ks", rate=12, options={"profile": "4444"})
        video.width, video.height, video.pix_fmt = 96, 64, "yuva444p10le"
        out.mux([*video.encode(clips.video_frame(planes, "yuva444p10le")), *video.encode(None)])
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        assert frame.format.name.startswith("yuva")
        stored = [np.frombuffer(plane, "<u2").reshape(64, -1)[:, :96] for plane in list(frame.planes)[:3]]
        bits = frame.format.components[0].bits
    expected = colours.reference(stored, 0.299, 0.114, bits, is_full=False)
    assert np.abs(decode(path).frames[0].numpy() - expected).max() * 255 < 0.05
