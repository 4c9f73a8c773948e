import subprocess
import sys
from pathlib import Path

import av
import clips
import pytest
from sora2pro.nodes.errors import Stopped, VideoDecodeError
from sora2pro.nodes.media.decode import decode
from sora2pro.nodes.media.rehearsal import render
from sora2pro.nodes.media.timeline import ClipFacts, probe

TESTS = Path(clips.__file__).parent


@pytest.fixture
def path(tmp_path):
    return tmp_path / "clip.mp4"


def test_the_facts_of_a_clip_are_what_decoding_gives(path):
    render(clips.photo(192, 128), path, seconds=2)
    facts, decoded = probe(path), decode(path)
    assert facts == ClipFacts(width=192, height=128, fps=30.0, frame_count=60, duration_s=2.0, has_audio=True)
    assert (decoded.width, decoded.height, decoded.fps, decoded.frame_count) == (192, 128, 30.0, 60)


def test_probing_can_be_stopped(path):
    render(clips.photo(64, 64), path, seconds=1)

    def stop():
        raise Stopped("stopped")

    with pytest.raises(Stopped):
        probe(path, checkpoint=stop)


@pytest.mark.parametrize("b_frames", ["0", "3"])
@pytest.mark.parametrize("sound", [None, (1.0, 0), (3.0, 0), (1.5, 0.5)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_editlist": "0"},
        {"movflags": "+negative_cts_offsets"},
        {"movflags": "+frag_keyframe+empty_moov"},
        {"movflags": "+frag_keyframe"},
        {"video_track_timescale": "90000"},
        {"movie_timescale": "600"},
        {"brand": "qt  "},
    ],
)
def test_whole_clips_of_all_kinds_of_writers_are_whole(path, monkeypatch, options, sound, b_frames):
    """A paid clip must not be refused because its index is written in an unusual way."""
    opened = av.open
    changes = {"options": options}
    monkeypatch.setattr(
        av, "open", lambda file, mode="r", **rest: opened(file, mode, **(rest | changes if mode == "w" else rest))
    )
    sound = sound and ("aac", 48000, clips.beeps([0.7], sound[0]), sound[1])
    clips.write(path, clips.numbered(60), options={"bf": b_frames, "g": "20"}, sound=sound)
    assert probe(path).frame_count == 60
    decoded = decode(path)
    assert [clips.read_frame_number(frame) for frame in decoded.frames] == list(range(60))
    if sound:
        assert len(clips.heard(decoded.audio["waveform"], 48000)) == 1


def test_a_variable_rate_is_whole_with_and_without_reordered_frames(path):
    starts = [0, 20, 90, 110, 170, 240, 300, 310, 400, 900]
    for b_frames in ("0", "3"):
        clips.write(path, clips.numbered(10), starts=starts, options={"bf": b_frames})
        assert probe(path).frame_count == 10


def test_an_index_that_contradicts_itself_is_an_error_that_says_how(path):
    clips.write(path, clips.numbered(30))
    content = bytearray(path.read_bytes())
    place = content.index(b"stsz") + 12
    content[place : place + 4] = (20).to_bytes(4, "big")
    path.write_bytes(content)
    with pytest.raises(VideoDecodeError, match="20 samples and times for 30"):
        probe(path)


@pytest.mark.parametrize("module", ["decode", "timeline", "rehearsal"])
def test_without_pyav_there_is_a_sentence_that_says_what_to_install(module):
    code = (
        "import sys; sys.modules['av'] = None\n"
        "from pack import load_pack; load_pack()\n"
        "import importlib\n"
        "from sora2pro.nodes.errors import MissingDependencyError\n"
        "try:\n"
        f"    importlib.import_module('sora2pro.nodes.media.{module}')\n"
        "except MissingDependencyError as error:\n"
        "    print(error)\n"
    )
    child = subprocess.run([sys.executable, "-c", code], cwd=TESTS, capture_output=True, text=True, check=True)
    assert "pip install av" in child.stdout
    assert "nothing was charged" in child.stdout
