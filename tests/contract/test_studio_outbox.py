"""The database goes away while a request is sent, and then the process dies: the id is not lost, and nothing is bought twice."""

import sys

import pytest
from sora2pro.nodes.errors import InvalidInputError, SubmissionUncertainError
from sora2pro.nodes.runcomfy.jobs import JobState
from support import assertions
from support.engine_fixture import Rig, request_of
from support.killed_processes import Forker
from support.postgres import Proxy

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs fork and pidfd")


@pytest.fixture(scope="module")
def forker():
    with Forker("psycopg") as forker:
        yield forker


@pytest.fixture
def die(postgres, forker, emulator, tmp_path):
    """Lets a machine die at a moment, after its request was accepted and its connection was cut; the address of its journal."""

    def arrange(moment):
        url, root = postgres.new_database(), tmp_path / "first"
        with Proxy(postgres.port) as proxy:
            through_proxy = url.replace(str(postgres.port), str(proxy.port))
            child = forker.begin(emulator, root, journal_url=through_proxy, moment=moment)
            assertions.wait_until((root / "sends").exists)
            proxy.is_open = False
            proxy.cut()
            (root / "is-cut").touch()
            assert child.end() is None
        assert len(emulator.ledger) == 1
        return url

    return arrange


@pytest.fixture
def again(emulator, tmp_path):
    """The next ComfyUI of a machine."""
    return lambda url, name="first": Rig(emulator.url, emulator.token, tmp_path / name, journal_url=url)


def kept(tmp_path):
    return [path.stem for path in (tmp_path / "first" / "state" / "outbox").glob("*.json")]


@pytest.mark.parametrize("moment", ["after", "untold"])
def test_an_id_that_is_kept_and_was_told_to_nobody_leads_the_next_run_to_the_clip_without_a_question(
    die, again, emulator, tmp_path, clip, moment
):
    url = die(moment)
    assert kept(tmp_path) == [emulator.ledger[0].request_id]
    rig = again(url)
    assert rig.run().path.read_bytes() == clip
    assertions.wait_until(lambda: not kept(tmp_path))
    assertions.assert_clip_for_one_charge(rig, emulator, clip)


def test_a_job_whose_id_is_kept_on_this_disk_is_neither_released_nor_called_uncertain(die, again, emulator, clip):
    url = die("untold")
    rig = again(url)
    with pytest.raises(InvalidInputError, match="RunComfy still has"):
        rig.act("release", "job-1")
    assert rig.collect("job-1").path.read_bytes() == clip
    assertions.assert_clip_for_one_charge(rig, emulator, clip)


@pytest.mark.parametrize("moment", ["before", "within"])
def test_a_death_before_the_id_is_kept_is_told_and_never_repeated(die, again, emulator, tmp_path, clip, moment):
    url = die(moment)
    assert kept(tmp_path) == []
    rig = again(url)
    outcome = assertions.attempt(rig)
    assert isinstance(outcome, SubmissionUncertainError), outcome
    assert len(emulator.ledger) == 1
    assertions.assert_clip_for_one_charge(rig, emulator, clip)


def test_another_machine_buys_nothing_while_the_id_is_kept_where_one_died(die, again, emulator, tmp_path, clip):
    url = die("after")
    second = again(url, "second")
    outcome = assertions.attempt(second)
    assert isinstance(outcome, SubmissionUncertainError), outcome
    assert second.journal.newest().state is JobState.UNCERTAIN
    again(url)
    assertions.wait_until(lambda: not kept(tmp_path))
    assertions.assert_clip_for_one_charge(second, emulator, clip)


def test_an_id_that_was_recorded_just_before_a_death_is_recorded_no_second_time(postgres, again, emulator, tmp_path):
    rig = again(postgres.new_database())
    job = rig.journal.record_submitting(rig.journal.claim(request_of()), expected_usd=1.0, max_usd_per_day=None)
    with rig.connect() as client:
        request_id = client.submit(request_of()).request_id
    outbox = rig.engine._buyer._outbox
    outbox._is_delivering = True  # the test delivers
    outbox.keep(job, request_id)
    (file,) = outbox.folder.glob("*.json")
    content = file.read_bytes()
    assert outbox.deliver()
    bought = rig.run()
    file.write_bytes(content)
    assert outbox.deliver()
    assert kept(tmp_path) == []
    assert rig.journal.newest() == bought
    assert len(emulator.ledger) == 1
