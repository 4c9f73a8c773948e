"""The question for a model's description: nobody waits for another one's, and Stop ends it at once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from emulator import Call, Fault
from emulator.quirks import QUIRKS, Quirk
from sora2pro.nodes.errors import Stopped
from sora2pro.nodes.runcomfy import StopSignal
from support.engine_fixture import CATALOGUE_MODEL, request_of

OTHER_MODEL = "wan-ai/wan-3.0/image-to-video"
AT_MOST_S = 60
AT_ONCE_S = 0.5


@pytest.fixture
def together():
    """Threads for questions at the same moment."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def silent(start_emulator):
    """RunComfy says nothing of one model."""
    return start_emulator(quirks={CATALOGUE_MODEL: QUIRKS["catalogue-silent"]})


def asked(emulator, count=1):
    emulator.wait_until(lambda: len(emulator.seen(Call.CATALOGUE)) >= count)


def stopped_after_s(stop, future):
    """How long a run goes on once it was asked to end."""
    begun = time.monotonic()
    stop.set(cancels_remotely=True)
    with pytest.raises(Stopped):
        future.result(AT_MOST_S)
    return time.monotonic() - begun


def test_a_model_that_nothing_is_said_of_holds_up_no_other(silent, rig_on, together):
    engine, stop = rig_on(silent).engine, StopSignal()
    waiting = together.submit(engine.offer, CATALOGUE_MODEL, stop)
    asked(silent)
    assert engine.offer(OTHER_MODEL, StopSignal()).entry.model_id == OTHER_MODEL
    assert not waiting.done()
    assert stopped_after_s(stop, waiting) < AT_ONCE_S


def test_stop_ends_every_run_that_waits_for_the_same_answer(silent, rig_on, together):
    engine, stops = rig_on(silent).engine, [StopSignal() for _ in range(3)]
    waiting = [together.submit(engine.offer, CATALOGUE_MODEL, stop) for stop in stops]
    asked(silent)
    for stop, future in zip(reversed(stops), reversed(waiting), strict=True):
        assert stopped_after_s(stop, future) < AT_ONCE_S


def test_runs_that_begin_together_go_by_one_description(emulator, rig_on, together):
    engine, met = rig_on(emulator).engine, threading.Barrier(4)

    def offer():
        met.wait(AT_MOST_S)
        return engine.offer(CATALOGUE_MODEL, StopSignal())

    offers = [future.result(AT_MOST_S) for future in [together.submit(offer) for _ in range(4)]]
    assert all(offer.entry is offers[0].entry for offer in offers)
    count = len(emulator.seen(Call.CATALOGUE))
    assert engine.offer(CATALOGUE_MODEL, StopSignal()).entry is offers[0].entry
    assert len(emulator.seen(Call.CATALOGUE)) == count


def test_a_price_that_runcomfy_has_changed_is_known_within_the_hour(start_emulator, rig_on):
    emulator, seconds = start_emulator(), [0.0]
    engine = rig_on(emulator, clock=lambda: seconds[0]).engine

    def price_usd():
        return engine.offer(CATALOGUE_MODEL, StopSignal()).entry.base_price_usd

    before = price_usd()
    emulator.configure(quirks={CATALOGUE_MODEL: Quirk(entry={"base_price_usd": 2 * before})})
    assert price_usd() == before
    seconds[0] += 3600
    assert price_usd() == 2 * before


def test_stop_ends_the_wait_for_the_answer_to_another_run_s_question_for_the_price(emulator, rig_on, together):
    emulator.inject(Fault(Call.CATALOGUE, "hang", times=None))
    rig, stops = rig_on(emulator), [StopSignal(), StopSignal()]
    first = together.submit(rig.run, request_of("One."), stop=stops[0])
    asked(emulator)
    second = together.submit(rig.run, request_of("Another."), stop=stops[1])
    emulator.wait_until(second.running)
    time.sleep(0.2)
    assert stopped_after_s(stops[1], second) < AT_ONCE_S
    assert stopped_after_s(stops[0], first) < AT_ONCE_S
    assert (emulator.charges, emulator.seen(Call.SUBMIT)) == (0, [])
