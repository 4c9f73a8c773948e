import threading

import pytest
from sora2pro.nodes.errors import Stopped
from sora2pro.nodes.runcomfy.progress import Slots, StopSignal


def stopped(*, cancels_remotely=True):
    signal = StopSignal()
    signal.set(cancels_remotely=cancels_remotely)
    return signal


def in_thread(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_a_signal_that_is_not_set_lets_everything_pass():
    signal = StopSignal()
    signal.check()
    signal.sleep(0)
    signal.sleep(-5)
    assert not signal.is_set
    assert not signal.cancels_remotely


@pytest.mark.parametrize("cancels_remotely", [True, False])
def test_a_set_signal_ends_every_wait_and_says_whether_to_cancel(cancels_remotely):
    signal = stopped(cancels_remotely=cancels_remotely)
    for wait in (signal.check, lambda: signal.sleep(3600), lambda: signal.sleep(0)):
        with pytest.raises(Stopped):
            wait()
    assert (signal.is_set, signal.cancels_remotely) == (True, cancels_remotely)


def test_a_stop_from_another_thread_ends_a_long_sleep():
    signal, ended = StopSignal(), threading.Event()

    def sleep():
        with pytest.raises(Stopped):
            signal.sleep(3600)
        ended.set()

    thread = in_thread(sleep)
    signal.set(cancels_remotely=True)
    assert ended.wait(30)
    thread.join(30)


def test_no_more_than_the_limit_hold_a_slot_at_once():
    slots, lock = Slots(lambda: 2, interval_s=0.01), threading.Lock()
    holding, most, met = 0, 0, threading.Barrier(2)

    def hold():
        nonlocal holding, most
        with slots.held(StopSignal(), lambda: None):
            with lock:
                holding += 1
                most = max(most, holding)
            met.wait(30)
            with lock:
                holding -= 1

    threads = [in_thread(hold) for _ in range(6)]
    for thread in threads:
        thread.join(30)
    assert (most, holding) == (2, 0)


def test_a_run_that_is_stopped_while_it_waits_for_its_turn_never_gets_it():
    slots, waits = Slots(lambda: 1, interval_s=0.01), []
    with (
        slots.held(StopSignal(), lambda: None),
        pytest.raises(Stopped),
        slots.held(stopped(), lambda: waits.append("told")),
    ):
        pytest.fail("it got a slot")
    assert waits == ["told"]


def test_a_slot_is_free_again_after_an_error():
    slots = Slots(lambda: 1, interval_s=0.01)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), slots.held(StopSignal(), lambda: None):
            _ = 1 / 0


def test_who_asks_first_says_whether_the_request_is_cancelled_at_runcomfy():
    stop = StopSignal()
    stop.set(cancels_remotely=True)
    stop.set(cancels_remotely=False)
    assert stop.cancels_remotely
