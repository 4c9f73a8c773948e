"""Sound that is late, short, broken or strange: the frames come all the same, and silence stands for what is missing."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from sora2pro.nodes.media.decode import decode
from sora2pro.nodes.media.timeline import probe
from support import clips
from support.mp4_edits import box, rewrite

RATE = 48000
PLAIN = "+disable_chpl"  # with the index at the end


@pytest.fixture
def path(tmp_path):
    return tmp_path / "clip.mp4"


def with_sound(path, beeps=(0.2, 1.0, 1.7), seconds=2, start=0, codec="aac"):
    tone = clips.beeps(beeps, seconds)
    return clips.write(path, clips.numbered(24), fps=12, sound=(codec, RATE, tone, start), movflags=PLAIN)


def packets(path):
    with av.open(str(path)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size]


def overwrite(path, places, value=b"\xff"):
    content = bytearray(path.read_bytes())
    for place, size in places:
        content[place : place + size] = value * size
    path.write_bytes(content)


@pytest.mark.parametrize(("cap", "samples"), [(1, 4000), (8, 32000), (17, 68000), (18, 72000), (0, 96000)])
def test_sound_that_begins_late_is_silence_of_the_frames_time_until_then(path, cap, samples):
    with_sound(path, beeps=[0.1], seconds=0.5, start=1.5)
    decoded = decode(path, frame_load_cap=cap)
    assert decoded.audio["waveform"].shape == (1, 2, samples)
    assert clips.heard(decoded.audio["waveform"], RATE) == ([] if cap else pytest.approx([1.6], abs=0.03))
    assert decoded.notes == ()


def test_sound_that_ends_early_is_followed_by_silence(path):
    with_sound(path, beeps=[0.2], seconds=0.5)
    decoded = decode(path)
    assert decoded.audio["waveform"].shape == (1, 2, 96000)
    assert decoded.notes == ()


def test_an_empty_sound_track_is_silence_of_the_frames_time(path):
    with_sound(path)
    seen = []

    def empty(kind, content):
        if kind == b"trak":
            seen.append(kind)
            if len(seen) == 2:
                return emptied(content)
        return box(kind, content)

    def emptied(content):
        for kind, length in ((b"stts", 8), (b"stsc", 8), (b"stco", 8), (b"stsz", 12)):
            place = content.index(kind) + 4
            content = content[:place] + bytes(length) + content[place + length :]
        return box(b"trak", content)

    rewrite(path, empty)
    decoded = decode(path)
    assert decoded.frame_count == 24
    assert decoded.audio["waveform"].shape == (1, 2, 96000)
    assert not decoded.audio["waveform"].any()
    assert not probe(path).has_audio


@pytest.mark.parametrize(("broken", "said"), [(1, "0.02"), (5, "0.11")])
def test_a_broken_packet_is_silence_for_its_own_time_and_said(path, broken, said):
    with_sound(path)
    overwrite(path, packets(path)[30 : 30 + broken])
    decoded = decode(path)
    assert decoded.frame_count == 24
    assert decoded.audio["waveform"].shape == (1, 2, 96000)
    assert clips.heard(decoded.audio["waveform"], RATE) == pytest.approx([0.2, 1.0, 1.7], abs=0.03)
    assert decoded.notes == (f"{said} s of the sound could not be read and are silent.",)


def test_sound_of_which_nothing_can_be_read_is_silence_and_said(path):
    with_sound(path)
    overwrite(path, packets(path))
    decoded = decode(path)
    assert decoded.frame_count == 24
    assert decoded.audio["waveform"].shape == (1, 2, 96000)
    assert not decoded.audio["waveform"].any()
    assert "could not be read" in " ".join(decoded.notes)


@pytest.mark.parametrize(("name", "word"), [(b"zzz1", "format 'zzz1'"), (b"enca", "encrypted")])
def test_sound_in_an_unknown_format_or_encrypted_is_silence_and_named(path, name, word):
    with_sound(path)
    path.write_bytes(path.read_bytes().replace(b"mp4a" + bytes(6), name + bytes(6)).replace(b"esds", b"skip"))
    decoded = decode(path)
    assert decoded.frame_count == 24
    assert decoded.audio["waveform"].shape == (1, 2, 96000)
    assert word in " ".join(decoded.notes)


def test_sixteen_channels_are_heard_in_two(tmp_path):
    path = tmp_path / "clip.mov"
    with av.open(str(path), "w", format="mov") as out:
        video = out.add_stream("libx264", rate=12)
        video.width, video.height, video.pix_fmt = 192, 128, "yuv420p"
        sound = out.add_stream("pcm_s16le", rate=RATE, layout="hexadecagonal")
        for number, planes in enumerate(clips.numbered(24)):
            frame = clips.video_frame(planes, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 12)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        tone = np.int16(clips.beeps([0.5, 1.5], 2, channels=1)[0] * 20000)
        frame = av.AudioFrame.from_ndarray(np.repeat(tone, 16)[None], format="s16", layout="hexadecagonal")
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        out.mux([*sound.encode(frame), *sound.encode(None)])
    decoded = decode(path)
    assert decoded.frame_count == 24
    assert decoded.audio["waveform"].shape == (1, 2, 96000)
    assert clips.heard(decoded.audio["waveform"], RATE) == pytest.approx([0.5, 1.5], abs=0.03)


def test_the_default_sound_track_is_heard(path):
    tracks = [clips.beeps([when], 2) for when in (0.5, 1.5)]
    with av.open(str(path), "w", format="mp4", options={"movflags": PLAIN}) as out:
        video = out.add_stream("libx264", rate=12)
        video.width, video.height, video.pix_fmt = 192, 128, "yuv420p"
        sounds = [out.add_stream("aac", rate=RATE, layout="stereo") for _ in tracks]
        for number, planes in enumerate(clips.numbered(24)):
            frame = clips.video_frame(planes, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 12)
            out.mux(video.encode(frame))
        for stream, tone in zip(sounds, tracks, strict=True):
            out.mux([*stream.encode(clips._audio_frame(RATE, tone, 0)), *stream.encode(None)])
        out.mux(video.encode(None))
    seen = []

    def second_is_default(kind, content):
        if kind == b"tkhd":
            seen.append(kind)
            content = struct.pack(">I", 2 if len(seen) == 2 else 3) + content[4:]
        return box(kind, content)

    rewrite(path, second_is_default)
    assert clips.heard(decode(path).audio["waveform"], RATE) == pytest.approx([1.5], abs=0.03)


def test_a_single_packet_that_is_missing_leaves_the_sound_behind_it_in_step(path):
    tone = clips.beeps([0.2, 1.0, 1.7], 2)
    with av.open(str(path), "w", format="mp4") as out:
        video = out.add_stream("libx264", rate=12)
        video.width, video.height, video.pix_fmt = 192, 128, "yuv420p"
        sound = out.add_stream("aac", rate=RATE, layout="stereo")
        for number, planes in enumerate(clips.numbered(24)):
            frame = clips.video_frame(planes, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 12)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        encoded = [*sound.encode(clips._audio_frame(RATE, tone, 0)), *sound.encode(None)]
        out.mux([packet for number, packet in enumerate(encoded) if number != 30])
    heard = clips.heard(decode(path).audio["waveform"], RATE)
    assert heard == pytest.approx([0.2, 1.0, 1.7], abs=0.01)


def test_without_an_edit_list_the_sound_is_heard_to_its_end(path):
    tone = np.float32(0.5 * np.sin(np.arange(2 * RATE) * 0.1))[None]
    clips.write(path, clips.numbered(24), fps=12, sound=("aac", RATE, tone, 0), movflags=PLAIN, options={"bf": "2"})
    rewrite(path, lambda kind, content: b"" if kind == b"edts" else box(kind, content))
    with av.open(str(path)) as container:
        start_s = next(container.decode(video=0)).time
    last = round((2.01 - start_s) * RATE)
    assert start_s > 0.05
    assert decode(path).audio["waveform"][0, 0, last - 100 : last].abs().max() > 0.1


def test_sound_whose_times_are_lost_is_silence_and_said(path):
    with_sound(path)
    content = bytearray(path.read_bytes())
    second = content.rindex(b"stts")
    content[second : second + 4] = b"xxxx"
    path.write_bytes(content)
    decoded = decode(path)
    assert decoded.frame_count == 24
    assert not decoded.audio["waveform"].any()
    assert "could not be read" in " ".join(decoded.notes)
