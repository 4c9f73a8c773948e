"""Settings change while clips are made: what may be spent is what the settings say now."""

import threading

import pytest
from emulator import Call, Timeline
from sora2pro.nodes.errors import NOTHING_SENT, SpendLimitError
from sora2pro.nodes.run.current import current_engine
from sora2pro.nodes.runcomfy.progress import Run, StopSignal, WaitingForSlot, ignore
from support.engine_fixture import request_of

BY_HAND = Timeline.by_hand()


@pytest.fixture
def run():
    """Starts a run with the engine for the settings of the moment; all are stopped at the end."""
    stop, threads = StopSignal(), []

    def start(seed, report=ignore):
        outcome = []

        def work(engine):
            try:
                outcome.append(engine.generate(request_of(seed=seed), Run(stop, report)).job)
            except BaseException as error:  # noqa: BLE001 - it travels to the test
                outcome.append(error)

        threads.append(threading.Thread(target=work, args=(current_engine(),)))
        threads[-1].start()
        return threads[-1], outcome

    yield start
    stop.set(cancels_remotely=False)
    for thread in threads:
        thread.join(60)


def submits(emulator):
    return len(emulator.seen(Call.SUBMIT))


def test_paid_requests_in_flight_are_counted_over_changes_of_settings(start_emulator, point_to, run, monkeypatch):
    emulator = start_emulator(BY_HAND)
    point_to(emulator, RUNCOMFY_MAX_PARALLEL="1")
    run(1)
    emulator.wait_until(lambda: submits(emulator) == 1)
    point_to(emulator, RUNCOMFY_MAX_PARALLEL="1", RUNCOMFY_TIMEOUT_S="900")
    waits = threading.Event()
    run(2, lambda progress: waits.set() if isinstance(progress, WaitingForSlot) else None)
    assert waits.wait(60)
    assert submits(emulator) == 1
    monkeypatch.setenv("RUNCOMFY_MAX_PARALLEL", "2")
    emulator.wait_until(lambda: submits(emulator) == 2)


def test_a_lowered_number_of_requests_holds_at_once(start_emulator, point_to, run):
    emulator = start_emulator(BY_HAND)
    point_to(emulator, RUNCOMFY_MAX_PARALLEL="4")
    run(1)
    run(2)
    emulator.wait_until(lambda: submits(emulator) == 2)
    point_to(emulator, RUNCOMFY_MAX_PARALLEL="2")
    waits = threading.Event()
    run(3, lambda progress: waits.set() if isinstance(progress, WaitingForSlot) else None)
    assert waits.wait(60)
    assert submits(emulator) == 2
    emulator.release(emulator.requests[0].request_id)
    emulator.wait_until(lambda: submits(emulator) == 3)


def test_a_cap_that_is_lowered_holds_for_a_run_that_waits_for_its_turn(start_emulator, point_to, run, monkeypatch):
    emulator = start_emulator(BY_HAND)
    point_to(emulator, RUNCOMFY_MAX_PARALLEL="1")
    run(1)
    emulator.wait_until(lambda: submits(emulator) == 1)
    waits = threading.Event()
    thread, outcome = run(2, lambda progress: waits.set() if isinstance(progress, WaitingForSlot) else None)
    assert waits.wait(60)
    monkeypatch.setenv("RUNCOMFY_MAX_USD_PER_DAY", "0")
    emulator.release(emulator.requests[0].request_id)
    thread.join(60)
    assert isinstance(outcome[0], SpendLimitError)
    assert NOTHING_SENT in str(outcome[0])
    assert emulator.charges == 1
