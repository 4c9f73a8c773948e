"""Every fault at every step of a generation, once and until somebody mends it: never paid twice, never lost."""

import socket
import time
from itertools import count

import pytest
from emulator import Call, Fault, Timeline, fault_matrix
from sora2pro.nodes.errors import NOTHING_SENT, APIConnectionError, GenerationTimeoutError, RunComfyError
from sora2pro.nodes.runcomfy.jobs import JobState
from sora2pro.nodes.runcomfy.progress import Queued
from support import assertions, fault_runs
from support.clock import Clock
from support.engine_fixture import Rig

DURATIONS = pytest.mark.parametrize("times", [1, None], ids=["once", "persistent"])


@DURATIONS
@pytest.mark.parametrize("fault", fault_matrix(*fault_runs.STEPS), ids=str)
def test_no_fault_costs_a_second_charge_or_the_clip(emulator, rig_on, clip, fault, times):
    fault_runs.assert_survived(fault, times, emulator, rig_on, clip)


# Noise in place of the second half leaves the length and the index right: only decoding can tell.
@pytest.mark.parametrize("fault", [f for f in fault_matrix(Call.DOWNLOAD) if f.kind.id != "junk"], ids=str)
def test_no_fault_of_a_resumed_download_costs_the_clip(emulator, rig_on, clip, fault):
    emulator.inject(Fault(Call.DOWNLOAD, "truncated"), fault_runs.coming(fault, times=1))
    assertions.attempt(rig_on(emulator, timeouts=fault_runs.hasty(fault)))
    emulator.clear_faults()
    assertions.assert_clip_for_one_charge(rig_on(emulator), emulator, clip)


@DURATIONS
@pytest.mark.parametrize("fault", fault_matrix(Call.CANCEL), ids=str)
def test_no_fault_of_a_cancellation_costs_a_second_charge_or_the_clip(start_emulator, rig_on, clip, fault, times):
    clock = Clock()
    emulator = start_emulator(Timeline.by_clock(queued_s=60, rendering_s=60), clock=clock)
    rig = rig_on(emulator, timeouts=fault_runs.hasty(fault))
    said = assertions.stopped_at(Queued, rig.run, just_before=lambda: emulator.inject(fault_runs.coming(fault, times)))
    assert "request_id: req-" in said
    assert emulator.charges == 0 or not assertions.is_called_free(said)
    assertions.assert_paid_once_and_known(emulator, rig_on(emulator))
    emulator.clear_faults()
    clock.step_s = 60
    assertions.assert_clip_for_one_charge(rig_on(emulator), emulator, clip)


@pytest.mark.parametrize("fault", fault_matrix(Call.BALANCE), ids=str)
def test_a_balance_that_cannot_be_read_is_an_error_of_ours(emulator, rig_on, fault):
    emulator.inject(fault_runs.coming(fault, None, fault_runs.LASTING))
    with rig_on(emulator, timeouts=fault_runs.hasty(fault)).connect() as client, pytest.raises(RunComfyError):
        client.balance_usd()
    assert emulator.ledger == []


@pytest.fixture(params=["name not found", "nobody listens"])
def unreachable_url(request, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    if request.param == "name not found":
        yield "http://model-api.invalid"
    else:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def test_a_server_that_cannot_be_reached_costs_nothing_and_the_next_run_buys(
    unreachable_url, emulator, rig_on, clip, tmp_path
):
    error = assertions.attempt(Rig(unreachable_url, emulator.token, tmp_path))
    assert isinstance(error, APIConnectionError)
    assert NOTHING_SENT in str(error)
    rig = rig_on(emulator)
    assert rig.journal.newest().state is JobState.PREPARED
    assertions.assert_clip_for_one_charge(rig, emulator, clip)


def test_a_server_that_goes_away_later_leaves_the_clip_to_be_collected(
    unreachable_url, start_emulator, rig_on, clip, tmp_path
):
    emulator = start_emulator(Timeline.after_polls(queued=0, rendering=1_000_000))
    assert isinstance(assertions.attempt(rig_on(emulator, timeout_s=0.1)), GenerationTimeoutError)
    connect = Rig(unreachable_url, emulator.token, tmp_path).connect
    gone = assertions.attempt(rig_on(emulator, timeout_s=0.1, connect=connect))
    assert isinstance(gone, RunComfyError)
    assertions.assert_honest(gone, emulator)
    emulator.release(emulator.requests[0].request_id)
    assertions.assert_clip_for_one_charge(rig_on(emulator), emulator, clip)


@pytest.mark.parametrize("looks", range(1, 16))
@pytest.mark.parametrize("step_s", [-10 * 365 * 86_400, -3600, 3600, 10 * 365 * 86_400])
def test_a_clock_that_is_set_while_a_clip_is_made_costs_nothing(emulator, rig_on, clip, step_s, looks):
    times = count()

    def wall_clock():
        return time.time() + (step_s if next(times) >= looks else 0)

    rig = rig_on(emulator, wall_clock=wall_clock, max_usd_per_day=5.0)
    assertions.assert_clip_for_one_charge(rig, emulator, clip)
