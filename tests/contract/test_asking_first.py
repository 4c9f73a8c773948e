"""The question before an expensive clip: nothing is sent until somebody says yes, and every other answer costs nothing."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pack import load_pack
from sora2pro.nodes.errors import NotConfirmedError, SpendLimitError
from sora2pro.nodes.run import current, permission
from sora2pro.nodes.run.display import STATES
from sora2pro.nodes.run.questions import QUESTIONS, Questions
from sora2pro.nodes.runcomfy.progress import PriceBound, Run, StopSignal, ignore
from support.engine_fixture import request_of
from support.fake_comfyui import ComfyUI, InterruptProcessingException
from support.node_runs import pictures

AT_MOST_S = 60
NODES = {
    "Sora2ProImageToVideo": {},
    "RunComfyImageToVideo": {"model": "pixverse/pixverse-v6/image-to-video", "duration": 0},
}


@pytest.fixture(params=NODES)
def node_id(request):
    return request.param


@pytest.fixture
def comfyui(monkeypatch, tmp_path):
    comfyui = ComfyUI(tmp_path).installed(monkeypatch)
    comfyui.running = [(0, "prompt-1", {}, {"sora2pro": {"automatic": False, "may_buy": []}}, [])]
    return comfyui


@pytest.fixture(autouse=True)
def pointed(emulator, point_to, comfyui):  # noqa: ARG001 - the node is to find a ComfyUI
    point_to(emulator, RUNCOMFY_ASK_ABOVE_USD="0.1")
    current._engine.cache_clear()


def asking(comfyui):
    """The clips of the node that wait for an answer, as the page is told."""
    events = [document for event, document, _ in comfyui.events if event == "sora2pro.progress"]
    return [clip for clip in events[-1]["clips"] if clip["kind"] == "asking"] if events else []


async def generate(node_id, levels=(0.5,), **inputs):
    """The request ids that reach the graph."""
    given = {
        "image": pictures(*levels).repeat(1, 5, 5, 1),
        "prompt": "A fox runs.",
        "frame_load_cap": 8,
        "max_clips": len(levels),
    }
    result = await load_pack().NODE_CLASS_MAPPINGS[node_id]().generate(**given | NODES[node_id] | inputs)
    return result["result"][-1]


async def with_answer(comfyui, node_id, act, count=1, **inputs):
    """A run during which something is done as soon as it asks."""
    task = asyncio.ensure_future(generate(node_id, **inputs))
    while len(asking(comfyui)) < count and not task.done():  # noqa: ASYNC110 - the threads of the run set no event
        await asyncio.sleep(0.02)
    act(asking(comfyui))
    return await task


def answer(*, buys):
    return lambda clips: [QUESTIONS.answer(clip["question"], buys=buys) for clip in clips]


def test_a_clip_is_bought_once_the_user_has_confirmed_it(node_id, comfyui, emulator):
    def confirm(clips):
        assert (emulator.charges, emulator.requests) == (0, [])
        assert clips[0]["usd"] > 0.1
        # Of the other model only the least is known.
        word = {"Sora2ProImageToVideo": "about", "RunComfyImageToVideo": "from"}[node_id]
        assert f"Waiting for your answer: buy this clip ({word} $" in clips[0]["text"]
        answer(buys=True)(clips)

    assert asyncio.run(with_answer(comfyui, node_id, confirm)) == [emulator.requests[0].request_id]
    assert emulator.charges == 1
    assert asyncio.run(generate(node_id)) == [emulator.requests[0].request_id]


def test_a_clip_that_the_user_does_not_want_ends_the_run_like_stop(node_id, comfyui, emulator):
    with pytest.raises(InterruptProcessingException, match=r"was not bought, because you declined\. Nothing was sent"):
        asyncio.run(with_answer(comfyui, node_id, answer(buys=False)))
    assert STATES.all()[-1]["phase"] == "stopped"
    assert (emulator.charges, emulator.requests) == (0, [])


def test_stop_takes_the_question_back(comfyui, emulator):
    asked = []

    def stop(clips):
        asked.extend(clips)
        comfyui.interrupt()

    with pytest.raises(InterruptProcessingException, match=r"Stopped\. Nothing was sent to RunComfy"):
        asyncio.run(with_answer(comfyui, "Sora2ProImageToVideo", stop))
    with pytest.raises(ValueError, match="no longer open"):
        answer(buys=True)(asked)
    assert emulator.charges == 0


def test_nobody_who_answers_in_time_is_a_refusal(emulator, monkeypatch):
    monkeypatch.setattr(permission, "QUESTIONS", Questions(patience_s=0.3))
    with pytest.raises(NotConfirmedError, match=r"was not confirmed within .* Nothing was sent"):
        asyncio.run(generate("Sora2ProImageToVideo"))
    assert emulator.charges == 0


@pytest.mark.parametrize("way", ["a script", "a page that is closed"])
def test_where_nobody_can_be_asked_nothing_is_bought(way, node_id, comfyui, emulator):
    if way == "a script":
        comfyui.running = [(0, "prompt-1", {}, {}, [])]
    else:
        comfyui.server.sockets = {}
    with pytest.raises(NotConfirmedError, match=r"asked to confirm any clip above \$0.10.*RUNCOMFY_ASK_ABOVE_USD"):
        asyncio.run(generate(node_id))
    assert emulator.charges == 0


def test_the_clips_of_a_batch_ask_at_the_same_time_and_each_is_answered(comfyui, emulator):
    bought = asyncio.run(
        with_answer(comfyui, "Sora2ProImageToVideo", answer(buys=True), count=2, levels=(0.3, 0.6), decode_frames=False)
    )
    assert len(bought) == emulator.charges == 2


def test_what_is_free_asks_nobody(comfyui, emulator, point_to):
    point_to(emulator)
    bought = asyncio.run(generate("Sora2ProImageToVideo"))
    point_to(emulator, RUNCOMFY_ASK_ABOVE_USD="0")
    comfyui.running = [(0, "prompt-1", {}, {}, [])]
    assert asyncio.run(generate("Sora2ProImageToVideo")) == bought
    assert asyncio.run(generate("Sora2ProImageToVideo", prompt="Another.", rehearse=True))
    assert emulator.charges == 1


def test_a_clip_up_to_the_price_and_every_clip_without_the_setting_is_bought_unasked(emulator, rig_on):
    rig_on(emulator, ask_above_usd=1.2).run(request_of(seconds=4))
    rig_on(emulator).run(request_of(seconds=8))
    assert emulator.charges == 2
    with pytest.raises(NotConfirmedError):
        rig_on(emulator, ask_above_usd=1.2).run(request_of("A dearer one.", seconds=8))
    assert emulator.charges == 2


def test_a_clip_above_the_limit_is_refused_without_a_question(emulator, rig_on):
    with pytest.raises(SpendLimitError):
        rig_on(emulator, ask_above_usd=1.0, max_usd_per_clip=1.0).run()
    assert emulator.charges == 0


def test_where_the_price_is_not_known_the_user_is_asked_too(start_emulator, rig_on):
    emulator = start_emulator(base_price_usd=None)
    with pytest.raises(NotConfirmedError, match=r"about \$2.00"):
        rig_on(emulator, ask_above_usd=1.9).run(request_of(seconds=4))
    assert emulator.charges == 0


def test_a_price_that_rose_while_a_clip_waited_for_its_turn_is_asked_about(emulator, rig_on):
    rig = rig_on(emulator, ask_above_usd=1.5)
    real, has_waited = rig.engine._buyer._slots, []

    class TakenByAnother:
        """The slot is free once another clip of the kind has come, and has cost $5."""

        def limit(self):
            return 1

        def held(self, stop, on_wait):
            if not has_waited:
                has_waited.append(True)
                rig.journal.record_cost(rig_on(emulator).run(request_of("another")), 5.0)
            return real().held(stop, on_wait)

    rig.engine._buyer._slots = TakenByAnother
    with pytest.raises(NotConfirmedError):
        rig.run()
    assert emulator.charges == 1


def test_a_question_about_a_price_that_rose_holds_nobody_up(emulator, rig_on):
    rig = rig_on(emulator, ask_above_usd=1.5, max_parallel=1)
    pricing, prices = rig.engine._buyer._pricing, [5.0, 5.0, 1.2]
    real = pricing.expected

    def expected(client, request, stop):
        return (prices.pop(), PriceBound.ABOUT) if request.prompt == "rises" else real(client, request, stop)

    pricing.expected = expected
    asked, answered = threading.Event(), threading.Event()

    def confirm(*_):
        asked.set()
        answered.wait(AT_MOST_S)

    with ThreadPoolExecutor(1) as pool:
        run = Run(StopSignal(), ignore)
        rising = pool.submit(rig.engine.generate, request_of("rises"), run, preflight=ignore, confirm=confirm)
        assert asked.wait(AT_MOST_S)
        prices.append(5.0)
        assert rig.run(request_of("another")).path.exists()
        assert not rising.done()
        answered.set()
        assert rising.result(AT_MOST_S).job.path.exists()
    assert emulator.charges == 2


def test_a_yes_to_a_price_from_is_a_yes_to_what_the_clip_costs(emulator, rig_on):
    rig = rig_on(emulator, ask_above_usd=1.5)
    answers, prices = [], [(9.0, PriceBound.ABOUT), (2.0, PriceBound.AT_LEAST)]
    rig.engine._buyer._pricing.expected = lambda *_: prices.pop()
    rig.engine.generate(
        request_of(), Run(StopSignal(), ignore), preflight=ignore, confirm=lambda *asked: answers.append(asked)
    )
    assert (len(answers), emulator.charges) == (1, 1)
