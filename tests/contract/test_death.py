"""kill -9 at every commit and at any moment, then run again: never paid twice, never lost."""

import sys

import pytest
from emulator import Call, Fault, Timeline
from sora2pro.nodes.runcomfy.jobs import JobState
from support import assertions
from support.killed_processes import Forker, RandomKiller

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs fork and pidfd")

COMMITS_OF_A_RUN = ("check", "claim", "submitting", "submitted", "started", "completed", "downloaded")
RANDOM_KILLS = 80


@pytest.fixture(scope="module")
def forker():
    with Forker() as forker:
        yield forker


def test_the_commits_of_a_run_are_all_in_the_table(forker, emulator, tmp_path):
    assert forker.begin(emulator, tmp_path).end() == {"commits": len(COMMITS_OF_A_RUN), "error": None}


@pytest.mark.parametrize("moment", ["before", "within", "after"])
@pytest.mark.parametrize("commit", range(1, len(COMMITS_OF_A_RUN) + 1), ids=COMMITS_OF_A_RUN)
def test_a_death_at_a_commit_costs_nothing(forker, emulator, tmp_path, rig, clip, commit, moment):
    assert forker.begin(emulator, tmp_path, commit=commit, moment=moment).end() is None
    assertions.assert_paid_once_and_known(emulator, rig)
    assertions.assert_clip_for_one_charge(rig, emulator, clip)


def test_a_death_before_anything_is_sent_is_not_a_reason_to_ask_the_user(forker, emulator, tmp_path, rig, clip):
    assert forker.begin(emulator, tmp_path, commit=3, moment="within").end() is None
    assert rig.run().path.read_bytes() == clip
    assert emulator.charges == 1


@pytest.mark.parametrize("after_accept", [False, True])
def test_a_death_during_the_submit_is_told_and_never_repeated(forker, emulator, tmp_path, rig, clip, after_accept):
    emulator.inject(Fault(Call.SUBMIT, "hang", after_accept=after_accept))
    child = forker.begin(emulator, tmp_path)
    emulator.wait_until(lambda: emulator.seen(Call.SUBMIT) and emulator.charges == after_accept)
    child.kill()
    assert child.end() is None
    emulator.clear_faults()
    error = assertions.attempt(rig)
    assert "It is not known whether RunComfy accepted this request" in str(error)
    assert "It may have been charged, so it is not sent again automatically." in str(error)
    assert len(emulator.seen(Call.SUBMIT)) == 1
    assertions.assert_clip_for_one_charge(rig, emulator, clip)


def test_a_death_during_the_download_leaves_no_half_clip_under_its_name(forker, emulator, tmp_path, rig, clip):
    emulator.inject(Fault(Call.DOWNLOAD, "stall"))
    child = forker.begin(emulator, tmp_path)
    emulator.wait_until(lambda: emulator.seen(Call.DOWNLOAD))
    child.kill()
    assert child.end() is None
    emulator.clear_faults()
    assert list((tmp_path / "clips").glob("[!.]*")) == []
    assertions.assert_clip_for_one_charge(rig, emulator, clip)
    assert {path.stem for path in (tmp_path / "clips").iterdir()} == {rig.run().path.stem}


def test_deaths_at_random_moments_cost_nothing(forker, start_emulator, rig_on, tmp_path, clip, death_seed):
    killer = RandomKiller(death_seed)
    for number in range(10 * RANDOM_KILLS):
        emulator, root = start_emulator(), tmp_path / str(number)
        rig = rig_on(emulator, root)
        for _ in range(1 + number % 3):
            killer.visit(lambda: forker.begin(emulator, root))  # noqa: B023 - called at once
            assertions.settle(emulator)
            assertions.assert_paid_once_and_known(emulator, rig)
        assertions.assert_clip_for_one_charge(rig, emulator, clip)
        emulator.close()
        if killer.kills >= RANDOM_KILLS:
            break
    assert killer.kills >= RANDOM_KILLS


def test_two_processes_with_the_same_inputs_pay_once_and_both_get_the_clip(
    forker, start_emulator, rig_on, tmp_path, clip
):
    emulator = start_emulator(Timeline.after_polls(queued=5, rendering=20))
    children = [forker.begin(emulator, tmp_path) for _ in range(2)]
    assert [child.end()["error"] for child in children] == [None, None]
    assertions.assert_clip_for_one_charge(rig_on(emulator), emulator, clip)


def test_the_second_process_takes_over_from_one_that_dies(forker, emulator, tmp_path, rig, clip):
    emulator.hold()
    first = forker.begin(emulator, tmp_path)
    emulator.wait_until(lambda: emulator.seen(Call.STATUS))
    second = forker.begin(emulator, tmp_path)
    assert not second.ends_within(0.5)
    first.kill()
    first.end()
    emulator.release(emulator.requests[0].request_id)
    assert second.end()["error"] is None
    assert rig.journal.newest().state is JobState.DOWNLOADED
    assertions.assert_clip_for_one_charge(rig, emulator, clip)
