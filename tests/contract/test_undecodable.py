"""A clip that is paid for and cannot be decoded: whoever paid gets what there is of it, and is told what is missing."""

from dataclasses import replace

import pytest
from emulator import Call
from sora2pro.nodes.errors import NotEnoughRoomError, VideoDecodeError
from sora2pro.nodes.host import Blocked, ClipFile
from sora2pro.nodes.media.decode import decode
from support import node_runs
from support.clips import break_pictures
from support.fake_comfyui import ComfyUI


def bought(emulator, point_to, **inputs):
    """A clip that was bought and is on the disk; and its path."""
    point_to(emulator)
    (output,) = node_runs.run_node(**inputs)
    return output, output.video.path


def cut_in_half(path):
    """Half a clip of the full length: the rest never came."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))


def replace_by_a_page(path):
    length = path.stat().st_size
    path.write_bytes(b"<!DOCTYPE html>".ljust(length, b" "))


BREAKS = pytest.mark.parametrize("damage", [break_pictures, cut_in_half, replace_by_a_page])


@BREAKS
def test_the_file_and_the_id_are_delivered_and_the_frames_say_what_is_broken(emulator, point_to, damage, caplog):
    output, path = bought(emulator, point_to)
    damage(path)
    (again,) = node_runs.run_node()
    assert (again.video, again.request_id) == (ClipFile(path), output.request_id)
    assert isinstance(again.frames, Blocked)
    with pytest.raises(VideoDecodeError) as refused:
        decode(path)
    for words in (refused.value.what, "The clip is paid for and safe", str(path), "'video'", "'collect'", "job: job-1"):
        assert words in again.frames.message
    (warning,) = [record.getMessage() for record in caplog.records if record.name.endswith("clips")]
    assert refused.value.what in warning
    assert str(path) in warning
    assert (emulator.charges, len(emulator.seen(Call.DOWNLOAD))) == (1, 1)


def test_sound_that_can_be_read_is_delivered_with_the_rate_of_the_frames(emulator, point_to):
    output, path = bought(emulator, point_to, frame_load_cap=0)
    break_pictures(path)
    (again,) = node_runs.run_node(frame_load_cap=0, select_every_nth=2)
    assert isinstance(again.frames, Blocked)
    assert again.audio["waveform"].equal(output.audio["waveform"])
    assert again.fps == output.fps / 2


def test_sound_that_cannot_be_read_is_blocked_with_the_same_words(emulator, point_to):
    _, path = bought(emulator, point_to)
    replace_by_a_page(path)
    (again,) = node_runs.run_node()
    assert again.audio == again.fps == again.frames


@BREAKS
@pytest.mark.parametrize("action", ["check", "collect"])
def test_the_status_node_delivers_the_same(emulator, point_to, damage, action):
    _, path = bought(emulator, point_to)
    damage(path)
    state, frames, _audio, _fps, video, request_id, report = node_runs.run_status(action=action)
    assert (state, video, request_id) == ("downloaded", ClipFile(path), emulator.requests[0].request_id)
    assert "safe on this disk" in frames.message
    assert f"'video' has the file, which is paid for and safe at {path}." in report
    assert emulator.charges == 1


def test_what_was_replaced_is_told_with_the_charge_and_in_the_log(emulator, point_to, monkeypatch, tmp_path, caplog):
    comfyui = ComfyUI(tmp_path / "comfyui").installed(monkeypatch)
    note = "Its sound cannot be read and was replaced by silence."
    monkeypatch.setattr(
        "sora2pro.nodes.media.decode.decode", lambda *a, **options: replace(decode(*a, **options), notes=(note,))
    )
    point_to(emulator)
    node_runs.run_node()
    told = f"{note} RunComfy charged $1.20 for it."
    assert comfyui.texts[-1][0] == told
    assert comfyui.events[-1][1]["clips"][0]["text"] == told
    assert any(note in record.getMessage() and record.levelname == "WARNING" for record in caplog.records)
    assert note in node_runs.run_status()[-1]


def test_the_card_and_the_last_line_say_what_is_missing_and_where_the_file_is(
    emulator, point_to, monkeypatch, tmp_path
):
    _, path = bought(emulator, point_to)
    replace_by_a_page(path)
    comfyui = ComfyUI(tmp_path / "comfyui").installed(monkeypatch)
    node_runs.run_node()
    (card,) = comfyui.events[-1][1]["clips"]
    for words in ("'frames' and 'audio' are blocked", "paid for and safe at", str(path), "no charge"):
        assert words in card["text"]
        assert words in comfyui.texts[-1][0]
    assert comfyui.events[-1][1]["phase"] == "done"


def test_a_batch_goes_on_with_every_clip(emulator, point_to):
    point_to(emulator)
    first, second = node_runs.run_node(node_runs.pictures(0.1, 0.9), max_clips=2)
    break_pictures(first.video.path)
    broken, whole = node_runs.run_node(node_runs.pictures(0.1, 0.9), max_clips=2)
    assert isinstance(broken.frames, Blocked)
    assert whole.frames.equal(second.frames)
    assert emulator.charges == 2


def test_a_file_that_cannot_be_read_at_all_is_an_error_since_there_is_nothing_to_deliver(
    emulator, point_to, monkeypatch
):
    _, path = bought(emulator, point_to)
    reading = type(path).open

    def refuse(self, *arguments, **options):
        if self == path:
            raise PermissionError(13, "Permission denied")
        return reading(self, *arguments, **options)

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(VideoDecodeError, match="cannot be read") as error:
        node_runs.run_node()
    assert "job: job-1" in str(error.value)


def test_frames_for_which_there_is_no_memory_stay_an_error(emulator, point_to, monkeypatch):
    bought(emulator, point_to)

    def refuse(*_arguments, **_options):
        raise NotEnoughRoomError("No room.")

    monkeypatch.setattr("sora2pro.nodes.media.frames.check_room", refuse)
    with pytest.raises(NotEnoughRoomError, match="No room"):
        node_runs.run_node()


def test_a_broken_rehearsal_is_not_called_paid(emulator, point_to):
    point_to(emulator)
    (output,) = node_runs.run_node(rehearse=True)
    replace_by_a_page(output.video.path)
    with pytest.raises(VideoDecodeError) as error:
        node_runs.run_node(rehearse=True)
    assert "paid" not in str(error.value)
    assert f"Delete {output.video.path}" in str(error.value)
