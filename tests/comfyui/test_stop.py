"""Stop, as an artist presses it."""

import pytest
from comfyui.graphs import one_clip
from comfyui.studio import Studio
from emulator import Call, State

AN_HOUR_S = "3600"


@pytest.fixture(scope="module")
def patient_comfyui(open_comfyui):
    """A ComfyUI that asks RunComfy once an hour, so that nothing but Stop itself can wake it."""
    with open_comfyui("sora2pro", RUNCOMFY_POLL_INTERVAL_S=AN_HOUR_S) as comfyui:
        yield comfyui


def test_stop_is_an_interruption_at_once_and_does_not_wait_for_the_next_poll(patient_comfyui, emulator):
    studio = Studio.from_now(patient_comfyui, emulator)
    prompt_id = patient_comfyui.queue(one_clip("A door opens slowly."))
    studio.called(Call.STATUS)
    patient_comfyui.interrupt()
    assert patient_comfyui.wait(prompt_id).interrupted
    assert studio.charges == 0


def test_stop_cancels_what_is_queued_and_the_next_prompt_runs(studio):
    prompt_id = studio.comfyui.queue(one_clip("A kite rises."))
    (request,) = studio.accepted(1)
    studio.comfyui.interrupt()
    stopped = studio.comfyui.wait(prompt_id)
    assert stopped.interrupted
    assert stopped.error is None
    assert [call.path for call in studio.calls if call.call is Call.CANCEL] == [
        f"/v1/requests/{request.request_id}/cancel"
    ]
    assert studio.charges == 0
    following = Studio.from_now(studio.comfyui, studio.emulator)
    assert len(following.run(one_clip("A kite falls.")).files("save")) == 1
    assert following.charges == 1


def test_stop_and_the_same_graph_again_is_one_charge(studio):
    prompt_id = studio.comfyui.queue(one_clip("A bell rings."))
    studio.accepted(1)
    studio.comfyui.interrupt()
    studio.comfyui.wait(prompt_id)
    again = Studio.from_now(studio.comfyui, studio.emulator)
    assert len(again.run(one_clip("A bell rings.")).files("save")) == 1
    assert studio.charges == 1


def test_stop_while_it_is_rendered_loses_nothing_of_what_was_paid(studio):
    prompt_id = studio.comfyui.queue(one_clip("A match burns down."))
    (request,) = studio.accepted(1)
    studio.emulator.release(request.request_id, State.RENDERING)
    studio.comfyui.interrupt()
    assert studio.comfyui.wait(prompt_id).interrupted
    studio.emulator.release(request.request_id)
    assert len(studio.comfyui.run(one_clip("A match burns down.")).files("save")) == 1
    assert studio.charges == 1


def test_stop_ends_all_nodes_that_generate_side_by_side(studio):
    left, right = one_clip("Tide in."), one_clip("Tide out.")
    both = left | {f"other {name}": body for name, body in right.items() if name != "picture"}
    both["other save"]["inputs"]["images"] = ["other generate", 0]
    prompt_id = studio.comfyui.queue(both)
    studio.accepted(2)
    studio.comfyui.interrupt()
    assert studio.comfyui.wait(prompt_id).interrupted
    assert len(Studio.from_now(studio.comfyui, studio.emulator).run(one_clip("Low water.")).files("save")) == 1
