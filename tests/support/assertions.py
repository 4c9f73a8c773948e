"""What the pack promises about money and clips, as assertions that every fault, every kill and every Stop has to pass."""

import threading
import time

import pytest
from emulator.visitor import Visitor
from sora2pro.nodes.errors import (
    GenerationCancelledError,
    GenerationFailedError,
    RunComfyError,
    Stopped,
    SubmissionUncertainError,
)
from sora2pro.nodes.runcomfy.jobs import JobState
from sora2pro.nodes.runcomfy.progress import StopSignal

FREE = ("nothing was charged", "nothing is charged", "nothing was sent")


def attempt(rig, request=None, **options):
    """The job, or the error the user reads; anything that is not ours goes through and fails the test."""
    try:
        return rig.run(request, **options)
    except RunComfyError as error:
        return error


def wait_until(is_so, seconds=30.0):
    """Waits for what another thread or process is to do."""
    give_up_at = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < give_up_at, "it did not come to that"
        time.sleep(0.02)


def stopped_at(kind, run, *, cancels_remotely=True, just_before=lambda: None):
    """What the user reads who presses Stop as soon as a run reports a kind of progress.

    run: called with `stop` and `report`.
    """
    stop = StopSignal()

    def press(progress):
        if isinstance(progress, kind):
            just_before()
            stop.set(cancels_remotely=cancels_remotely)

    with pytest.raises(Stopped) as stopped:
        run(stop=stop, report=press)
    return str(stopped.value)


def is_called_free(text):
    """Whether the user reads that he pays nothing."""
    return any(words in text.casefold() for words in FREE)


def assert_paid_once_and_known(emulator, rig):
    """No fingerprint is charged twice, and every charge has a row of the journal that leads to it."""
    assert all(count == 1 for count in emulator.charges_by_body().values())
    uncertain = len(rig.journal.in_state(JobState.UNCERTAIN)) + len(rig.journal.in_state(JobState.SUBMITTING))
    strays = [charge for charge in emulator.ledger if rig.journal.by_request_id(charge.request_id) is None]
    assert len(strays) <= uncertain


def assert_honest(error, emulator):
    """An error says what to do and what it means for the money, never calls a charge free, and never shows the token."""
    text = str(error)
    assert error.money, text
    assert error.remedy, text
    assert emulator.token not in text
    if emulator.ledger and not isinstance(error, GenerationCancelledError):
        assert not is_called_free(text), text


def settle(emulator):
    """Wait until all that dead clients have sent is dealt with: connections are taken first come, first served."""
    Visitor(emulator).ask("GET", "/prod/v2/balance")
    emulator.wait_until(lambda: not any(thread.name == "emulator-call" for thread in threading.enumerate()))


def finish(rig, emulator, request=None):
    """Run again after the trouble, as a user does: an uncertain job is adopted if its clip is there, released if not."""
    outcome = attempt(rig, request)
    if isinstance(outcome, SubmissionUncertainError):
        assert_honest(outcome, emulator)
        assert_paid_once_and_known(emulator, rig)
        if emulator.ledger:
            rig.act("adopt", f"job-{outcome.job_id} {emulator.ledger[-1].request_id}")
        else:
            rig.act("release", f"job-{outcome.job_id}")
        outcome = attempt(rig, request)
    return outcome


def assert_clip_for_one_charge(rig, emulator, clip, request=None):
    """After the trouble: the clip, whole, for one charge in all, and from then on without asking anybody."""
    job = finish(rig, emulator, request)
    assert not isinstance(job, RunComfyError), job
    assert job.path.read_bytes() == clip
    assert [charge.refunded for charge in emulator.ledger].count(False) == 1
    assert_paid_once_and_known(emulator, rig)
    calls = len(emulator.calls)
    assert rig.run(request).path == job.path
    assert len(emulator.calls) == calls


def assert_ended_for_good(rig, emulator):
    """RunComfy ended the request without a clip: it says so each time, and nothing is bought again by itself."""
    charges = len(emulator.ledger)
    for _ in range(2):
        error = attempt(rig)
        assert isinstance(error, GenerationFailedError | GenerationCancelledError), error
        assert_honest(error, emulator)
    assert len(emulator.ledger) == charges
    assert_paid_once_and_known(emulator, rig)
