"""One picture that is refused: whether its siblings reach the graph, what is said of it, and what the next run buys."""

import asyncio
import threading

import pytest
import torch
from emulator import Call, Fault, State, Timeline
from pack import load_pack
from sora2pro.nodes.errors import (
    GenerationFailedError,
    InsufficientCreditsError,
    InvalidInputError,
    SubmissionUncertainError,
)
from sora2pro.nodes.run import current
from sora2pro.nodes.run.display import STATES
from support.fake_comfyui import ComfyUI, InterruptProcessingException

NODES = {
    "Sora2ProImageToVideo": {},
    "RunComfyImageToVideo": {"model": "pixverse/pixverse-v6/image-to-video", "duration": 0},
}
DELIVER = "deliver the others"
FACE = "blocked by our moderation system"


@pytest.fixture(params=NODES)
def node_id(request):
    return request.param


@pytest.fixture
def comfyui(monkeypatch, tmp_path):
    return ComfyUI(tmp_path).installed(monkeypatch)


@pytest.fixture
def started(start_emulator, point_to, comfyui):  # noqa: ARG001 - the node is to find a ComfyUI
    def start(*timeline):
        emulator = start_emulator(*timeline)
        point_to(emulator)
        current._engine.cache_clear()
        return emulator

    return start


def run(node_id, *levels, **inputs):
    """The request ids that reach the graph, from pictures of these levels."""
    node = load_pack().NODE_CLASS_MAPPINGS[node_id]()
    given = {
        "image": torch.stack([torch.full((400, 640, 3), level) for level in levels]),
        "prompt": "A fox runs.",
        "max_clips": len(levels),
        "frame_load_cap": 8,
        "if_a_clip_fails": DELIVER,
        **NODES[node_id],
        **inputs,
    }
    return asyncio.run(node.generate(**given))["result"][-1]


def ending(emulator, *states):
    """Ends requests in these states, in the order in which they are accepted."""

    def end():
        for number, state in enumerate(states):
            emulator.wait_until(lambda count=number: len(emulator.requests) > count)
            emulator.release(emulator.requests[number].request_id, state, FACE)

    thread = threading.Thread(target=end)
    thread.start()
    return thread


def ended(emulator, state):
    return [request.request_id for request in emulator.requests if request.state is state]


def shown():
    """The last state of the node, as the page gets it."""
    return STATES.all()[-1]


def test_the_clips_that_arrived_reach_the_graph_and_it_is_said_which_did_not(started, node_id, caplog):
    emulator = started(Timeline.by_hand())
    thread = ending(emulator, State.SUCCEEDED, State.FAILED, State.SUCCEEDED)
    delivered = run(node_id, 0.1, 0.5, 0.9)
    thread.join()
    (failed,) = ended(emulator, State.FAILED)
    assert sorted(delivered) == sorted(ended(emulator, State.SUCCEEDED))
    state = shown()
    assert state["phase"] == "done"
    assert [clip["request_id"] for clip in state["clips"] if clip["kind"] == "failed"] == [failed]
    assert [clip["request_id"] for clip in state["clips"] if clip["kind"] == "finished"] == delivered
    for said in (state["message"], caplog.text):
        assert " of 3 are delivered without clip " in said
        assert FACE in said
        assert "RunComfy does not say whether it charges for failed generations" in said
        assert "out of the batch and run again: the others are free." in said
        assert failed in said
    assert run(node_id, 0.1, 0.5, 0.9) == delivered
    assert len(emulator.seen(Call.SUBMIT)) == 3


def test_what_is_delivered_keeps_the_order_of_the_pictures(started, node_id):
    emulator = started()
    whole = run(node_id, 0.2, 0.4)
    emulator.inject(Fault(Call.SUBMIT, "402"))
    assert run(node_id, 0.2, 0.9, 0.4) == whole
    assert emulator.charges == 2
    kinds = [clip["kind"] for clip in shown()["clips"]]
    assert kinds == ["finished", "failed", "finished"]


def test_comfyui_does_not_repeat_a_short_delivery_from_its_cache(started, node_id):
    emulator = started()
    node = load_pack().NODE_CLASS_MAPPINGS[node_id]
    before = node.IS_CHANGED(if_a_clip_fails=DELIVER, prompt="A fox runs.")
    emulator.inject(Fault(Call.SUBMIT, "402"))
    assert len(run(node_id, 0.2, 0.9)) == 1
    after = node.IS_CHANGED(if_a_clip_fails=DELIVER)
    assert after != before
    assert len(run(node_id, 0.2, 0.9)) == 2
    assert emulator.charges == 2
    assert node.IS_CHANGED(if_a_clip_fails=DELIVER) == after
    assert node.IS_CHANGED(if_a_clip_fails="stop") == node.IS_CHANGED(if_a_clip_fails="stop")


def test_by_default_a_failed_clip_stops_the_graph(started, node_id):
    emulator = started(Timeline.by_hand())
    thread = ending(emulator, State.SUCCEEDED, State.FAILED)
    with pytest.raises(GenerationFailedError) as raised:
        run(node_id, 0.1, 0.5, if_a_clip_fails="stop")
    thread.join()
    state = shown()
    assert state["phase"] == "failed"
    assert {clip["request_id"]: clip["kind"] for clip in state["clips"]} == {
        ended(emulator, State.SUCCEEDED)[0]: "finished",
        raised.value.request_id: "failed",
    }


def test_where_no_clip_arrives_it_is_an_error(started, node_id):
    emulator = started()
    emulator.inject(Fault(Call.SUBMIT, "402", times=None))
    with pytest.raises(InsufficientCreditsError, match="Clip 1 of 2"):
        run(node_id, 0.1, 0.5)
    with pytest.raises(InsufficientCreditsError):
        run(node_id, 0.1)
    assert emulator.charges == 0


def test_a_clip_of_which_nobody_knows_whether_it_is_charged_stops_the_graph(started, node_id):
    emulator = started()
    run(node_id, 0.1)
    emulator.inject(Fault(Call.SUBMIT, "reset", after_accept=True))
    with pytest.raises(SubmissionUncertainError, match="may have been charged"):
        run(node_id, 0.1, 0.5)
    assert emulator.charges == 2


def test_stop_delivers_nothing(started, node_id, comfyui):
    emulator = started(Timeline.by_hand())
    run_ended = ending(emulator, State.SUCCEEDED)

    def press():
        run_ended.join()
        emulator.wait_until(lambda: emulator.seen(Call.DOWNLOAD) and len(emulator.requests) == 2)
        comfyui.interrupt()

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(InterruptProcessingException):
        run(node_id, 0.1, 0.5)
    thread.join()
    assert shown()["phase"] == "stopped"


def test_a_choice_that_does_not_exist_is_refused_before_money(started, node_id):
    emulator = started()
    with pytest.raises(InvalidInputError, match="Choose 'stop' or 'deliver the others'"):
        run(node_id, 0.1, if_a_clip_fails="go on")
    assert emulator.calls == []
