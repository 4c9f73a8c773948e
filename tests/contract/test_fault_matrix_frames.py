"""What a graph gets after a fault or a death: all frames of the clip, in order, for one charge."""

import contextlib
import sys

import pytest
from emulator import Call, Fault
from sora2pro.nodes.errors import RunComfyError, SubmissionUncertainError
from sora2pro.nodes.run import current
from support import assertions, clips, node_runs
from support.killed_processes import Forker, RandomKiller

KILLS = 12
NODES = pytest.mark.parametrize("node", ["run_node", "run_any_node"])  # functions of `node_runs`
SAMPLE = (
    Fault(Call.CATALOGUE, "500", times=None),
    Fault(Call.CATALOGUE, "html-200"),
    Fault(Call.CATALOGUE, "cut-off", times=None),
    Fault(Call.SUBMIT, "closed", after_accept=True),
    Fault(Call.SUBMIT, "503", after_accept=True),
    Fault(Call.SUBMIT, "id-missing", after_accept=True),
    Fault(Call.SUBMIT, "502"),
    Fault(Call.SUBMIT, "402"),
    Fault(Call.SUBMIT, "refused"),
    Fault(Call.STATUS, "html-503"),
    Fault(Call.STATUS, "upper-case-status", times=None),
    Fault(Call.STATUS, "401"),
    Fault(Call.RESULT, "garbage-json"),
    Fault(Call.RESULT, "foreign-output"),
    Fault(Call.DOWNLOAD, "truncated"),
    Fault(Call.DOWNLOAD, "expired"),
    Fault(Call.DOWNLOAD, "junk"),
    Fault(Call.DOWNLOAD, "redirect-allowed"),
)


@pytest.fixture
def emulator(emulator, point_to):
    point_to(emulator)
    current._engine.cache_clear()
    return emulator


@pytest.fixture(scope="module")
def forker():
    with Forker("support.node_runs") as forker:
        yield forker


def frames_after_trouble(emulator, run):
    """The frames that a run of a node gives; what is uncertain is taken out of it with `Sora2ProStatus`, as the message says."""
    try:
        (output,) = run()
    except SubmissionUncertainError as error:
        if emulator.ledger:
            node_runs.run_status(emulator.ledger[0].request_id, "adopt")
        else:
            node_runs.run_status(f"job-{error.job_id}", "release")
        (output,) = run()
    return output.frames


@NODES
@pytest.mark.parametrize("fault", SAMPLE, ids=str)
def test_after_a_fault_the_node_gives_every_frame_for_one_charge(emulator, fault, node):
    run = getattr(node_runs, node)
    emulator.inject(fault)
    with contextlib.suppress(RunComfyError):
        run()
    emulator.clear_faults()
    frames = frames_after_trouble(emulator, run)
    assert [clips.read_frame_number(frame) for frame in frames] == list(range(8))
    assert emulator.charges == 1
    assert emulator.leaks == []


@NODES
@pytest.mark.skipif(sys.platform != "linux", reason="needs fork and pidfd")
def test_a_node_that_is_killed_at_any_moment_gives_every_frame_for_one_charge(
    forker, start_emulator, point_to, tmp_path, death_seed, node
):
    killer = RandomKiller(death_seed)
    for number in range(10 * KILLS):
        emulator, root = start_emulator(), tmp_path / str(number)
        point_to(emulator, root)
        environment = emulator.environment(root)
        killer.visit(lambda: forker.begin(emulator, root, environment=environment, node=node))  # noqa: B023 - called at once
        assertions.settle(emulator)
        assert len(frames_after_trouble(emulator, getattr(node_runs, node))) == 8
        assert emulator.charges == 1
        emulator.close()
        if killer.kills >= KILLS:
            break
    assert killer.kills >= KILLS
