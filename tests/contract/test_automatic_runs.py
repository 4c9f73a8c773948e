"""A run that ComfyUI's page started by itself: what is free is delivered, and nothing is bought until the user allows it."""

import asyncio

import pytest
from emulator import State
from pack import load_pack
from sora2pro.nodes.errors import AutomaticRunError
from sora2pro.nodes.run import current
from support.fake_comfyui import ComfyUI, InterruptProcessingException
from support.node_runs import pictures

NODES = {
    "Sora2ProImageToVideo": {},
    "RunComfyImageToVideo": {"model": "pixverse/pixverse-v6/image-to-video", "duration": 0},
}


@pytest.fixture(params=NODES)
def node_id(request):
    return request.param


@pytest.fixture
def comfyui(monkeypatch, tmp_path):
    return ComfyUI(tmp_path).installed(monkeypatch)


@pytest.fixture(autouse=True)
def pointed(emulator, point_to, comfyui):  # noqa: ARG001 - the node is to find a ComfyUI
    point_to(emulator)
    current._engine.cache_clear()


def queue(comfyui, **note):
    """From now on the running prompt is one that the page queued with this note."""
    comfyui.running = [(0, "prompt-1", {}, {"sora2pro": note}, [])]


async def generate(node_id, **inputs):
    """The request ids that reach the graph."""
    given = {"image": pictures(0.5).repeat(1, 5, 5, 1), "prompt": "A fox runs.", "frame_load_cap": 8}
    result = await load_pack().NODE_CLASS_MAPPINGS[node_id]().generate(**given | NODES[node_id] | inputs)
    return result["result"][-1]


def run(node_id, **inputs):
    return asyncio.run(generate(node_id, **inputs))


def test_an_automatic_run_buys_nothing_and_says_what_to_press(node_id, comfyui, emulator):
    queue(comfyui, automatic=True, may_buy=[])
    with pytest.raises(AutomaticRunError, match="started automatically") as refused:
        run(node_id)
    assert "Nothing was sent to RunComfy and nothing was charged." in str(refused.value)
    assert "'Let automatic runs buy'" in str(refused.value)
    assert (emulator.charges, emulator.requests) == (0, [])


def test_an_automatic_run_delivers_what_was_bought_before_and_rehearses(node_id, comfyui, emulator):
    bought = run(node_id)
    queue(comfyui, automatic=True, may_buy=[])
    assert run(node_id) == bought
    assert run(node_id, prompt="Another.", rehearse=True)[0].startswith("rehearsal-")
    assert emulator.charges == 1


def test_an_automatic_run_goes_on_with_a_request_under_way(node_id, comfyui, emulator):
    emulator.hold()

    async def stop_while_it_renders():
        task = asyncio.ensure_future(generate(node_id))
        await asyncio.to_thread(emulator.wait_until, lambda: emulator.requests)
        emulator.release(emulator.requests[0].request_id, State.RENDERING)
        await asyncio.sleep(0.1)
        comfyui.interrupt()
        with pytest.raises(InterruptProcessingException, match="Stopped"):
            await task

    asyncio.run(stop_while_it_renders())
    comfyui.is_interrupted = False
    emulator.release(emulator.requests[0].request_id)
    queue(comfyui, automatic=True, may_buy=[])
    assert run(node_id) == [emulator.requests[0].request_id]
    assert emulator.charges == 1


@pytest.mark.parametrize(
    "note",
    [
        pytest.param({"automatic": True, "may_buy": ["7", "12"]}, id="allowed on this node"),
        pytest.param({"automatic": False, "may_buy": []}, id="Run was pressed"),
        pytest.param({}, id="a note without a word on it"),
    ],
)
def test_a_run_that_somebody_wanted_buys(note, comfyui, emulator):
    queue(comfyui, **note)
    run("Sora2ProImageToVideo")
    assert emulator.charges == 1


def test_a_run_without_a_browser_buys_as_ever(node_id, emulator):
    run(node_id)
    assert emulator.charges == 1


def test_what_is_allowed_on_another_node_is_not_allowed_on_this_one(node_id, comfyui, emulator):
    for may_buy in (["7"], ["12:3"], "12", {"12": True}, None):
        queue(comfyui, automatic=True, may_buy=may_buy)
        with pytest.raises(AutomaticRunError):
            run(node_id)
    assert emulator.charges == 0
