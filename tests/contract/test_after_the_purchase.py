"""Between the purchase and the clip everything ends in the clip, or in a sentence with the money and the id."""

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from emulator import Call, Fault, State, Timeline
from sora2pro.nodes.errors import RunComfyError, Stopped
from sora2pro.nodes.runcomfy.api.client import Timeouts
from sora2pro.nodes.runcomfy.jobs import JobState
from sora2pro.nodes.runcomfy.progress import Queued, Retrying, StopSignal
from support import assertions
from support.engine_fixture import PATIENT, Rig, request_of
from support.loopback_server import Loopback, answer, dripping

OWN = "https://playgrounds-storage-public.runcomfy.net"
MALFORMED = [
    "https://[x",
    "https://" + "a" * 70 + ".runcomfy.net/c.mp4",
    "https://runcomfy.net:99999/c.mp4",
    "https:///c.mp4",
    "https://\ud800.runcomfy.net/\udfff.mp4",
    "https://evil.example/\x1b[31m\u202e" + "x" * 9000,
]


def answered(call, **put):
    """A call that is answered with some keys set."""
    if call is Call.SUBMIT:
        return Fault(call, "id-null", after_accept=True, times=None, put=put)
    return Fault(call, "unknown-status", times=None, put=put)


@pytest.mark.parametrize("code", ["0", "000000", 200, "OK", 400_002])
def test_an_accepted_request_is_never_thrown_away_for_the_code_beside_it(emulator, rig, clip, code):
    emulator.inject(answered(Call.SUBMIT, error_code=code))
    assertions.assert_clip_for_one_charge(rig, emulator, clip)


@pytest.mark.parametrize("call", [Call.STATUS, Call.RESULT])
@pytest.mark.parametrize("code", ["0", "000000", 200, "OK"])
def test_a_code_that_says_that_all_is_well_makes_no_clip_uncollectable(emulator, rig, clip, call, code):
    emulator.inject(answered(call, error_code=code))
    assertions.assert_clip_for_one_charge(rig, emulator, clip)


@pytest.mark.parametrize("address", MALFORMED)
def test_a_malformed_address_ends_in_a_sentence_and_the_clip_can_be_had_later(emulator, rig_on, clip, address):
    emulator.inject(answered(Call.RESULT, output={"video": address}))
    error = assertions.attempt(rig_on(emulator))
    assert isinstance(error, RunComfyError)
    assertions.assert_honest(error, emulator)
    assert emulator.requests[0].request_id in str(error)
    assert str(error).isprintable()
    emulator.clear_faults()
    assertions.assert_clip_for_one_charge(rig_on(emulator), emulator, clip)


def test_the_words_of_an_answer_are_shown_short_and_clean(emulator, rig_on):
    evil = "\x1b[31m\u202e" + "x" * 100_000
    emulator.inject(answered(Call.RESULT, status="failed", output=None, error=evil))
    error = assertions.attempt(rig_on(emulator))
    assert str(error).isprintable()
    assert len(str(error)) < 1500


@pytest.mark.parametrize("kind", ["404", "403"])
def test_a_file_that_the_storage_does_not_know_yet_is_waited_for(emulator, rig_on, clip, kind):
    emulator.inject(Fault(Call.DOWNLOAD, kind, times=None))
    known = threading.Timer(1.0, emulator.clear_faults)
    known.start()
    job = rig_on(emulator, fresh_link_waits_s=(0.3, 0.6, 1.2)).run()
    assert job.path.read_bytes() == clip
    assert emulator.charges == 1


def test_stop_ends_the_wait_for_a_file_that_is_not_known_yet(emulator, rig_on, clip):
    emulator.inject(Fault(Call.DOWNLOAD, "404", times=None))
    said = assertions.stopped_at(Retrying, rig_on(emulator, fresh_link_waits_s=(3600.0,)).run)
    assert "there is no new charge" in said
    emulator.clear_faults()
    assertions.assert_clip_for_one_charge(rig_on(emulator), emulator, clip)


