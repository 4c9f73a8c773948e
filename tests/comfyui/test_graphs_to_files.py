"""From a picture to files, through the nodes that everyone has."""

import io
import json
from base64 import b64decode

import numpy as np
import pytest
from comfyui import measured
from comfyui.graphs import GENERATE, everything_saved, generation, loaded, node, one_clip
from comfyui.studio import Studio
from emulator import Call, State
from PIL import Image
from support.clips import break_pictures, read_frame_number

FRAMES = 120  # 4 s at 30 frames a second


@pytest.fixture(scope="module")
def saved(comfyui, emulator):
    """The outcome of the graph that saves everything, and what it was charged."""
    studio = Studio.from_now(comfyui, emulator)
    outcome = studio.run(everything_saved("A gull crosses the bay."))
    assert outcome.succeeded, outcome.error
    return outcome, studio


def test_every_frame_is_there_in_order_after_scaling_and_saving(saved):
    outcome, _ = saved
    frames = [np.asarray(Image.open(path)) for path in outcome.files("frames")]
    assert {frame.shape for frame in frames} == {(360, 640, 3)}
    assert [read_frame_number(frame) for frame in frames] == list(range(FRAMES))


def test_the_saved_video_has_the_same_frames_and_a_sound(saved):
    outcome, _ = saved
    (path,) = outcome.files("video")
    frames = measured.frames(path)
    assert {frame.shape for frame in frames} == {(720, 1280, 3)}
    assert [read_frame_number(frame) for frame in frames] == list(range(FRAMES))
    assert measured.loudness(path) > 0.01


def test_the_saved_sound_is_as_long_as_the_clip_and_not_silent(saved):
    outcome, _ = saved
    (path,) = outcome.files("sound")
    assert measured.duration_s(path) == pytest.approx(FRAMES / 30, abs=1 / 30)
    assert measured.loudness(path) > 0.01


def test_one_click_is_one_charge_and_sends_only_what_the_model_knows(saved):
    _, studio = saved
    assert studio.charges == 1
    (submission,) = [call for call in studio.calls if call.call is Call.SUBMIT]
    body = json.loads(submission.body)
    assert sorted(body) == ["input_reference", "prompt", "seconds", "size"]
    assert (body["seconds"], type(body["seconds"]), body["size"]) == (4, int, "1280x720")
    picture = Image.open(io.BytesIO(b64decode(body["input_reference"].partition(",")[2])))
    assert picture.size == (1280, 720)


def test_two_nodes_generate_at_the_same_time(studio):
    graph = {
        **loaded(),
        "left": generation("A ferry leaves.", frame_load_cap=1),
        "right": generation("A ferry arrives.", frame_load_cap=1),
        "save left": node("SaveImage", images=["left", 0], filename_prefix="left"),
        "save right": node("SaveImage", images=["right", 0], filename_prefix="right"),
    }
    prompt_id = studio.comfyui.queue(graph)
    both = studio.accepted(2)  # neither can have ended: requests move by hand
    for request in both:
        studio.emulator.release(request.request_id)
    outcome = studio.comfyui.wait(prompt_id)
    assert len(outcome.files("save left")) == len(outcome.files("save right")) == 1
    assert studio.charges == 2


def test_two_equal_nodes_in_one_graph_share_one_paid_clip(studio):
    graph = {
        **one_clip("A lamp is lit."),
        "twin": generation("A lamp is lit.", frame_load_cap=1),
        "save twin": node("SaveImage", images=["twin", 0], filename_prefix="twin"),
    }
    outcome = studio.run(graph)
    assert len(outcome.files("save")) == len(outcome.files("save twin")) == 1
    assert studio.charges == 1


def test_a_generation_without_frames_still_gives_the_video(studio):
    graph = one_clip("Snow falls on a roof.", decode_frames=False)
    graph["video"] = node("SaveVideo", video=[GENERATE, 3], filename_prefix="roof", format="auto", codec="auto")
    outcome = studio.run(graph)
    assert measured.duration_s(outcome.files("video")[0]) == pytest.approx(FRAMES / 30, abs=1 / 30)
    assert outcome.files("save") == []


def test_a_clip_that_cannot_be_decoded_still_reaches_save_video_and_its_frames_say_why(studio):
    graph = everything_saved("A mill turns.")
    bought = studio.run(graph)
    (request,) = studio.accepted(1)
    (path,) = (studio.comfyui.base / "output").rglob(f"*{request.request_id}.mp4")
    break_pictures(path)
    # A node that was asked for something else is run again; the clip is served from the journal.
    graph[GENERATE]["inputs"]["select_every_nth"] = 2
    with studio.comfyui.events() as events:
        prompt_id = studio.comfyui.queue(graph, client_id=events.client_id)
        outcome = studio.comfyui.wait(prompt_id)
        (said,) = [event.data for event in events.all_until_end(prompt_id) if event.name == "execution_error"]
    (video,) = outcome.files("video")
    assert video != bought.files("video")[0]
    assert measured.duration_s(video) == pytest.approx(FRAMES / 30, abs=1 / 30)
    assert len(outcome.files("sound")) == 1
    assert outcome.files("frames") == []
    assert said["node_id"] == "half"
    for words in ("The clip is paid for and safe", str(path), "'video'", request.request_id):
        assert words in said["exception_message"]
    assert studio.charges == 1


def test_a_failed_generation_is_a_dialog_with_reason_and_remedy_and_the_next_prompt_runs(studio):
    prompt_id = studio.comfyui.queue(one_clip("A famous face."))
    (request,) = studio.accepted(1)
    studio.emulator.release(request.request_id, State.FAILED, "The prompt was refused by moderation")
    failed = studio.comfyui.wait(prompt_id)
    assert "refused by moderation" in failed.error
    assert request.request_id in failed.error
    assert len(studio.comfyui.run(rehearsal("A face nobody knows.")).files("save")) == 1


def test_a_rehearsal_gives_a_clip_and_asks_runcomfy_for_nothing(studio):
    outcome = studio.comfyui.run(rehearsal("Rain on a window."))
    assert len(outcome.files("save")) == 1
    assert studio.calls == []


def rehearsal(prompt):
    return one_clip(prompt, rehearse=True)
