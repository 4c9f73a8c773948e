import threading

import pytest
import torch
from sora2pro.nodes.errors import NotEnoughRoomError, Stopped, VideoDecodeError
from sora2pro.nodes.media import memory
from sora2pro.nodes.media.decode import decode
from sora2pro.nodes.media.rehearsal import render
from support import clips


def numbers_of(frames):
    return [clips.read_frame_number(frame) for frame in frames]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    render(clips.photo(192, 128), path, seconds=4, frame_counter=True, mark=None)
    return path


def test_every_frame_comes_once_and_in_order_as_what_a_graph_expects(clip):
    decoded = decode(clip)
    assert numbers_of(decoded.frames) == list(range(120))
    assert (decoded.fps, decoded.frame_count, decoded.width, decoded.height) == (30.0, 120, 192, 128)
    assert (decoded.frames.dtype, decoded.frames.is_contiguous()) == (torch.float32, True)
    assert decoded.frames.min() >= 0
    assert decoded.frames.max() <= 1
    waveform = decoded.audio["waveform"]
    assert (waveform.shape, waveform.dtype, decoded.audio["sample_rate"]) == ((1, 2, 192000), torch.float32, 48000)


@pytest.mark.parametrize(
    ("nth", "cap", "numbers"),
    [
        (1, 7, list(range(7))),
        (1, 120, list(range(120))),
        (1, 500, list(range(120))),
        (2, 0, list(range(0, 120, 2))),
        (7, 3, [0, 7, 14]),
        (50, 0, [0, 50, 100]),
        (500, 0, [0]),
        (119, 1, [0]),
    ],
)
def test_every_nth_frame_and_a_cap_deliver_what_video_helper_suite_delivers(clip, nth, cap, numbers):
    decoded = decode(clip, select_every_nth=nth, frame_load_cap=cap)
    assert numbers_of(decoded.frames) == numbers
    assert decoded.frame_count == len(numbers)
    assert decoded.fps == pytest.approx(30 / nth)


@pytest.mark.parametrize(("nth", "cap", "seconds"), [(1, 30, 1), (2, 30, 2), (3, 1, 0.1), (3, 0, 4), (1, 200, 4)])
def test_a_cap_cuts_the_sound_to_the_time_of_the_frames(clip, nth, cap, seconds):
    decoded = decode(clip, select_every_nth=nth, frame_load_cap=cap)
    assert decoded.audio["waveform"].shape[2] == seconds * 48000


def test_without_frames_there_is_the_whole_sound(clip):
    decoded = decode(clip, with_frames=False, frame_load_cap=3)
    assert decoded.frames is None
    assert decoded.audio["waveform"].shape == (1, 2, 192000)
    assert (decoded.fps, decoded.width, decoded.height) == (30.0, 192, 128)


def test_progress_counts_every_frame_that_is_done(clip):
    seen = []
    decode(clip, progress=lambda *both: seen.append(both))
    assert seen == [(done, 120) for done in range(1, 121)]


def test_stop_ends_it_at_the_next_frame_and_leaves_no_thread(clip):
    looks, before = [], threading.active_count()

    def stop_at_the_fiftieth_look():
        looks.append(1)
        if len(looks) == 50:
            raise Stopped("stopped")

    with pytest.raises(Stopped):
        decode(clip, checkpoint=stop_at_the_fiftieth_look)
    assert len(looks) == 50
    assert threading.active_count() == before


def test_frames_that_do_not_fit_into_memory_are_an_error_that_names_the_file_and_the_ways_out(clip, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 1000)
    with pytest.raises(NotEnoughRoomError) as caught:
        decode(clip)
    text = str(caught.value)
    assert all(word in text for word in ("decode_frames", "select_every_nth", "frame_load_cap", str(clip), "safe"))
    assert "nothing was" not in text.lower()


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.6, 0.95, 0.9999])
def test_a_cut_off_clip_is_an_error_with_the_path(clip, tmp_path, share):
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(clip.read_bytes()[: int(clip.stat().st_size * share)])
    with pytest.raises(VideoDecodeError) as caught:
        decode(cut)
    assert caught.value.path == cut
    assert str(cut) in str(caught.value)