@pytest.mark.skipif(os.name != "posix" or os.uname().sysname != "Linux", reason="such names are only on Linux")
def test_an_output_folder_whose_name_is_not_utf8_ends_in_a_sentence(emulator, rig_on, clip, tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/f\xfcr"))
    error = assertions.attempt(rig_on(emulator, output_dir=folder))
    assert isinstance(error, RunComfyError)
    assert "not valid UTF-8" in str(error)
    assert str(error).isprintable()
    assertions.assert_honest(error, emulator)
    assertions.assert_clip_for_one_charge(rig_on(emulator), emulator, clip)


def serve(drip_from):
    """An API that accepts, and drips from a call on."""

    def reply(request):
        if drip_from in request.partition("\r\n")[0]:
            return dripping(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 9999)
        if request.startswith("POST"):
            return answer(b'{"request_id": "abc", "status": "cancelled", "outcome": "cancelled"}')
        return answer(b'{"status": "in_queue"}')

    return reply


@pytest.mark.parametrize("drip_from", ["GET /v1/models", "POST /v1/models", "/status"])
def test_after_a_call_that_drips_the_lock_of_the_job_is_free(tmp_path, drip_from):
    hasty = Timeouts(connect_s=0.3, read_s=0.3, submit_read_s=0.3, quick_s=0.3)
    with Loopback(serve(drip_from)) as server:
        rig = Rig(server.url, "rc-0123456789", tmp_path, timeouts=hasty, timeout_s=1.0, poll_interval_s=0.2)
        stop = StopSignal()
        threading.Timer(3.0, lambda: stop.set(cancels_remotely=False)).start()
        with pytest.raises((RunComfyError, Stopped)):
            rig.run(stop=stop)
        with rig.journal.lock(request_of().validated().fingerprint()) as lock:
            assert lock.try_acquire()
        assert rig.journal.newest().state in (JobState.UNCERTAIN, JobState.SUBMITTED)


@pytest.mark.parametrize("drip_from", ["GET /v1/models", "/status"])
def test_stop_ends_a_run_long_before_an_answer_that_drips(tmp_path, drip_from):
    with Loopback(serve(drip_from)) as server:
        timeouts = replace(PATIENT, quick_s=30.0 if drip_from != "/status" else 0.2)
        rig, stop = Rig(server.url, "rc-0123456789", tmp_path, timeouts=timeouts), StopSignal()
        pressed = []
        threading.Timer(1.0, lambda: (pressed.append(time.monotonic()), stop.set(cancels_remotely=True))).start()
        with pytest.raises(Stopped) as stopped:
            rig.run(stop=stop)
        # The answer would take minutes. The request that is queued is cancelled first, and whether it was is asked.
        assert time.monotonic() - pressed[0] < 5
        assert str(stopped.value)


def cancelled_in_the_queue(rig):
    """The job of a run that its user stopped before RunComfy had begun with it."""
    stop = StopSignal()
    with pytest.raises(Stopped):
        rig.run(stop=stop, report=lambda now: isinstance(now, Queued) and stop.set(cancels_remotely=True))
    return rig.journal.newest()


def test_a_cancelled_request_that_ran_after_all_is_collected_though_its_inputs_were_bought_again(
    start_emulator, rig_on, clip
):
    emulator = start_emulator(Timeline.by_hand())
    rig = rig_on(emulator)
    first = cancelled_in_the_queue(rig)
    rig.run(report=lambda now: isinstance(now, Queued) and emulator.release(now.request_id, State.SUCCEEDED))
    emulator.release(first.request_id, State.SUCCEEDED)
    collected = rig.collect(first.name)
    assert (collected.id, collected.path.read_bytes()) == (first.id, clip)
    assert rig.run().id != first.id
    assert emulator.charges == 2


def test_a_cancelled_request_that_ran_after_all_is_collected_though_buying_again_was_refused(
    start_emulator, rig_on, clip
):
    emulator = start_emulator(Timeline.by_hand())
    rig = rig_on(emulator)
    first = cancelled_in_the_queue(rig)
    emulator.inject(Fault(Call.SUBMIT, "429", times=None))
    assert isinstance(assertions.attempt(rig), RunComfyError)
    emulator.clear_faults()
    emulator.release(first.request_id, State.SUCCEEDED)
    assert rig.collect(first.name).path.read_bytes() == clip
    assert rig.run().id == first.id
    assert emulator.charges == 1


def test_a_cost_that_runcomfy_names_for_a_cancelled_request_counts(start_emulator, rig_on):
    emulator = start_emulator(Timeline.after_polls(queued=0, rendering=1_000_000))
    rig = rig_on(emulator, timeout_s=0.05)
    assertions.attempt(rig)
    job = rig.journal.record_cancel_requested(rig.journal.newest())
    emulator.inject(
        answered(Call.STATUS, status="cancelled"), answered(Call.RESULT, status="cancelled", output=None, cost=1.2)
    )
    with pytest.raises(RunComfyError, match=r"RunComfy charged \$1.20"):
        rig.collect(job.name)
    assert rig.history.totals().today_usd == pytest.approx(1.2)
