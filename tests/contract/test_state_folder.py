"""The state folder misbehaves: nothing is bought without a record, and no charge is called none."""

import contextlib
import errno
import shutil
import sqlite3
from pathlib import Path

import pytest
from emulator import Call, State, Timeline
from sora2pro.nodes.errors import NOTHING_SENT, JournalUnavailableError, RunComfyError, Stopped
from sora2pro.nodes.runcomfy.progress import Queued, Rendering, StopSignal
from sora2pro.nodes.runcomfy.store import database, locks
from sora2pro.nodes.runcomfy.store.database import Database
from support import assertions
from support.engine_fixture import request_of

PAGE_BYTES = 4096
ACCESSES = pytest.mark.parametrize("access", range(1, 13))
DURATIONS = pytest.mark.parametrize("is_lasting", [False, True], ids=["once", "lasting"])
RENDERING = Timeline.after_polls(queued=0, rendering=1_000_000)


class TroubledDatabase(Database):
    """Cannot be opened at its `access`th use; if `is_lasting`, from then on."""

    def __init__(self, path, access, *, is_lasting):
        super().__init__(path)
        self._access, self._is_lasting, self._uses = access, is_lasting, 0

    def _connect(self):
        self._uses += 1
        if self._uses == self._access or (self._is_lasting and self._uses > self._access):
            raise sqlite3.OperationalError("disk I/O error")
        return super()._connect()


class ForgetfulDatabase(Database):
    """Says of its `commit`th commit that it failed; `is_made`: it is on the disk all the same."""

    def __init__(self, path, commit, *, is_made):
        super().__init__(path)
        self._left, self._is_made = commit, is_made

    @contextlib.contextmanager
    def writing(self):
        self._left -= 1
        fails = self._left == 0
        with super().writing() as connection:
            yield connection
            if fails and not self._is_made:
                raise sqlite3.OperationalError("disk I/O error")
        if fails:
            raise JournalUnavailableError("The journal cannot be used (disk I/O error).", remedy="Run it again.")


class FullDatabase(Database):
    """On a disk without room for one more page."""

    def _open(self):
        connection = super()._open()
        connection.execute("PRAGMA max_page_count = 1")
        return connection


@pytest.fixture
def journal_path(tmp_path):
    return tmp_path / "state" / "journal.sqlite3"


def assert_refused_before_money(outcome, emulator):
    assert isinstance(outcome, JournalUnavailableError), outcome
    assert NOTHING_SENT in str(outcome)
    assert outcome.remedy
    assert emulator.seen(Call.SUBMIT) == []


def assert_nothing_is_lost_by(database, emulator, rig_on, clip):
    outcome = assertions.attempt(rig_on(emulator, database=database))
    if isinstance(outcome, RunComfyError):
        assertions.assert_honest(outcome, emulator)
    rig = rig_on(emulator)
    assertions.assert_paid_once_and_known(emulator, rig)
    assertions.assert_clip_for_one_charge(rig, emulator, clip)


def test_a_state_folder_that_is_a_file_stops_before_money(emulator, rig, tmp_path, clip):
    (tmp_path / "state").write_text("not a folder", encoding="utf-8")
    assert_refused_before_money(assertions.attempt(rig), emulator)
    (tmp_path / "state").unlink()
    assertions.assert_clip_for_one_charge(rig, emulator, clip)


def test_a_folder_for_locks_that_is_a_file_stops_before_money(emulator, rig, tmp_path, clip):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "locks").write_text("not a folder", encoding="utf-8")
    assert_refused_before_money(assertions.attempt(rig), emulator)
    (tmp_path / "state" / "locks").unlink()
    assertions.assert_clip_for_one_charge(rig, emulator, clip)


def test_a_full_disk_stops_before_money(emulator, rig_on, journal_path, clip):
    long = request_of("A fox runs. " * 500)
    rig_on(emulator).journal.check_writable()
    outcome = assertions.attempt(rig_on(emulator, database=FullDatabase(journal_path)), long)
    assert_refused_before_money(outcome, emulator)
    assert "full" in str(outcome)
    assertions.assert_clip_for_one_charge(rig_on(emulator), emulator, clip, long)


