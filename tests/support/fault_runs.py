"""One fault, one run in the middle of it, one run after it: what every fault has to pass."""

from dataclasses import replace

from emulator import Call, Fault, State
from sora2pro.nodes.errors import RunComfyError

from support import assertions
from support.engine_fixture import PATIENT

STEPS = (Call.CATALOGUE, Call.SUBMIT, Call.STATUS, Call.RESULT, Call.DOWNLOAD)
# What comes the same each time is what RunComfy has: it is kept, and loaded again only after the user deleted it.
KEPT = {"junk", "no-moov", "truncated-unannounced"}
SILENT = {"hang", "stall"}
BRIEF = {"refused": {"closed_s": 0.3}, "huge-length": {"declared_bytes": 1 << 40}, "endless": {"limit_bytes": 3 << 20}}
LASTING = {**BRIEF, "refused": {"closed_s": None}}  # however long a busy machine takes until it asks


def coming(fault, times, arguments=BRIEF):
    """The fault as this test lets it strike: as often as wanted, and with no longer waits than it needs."""
    return Fault(
        fault.call, fault.kind, after_accept=fault.after_accept, times=times, **arguments.get(fault.kind.id, {})
    )


def hasty(fault):
    """Limits that end a silence soon, and only where one is to come."""
    if fault.kind.id not in SILENT:
        return PATIENT
    if fault.call is Call.SUBMIT:
        return replace(PATIENT, submit_read_s=0.15)
    return replace(PATIENT, read_s=0.15, quick_s=0.15)


def assert_nothing_is_lost(emulator, rig, clip):
    if any(request.state in {State.FAILED, State.CANCELLED} for request in emulator.requests):
        assertions.assert_ended_for_good(rig, emulator)
    else:
        assertions.assert_clip_for_one_charge(rig, emulator, clip)
    assert emulator.leaks == []


def assert_survived(fault, times, emulator, rig_on, clip):
    """Never paid twice, never lost.

    times: how often it strikes; None for until the end of the first run.
    rig_on: builds an engine on an emulator, always on the same folder.
    """
    emulator.inject(coming(fault, times))
    rig = rig_on(emulator, timeouts=hasty(fault), timeout_s=60.0 if times else 0.2)
    outcome = assertions.attempt(rig)
    assertions.assert_paid_once_and_known(emulator, rig)
    if isinstance(outcome, RunComfyError):
        assertions.assert_honest(outcome, emulator)
    elif fault.kind.id in KEPT and times is None:
        outcome.path.unlink()
    emulator.clear_faults()
    assert_nothing_is_lost(emulator, rig_on(emulator), clip)
