"""Where frames do not fit into memory, the refusal names what does: the most frames, and the least n of every nth."""

import math
import re

import pytest
import torch
from sora2pro.nodes.errors import NOTHING_SENT, NotEnoughRoomError
from sora2pro.nodes.media import memory
from sora2pro.nodes.media.decode import decode
from sora2pro.nodes.media.memory import GIB, WantedFrames, check_frames, frames_bytes
from sora2pro.nodes.run.inputs import FrameChoice, check_memory
from sora2pro.nodes.runcomfy.catalogue.translate import translate
from support import clips
from support.model_values import CATALOGUE, wishes_for

HEADROOM_BYTES = 256 * 1024**2
NAMED = re.compile(r"'frame_load_cap' to (\d+) or less, or raise 'select_every_nth' to (\d+) or more")


def named(check):
    """(most frames, least n) of a refusal."""
    with pytest.raises(NotEnoughRoomError) as caught:
        check()
    assert "decode_frames" in str(caught.value)
    most, nth = map(int, NAMED.search(str(caught.value)).groups())
    return most, nth


@pytest.fixture
def free(monkeypatch):
    """Sets how many bytes this machine says are free."""
    return lambda count: monkeypatch.setattr(memory, "available_bytes", lambda: count)


@pytest.mark.parametrize("clip_count", [1, 3])
@pytest.mark.parametrize("chosen", [(1, 0), (1, 350), (2, 0)])
@pytest.mark.parametrize("room_frames", [1, 2, 7, 119, 120, 150])
def test_what_is_named_fits_and_one_more_frame_does_not(free, room_frames, chosen, clip_count):
    for short_bytes in (0, 1):
        room_bytes = (room_frames + short_bytes) * clip_count * frames_bytes(1280, 720, 1) - short_bytes
        free(room_bytes + HEADROOM_BYTES)
        most, nth = named(lambda: check_frames(WantedFrames(1280, 720, 360, *chosen, clip_count)))
        assert most == room_frames
        check_frames(WantedFrames(1280, 720, 360, chosen[0], most, clip_count))
        check_frames(WantedFrames(1280, 720, 360, nth, chosen[1], clip_count))
        named(lambda: check_frames(WantedFrames(1280, 720, 360, chosen[0], most + 1, clip_count)))  # noqa: B023 - at once
        named(lambda: check_frames(WantedFrames(1280, 720, 360, nth - 1, chosen[1], clip_count)))  # noqa: B023 - as above


def test_where_not_even_one_frame_fits_no_number_is_promised(free):
    free(HEADROOM_BYTES + frames_bytes(1280, 720, 1) - 1)
    with pytest.raises(NotEnoughRoomError) as caught:
        check_frames(WantedFrames(1280, 720, 360))
    assert not NAMED.search(str(caught.value))
    assert "decode_frames" in str(caught.value)


@pytest.mark.parametrize("entry", CATALOGUE.models, ids=lambda entry: entry.model_id)
def test_it_is_named_before_money_for_every_model_of_the_catalogue(free, entry):
    one = translate(entry, wishes_for(entry), catalogue=CATALOGUE)
    count = math.ceil(one.longest_s * one.fps)
    free(HEADROOM_BYTES + frames_bytes(*one.size, count) - 1)

    def check(frames):
        check_memory(one.size, one.longest_s, one.fps, frames, 1)

    most, nth = named(lambda: check(FrameChoice()))
    assert (most, nth) == (count - 1, 2)
    check(FrameChoice(frame_load_cap=most))
    check(FrameChoice(select_every_nth=nth))
    with pytest.raises(NotEnoughRoomError, match=re.escape(NOTHING_SENT)):
        check(FrameChoice(frame_load_cap=most + 1))


@pytest.mark.parametrize("room_frames", [1, 2, 7, 24])
def test_what_is_named_for_a_clip_that_is_there_delivers_it(free, tmp_path, room_frames):
    path = clips.write(tmp_path / "clip.mp4", clips.numbered(25))
    whole = decode(path).frames
    free(HEADROOM_BYTES + frames_bytes(192, 128, room_frames))
    most, nth = named(lambda: decode(path))
    assert most == room_frames
    assert torch.equal(decode(path, frame_load_cap=most).frames, whole[:most])
    assert torch.equal(decode(path, select_every_nth=nth).frames, whole[::nth])
    named(lambda: decode(path, frame_load_cap=most + 1))
    named(lambda: decode(path, select_every_nth=nth - 1))


def test_a_long_clip_on_a_machine_with_16_gib_is_refused_with_numbers_to_type(free):
    free(16 * GIB)
    most, nth = named(lambda: check_frames(WantedFrames(1920, 1080, 60 * 24)))
    assert (most, nth) == (679, 3)