def test_a_journal_that_another_program_holds_stops_before_money(emulator, rig_on, journal_path, clip):
    rig = rig_on(emulator, database=Database(journal_path, busy_timeout_s=0.01))
    rig.journal.check_writable()
    with contextlib.closing(sqlite3.connect(journal_path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert_refused_before_money(assertions.attempt(rig), emulator)
    assertions.assert_clip_for_one_charge(rig, emulator, clip)


def test_a_file_system_that_refuses_locks_stops_before_money(emulator, rig, clip, monkeypatch):
    def refuse(_descriptor, **_how):
        raise OSError(errno.ENOLCK, "No locks available")

    # The operating system is what misbehaves here, so that is where the test reaches in.
    monkeypatch.setattr(locks, "_lock", refuse)
    outcome = assertions.attempt(rig)
    assert_refused_before_money(outcome, emulator)
    assert "No locks available" in str(outcome)
    assert "a folder on a local disk" in str(outcome)
    monkeypatch.undo()
    assertions.assert_clip_for_one_charge(rig, emulator, clip)


def test_a_journal_of_a_newer_version_is_left_as_it_is(emulator, rig_on, journal_path):
    rig_on(emulator).journal.check_writable()
    with contextlib.closing(sqlite3.connect(journal_path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = journal_path.read_bytes()
    outcome = assertions.attempt(rig_on(emulator))
    assert_refused_before_money(outcome, emulator)
    assert "newer version" in str(outcome)
    assert journal_path.read_bytes() == before


def noise(content):
    return b"\x17" * len(content)


def half(content):
    return content[: len(content) // 2]


def hole(content):
    return content[:PAGE_BYTES] + bytes(PAGE_BYTES) + content[2 * PAGE_BYTES :]


@pytest.mark.parametrize("damage", [noise, half, hole])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_damaged_journal_is_kept_aside_and_nothing_is_bought_in_that_run(
    emulator, rig_on, journal_path, damage, is_restarted
):
    rig = rig_on(emulator)
    rig.run()
    damaged = damage(journal_path.read_bytes())
    journal_path.write_bytes(damaged)
    rig = rig_on(emulator) if is_restarted else rig
    outcome = assertions.attempt(rig)
    assert isinstance(outcome, JournalUnavailableError), outcome
    (aside,) = journal_path.parent.glob("journal.damaged-*")
    assert aside.read_bytes() == damaged
    assert str(aside) in str(outcome)
    assert "look in the output folder and under Generations" in str(outcome)
    assert emulator.charges == 1


def test_a_clip_bought_before_the_damage_is_collected_by_its_id(emulator, rig_on, journal_path, clip):
    request_id = rig_on(emulator).run().request_id
    journal_path.write_bytes(noise(journal_path.read_bytes()))
    rig = rig_on(emulator)
    assert isinstance(assertions.attempt(rig), JournalUnavailableError)
    assert rig.collect(request_id).path.read_bytes() == clip
    assert emulator.charges == 1


@pytest.mark.parametrize(("page", "is_restarted"), [(3, False), (3, True), (4, True)])
def test_a_job_that_can_be_read_in_a_damaged_journal_is_not_bought_again(
    emulator, rig_on, journal_path, clip, page, is_restarted
):
    rig = rig_on(emulator)
    bought = rig.run()
    content = bytearray(journal_path.read_bytes())
    content[page * PAGE_BYTES : (page + 1) * PAGE_BYTES] = noise(bytes(PAGE_BYTES))
    journal_path.write_bytes(content)
    rig = rig_on(emulator) if is_restarted else rig
    outcome = assertions.attempt(rig)
    assert isinstance(outcome, JournalUnavailableError), outcome
    assert "1 job, is in a new one" in str(outcome)
    assert "\n" not in str(outcome)
    assert rig.run().id == bought.id
    assertions.assert_clip_for_one_charge(rig, emulator, clip)


def disk_is_full(*_arguments, **_options):
    raise OSError(errno.ENOSPC, "No space left on device")


def sqlite_finds_the_disk_full(*_arguments):
    raise sqlite3.OperationalError("database or disk is full")


# The operating system and SQLite are what misbehaves here, so that is where the test reaches in.
@pytest.mark.parametrize(
    ("place", "name", "fault"),
    [
        (shutil, "copy2", disk_is_full),
        (database, "salvage", sqlite_finds_the_disk_full),
        (Path, "replace", disk_is_full),
    ],
    ids=["copying", "salvaging", "naming"],
)
def test_a_damaged_journal_that_cannot_be_set_aside_stays_as_it_is_until_it_can(
    emulator, rig_on, journal_path, clip, monkeypatch, place, name, fault
):
    rig = rig_on(emulator)
    bought = rig.run()
    content = bytearray(journal_path.read_bytes())
    content[4 * PAGE_BYTES : 5 * PAGE_BYTES] = noise(bytes(PAGE_BYTES))
    journal_path.write_bytes(content)
    before = sorted(journal_path.parent.iterdir())
    with monkeypatch.context() as trouble:
        trouble.setattr(place, name, fault)
        for _ in range(2):
            outcome = assertions.attempt(rig_on(emulator))
            assert isinstance(outcome, JournalUnavailableError), outcome
            assert emulator.charges == 1
            assert f"The journal {journal_path} is damaged" in str(outcome)
            assert "then run the node again" in str(outcome)
            assert "is full" in str(outcome) or "No space left" in str(outcome)
    assert sorted(journal_path.parent.iterdir()) == before
    assert journal_path.read_bytes() == content
    assert "1 job, is in a new one" in str(assertions.attempt(rig_on(emulator)))
    rig = rig_on(emulator)
    assert rig.run().id == bought.id
    assertions.assert_clip_for_one_charge(rig, emulator, clip)


@DURATIONS
@ACCESSES
def test_a_journal_that_fails_at_any_access_loses_nothing(emulator, rig_on, journal_path, clip, access, is_lasting):
    rig_on(emulator).journal.check_writable()
    assert_nothing_is_lost_by(TroubledDatabase(journal_path, access, is_lasting=is_lasting), emulator, rig_on, clip)


@pytest.mark.parametrize("is_made", [False, True])
@pytest.mark.parametrize("commit", range(1, 8))
def test_a_commit_that_fails_loses_nothing(emulator, rig_on, journal_path, clip, commit, is_made):
    assert_nothing_is_lost_by(ForgetfulDatabase(journal_path, commit, is_made=is_made), emulator, rig_on, clip)


def submitted(rig_on, emulator):
    """A request that is rendering at RunComfy."""
    assertions.attempt(rig_on(emulator, timeout_s=0.05))
    return emulator.requests[0].request_id


@ACCESSES
@pytest.mark.parametrize("state", [State.RENDERING, State.SUCCEEDED, State.FAILED])
def test_a_rerun_whose_journal_fails_says_what_is_true_of_the_money(
    start_emulator, rig_on, journal_path, clip, access, state
):
    emulator = start_emulator(RENDERING)
    request_id = submitted(rig_on, emulator)
    emulator.release(request_id, state, "Model run failed")
    database = TroubledDatabase(journal_path, access, is_lasting=True)
    outcome = assertions.attempt(rig_on(emulator, database=database, timeout_s=0.05))
    # What cannot be read is not known: then it only says that nothing was sent by this run.
    if access > 1 and isinstance(outcome, RunComfyError):
        assertions.assert_honest(outcome, emulator)
    assert len(emulator.seen(Call.SUBMIT)) == 1
    if state is not State.FAILED:
        emulator.release(request_id)
        assertions.assert_clip_for_one_charge(rig_on(emulator), emulator, clip)


@ACCESSES
@pytest.mark.parametrize(("timeline", "seen"), [(Timeline.by_hand(), Queued), (RENDERING, Rendering)])
def test_stop_with_a_failing_journal_says_what_is_true_of_the_money(
    start_emulator, rig_on, journal_path, clip, access, timeline, seen
):
    emulator = start_emulator(timeline)
    stop = StopSignal()
    rig = rig_on(emulator, database=TroubledDatabase(journal_path, access, is_lasting=True))
    try:
        rig.run(stop=stop, report=lambda p: stop.set(cancels_remotely=True) if isinstance(p, seen) else None)
    except (RunComfyError, Stopped) as error:
        said = str(error)
    assert emulator.charges == 0 or not assertions.is_called_free(said), said
    assertions.assert_paid_once_and_known(emulator, rig_on(emulator))
    for request in emulator.requests:
        if request.state is not State.CANCELLED:
            emulator.release(request.request_id)
            assertions.assert_clip_for_one_charge(rig_on(emulator), emulator, clip)


@pytest.mark.parametrize("next_state", [State.RENDERING, State.SUCCEEDED])
@pytest.mark.parametrize("remove", [shutil.rmtree, lambda folder: (folder / "journal.sqlite3").unlink()])
def test_a_journal_that_is_deleted_while_a_clip_is_made_is_told_with_the_id(
    start_emulator, rig_on, tmp_path, clip, remove, next_state
):
    emulator = start_emulator(Timeline.by_hand())
    rig = rig_on(emulator)

    def delete(progress):
        if isinstance(progress, Queued):
            remove(tmp_path / "state")
            emulator.release(progress.request_id, next_state)

    error = assertions.attempt(rig, report=delete)
    assert isinstance(error, RunComfyError), error
    assertions.assert_honest(error, emulator)
    assert emulator.requests[0].request_id in str(error)
    emulator.release(emulator.requests[0].request_id)
    assert rig_on(emulator).collect(emulator.requests[0].request_id).path.read_bytes() == clip
    assert emulator.charges == 1


def test_a_folder_for_clips_that_cannot_be_written_leaves_the_clip_at_runcomfy(emulator, rig, tmp_path, clip):
    (tmp_path / "clips").write_text("not a folder", encoding="utf-8")
    error = assertions.attempt(rig)
    assertions.assert_honest(error, emulator)
    assert "The clip is paid for and still kept at RunComfy." in str(error)
    (tmp_path / "clips").unlink()
    assertions.assert_clip_for_one_charge(rig, emulator, clip)
