"""Faults, deaths and Stop while a clip of the catalogue is bought: never paid twice, never lost.

Each kind of fault strikes once, at one of its calls; those of the description, which this node asks for first, all strike
until somebody fixes them. Every kind at every call is tried on the Sora node, with the same engine.
"""

import sys

import pytest
from emulator import Call, Timeline, fault_matrix
from sora2pro.nodes.runcomfy.progress import Queued, Rendering
from support import assertions, fault_runs
from support.engine_fixture import CatalogueRig
from support.killed_processes import Forker

COMMITS_OF_A_RUN = ("check", "claim", "submitting", "submitted", "started", "completed", "downloaded")
# After acceptance where a kind can strike then too: money is at stake.
ONE_OF_EACH_KIND = {fault.kind.id: fault for fault in fault_matrix(*fault_runs.STEPS)}.values()


@pytest.fixture
def rig_on(tmp_path):
    return lambda emulator, **changes: CatalogueRig(emulator.url, emulator.token, tmp_path, **changes)


@pytest.fixture(scope="module")
def forker():
    with Forker() as forker:
        yield forker


@pytest.mark.parametrize("fault", ONE_OF_EACH_KIND, ids=str)
def test_no_kind_of_fault_costs_a_second_charge_or_the_clip(emulator, rig_on, clip, fault):
    fault_runs.assert_survived(fault, 1, emulator, rig_on, clip)


@pytest.mark.parametrize("fault", fault_matrix(Call.CATALOGUE), ids=str)
def test_no_lasting_fault_of_the_description_costs_a_second_charge_or_the_clip(emulator, rig_on, clip, fault):
    fault_runs.assert_survived(fault, None, emulator, rig_on, clip)


@pytest.mark.parametrize("kind", [Queued, Rendering])
def test_stop_is_told_truly_and_the_next_run_pays_once(start_emulator, rig_on, clip, kind):
    emulator = start_emulator(Timeline.after_polls(queued=3, rendering=3))
    rig = rig_on(emulator)
    said = assertions.stopped_at(kind, rig.run)
    assert emulator.requests[0].request_id in said
    assert assertions.is_called_free(said) == (emulator.charges == 0)
    assertions.assert_paid_once_and_known(emulator, rig)
    assertions.assert_clip_for_one_charge(rig_on(emulator), emulator, clip)


@pytest.mark.skipif(sys.platform != "linux", reason="needs fork and pidfd")
@pytest.mark.parametrize("moment", ["before", "within", "after"])
@pytest.mark.parametrize("commit", range(1, len(COMMITS_OF_A_RUN) + 1), ids=COMMITS_OF_A_RUN)
def test_a_death_at_a_commit_costs_nothing(forker, emulator, tmp_path, rig_on, clip, commit, moment):
    assert forker.begin(emulator, tmp_path, commit=commit, moment=moment, rig="CatalogueRig").end() is None
    rig = rig_on(emulator)
    assertions.assert_paid_once_and_known(emulator, rig)
    assertions.assert_clip_for_one_charge(rig, emulator, clip)
