"""What the panel says of other machines that share the journal: who works on a job, and who has its file."""

import json
import threading

import pytest
from contract.routes.page import WAIT_S, buy
from emulator import Timeline
from sora2pro.nodes.run.current import current_engine
from sora2pro.nodes.runcomfy import JobState
from sora2pro.nodes.runcomfy.progress import Queued
from sora2pro.nodes.runcomfy.store import postgres as postgres_module
from sora2pro.nodes.runcomfy.store.copying import copy_jobs
from sora2pro.nodes.runcomfy.store.database import Database
from sora2pro.nodes.runcomfy.store.journal import Journal
from sora2pro.nodes.runcomfy.store.postgres import PostgresDatabase, session_name
from support.engine_fixture import Rig, request_of

HERE, THERE = "render-1", "render-2.studio.example"
KEYS = ("at_work_on", "file_on", "has_clip", "is_clip_gone")


@pytest.fixture
def emulator(start_emulator, request):
    return start_emulator(getattr(request, "param", None))


@pytest.fixture
def url(postgres, emulator, page, point_to, monkeypatch):  # noqa: ARG001 - it points to a journal of its own before
    """The address of the journal that this machine shares."""
    monkeypatch.setattr(postgres_module.platform, "node", lambda: HERE)
    url = postgres.new_database()
    point_to(emulator, RUNCOMFY_JOURNAL_URL=url)
    return url


@pytest.fixture
def other(url, emulator, tmp_path):
    """Another machine of the studio."""
    database = PostgresDatabase(url, machine=THERE)
    return Rig(emulator.url, emulator.token, tmp_path / "other", journal_url=url, database=database)


def shown(page):
    """What the list says of its newest job; the job alone says the same."""
    row = page.jobs()["jobs"][0]
    alone = page.get(f"/jobs/{row['id']}").json()
    assert {key: alone[key] for key in KEYS} == {key: row[key] for key in KEYS}
    return tuple(row[key] for key in KEYS)


def begin(run):
    """A generation in a thread, once its request waits in RunComfy's queue."""
    queued = threading.Event()
    thread = threading.Thread(
        target=run, kwargs={"report": lambda p: queued.set() if isinstance(p, Queued) else None}, daemon=True
    )
    thread.start()
    assert queued.wait(WAIT_S)
    return thread


BY_HAND = pytest.mark.parametrize("emulator", [Timeline.by_hand()], indirect=True, ids=["by hand"])


@BY_HAND
def test_a_job_says_which_machine_works_on_it_and_then_which_has_its_file_until_it_is_here(page, emulator, other):
    thread = begin(other.run)
    assert shown(page) == (THERE, "", False, False)
    emulator.release(emulator.requests[0].request_id)
    thread.join(WAIT_S)
    clips = other.settings.output_dir
    clips.rename(clips.with_name("on-another-disk"))
    assert shown(page) == ("", THERE, False, False)
    job = page.jobs()["jobs"][0]
    assert job["actions"] == ["collect"]
    page.act(job["id"], "collect")
    page.wait_for(job["id"], lambda row: row["has_clip"])
    assert shown(page) == ("", "", True, False)
    assert len(emulator.ledger) == 1


def test_a_machine_that_went_away_in_the_middle_of_its_work_holds_nothing(postgres, url, page, other):
    with other.journal.lock(request_of().canonical_fingerprint()) as lock:
        assert lock.try_acquire()
        other.journal.claim(request_of())
        assert shown(page)[0] == THERE
        called = f"'runcomfy on {THERE}' AND datname = '{url.rpartition('/')[2]}'"
        postgres.ask(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = {called}")  # noqa: S608 - ours
        assert shown(page)[0] == ""


@pytest.mark.usefixtures("url")
def test_of_what_this_machine_does_no_machine_is_named(page):
    engine = current_engine()
    with engine._journal.lock(request_of().canonical_fingerprint()) as lock:
        assert lock.try_acquire()
        engine._journal.claim(request_of())
        assert shown(page) == ("", "", False, False)
    job = buy()
    assert shown(page) == ("", "", True, False)
    job.path.unlink()
    assert shown(page) == ("", "", False, True)


def test_where_the_journal_is_this_machines_alone_a_missing_file_is_missing_as_ever(page):
    job = buy()
    assert job.file_machine is None
    assert shown(page) == ("", "", True, False)
    job.path.unlink()
    assert shown(page) == ("", "", False, True)


def test_jobs_that_a_machine_brings_along_have_their_files_there(url, page, tmp_path, rig):
    rig.run()
    copy_jobs(rig.journal.database, PostgresDatabase(url, machine=THERE), is_dry_run=False)
    newest = Journal(tmp_path, database=PostgresDatabase(url)).newest()
    newest.path.unlink()
    assert shown(page) == ("", THERE, False, False)
    back = Database(tmp_path / "back.sqlite3")
    copy_jobs(PostgresDatabase(url), back, is_dry_run=False)
    assert Journal(tmp_path, database=back).elsewhere([newest]) == {}


@pytest.mark.parametrize(
    ("name", "told"),
    [("render-2", "render-2"), ("Büro PC", "B?ro?PC"), ("a" * 200, "a" * 48), ("tab\there", "tab?here")],
)
def test_a_machine_is_called_as_postgresql_shows_it(url, page, name, told):
    assert session_name(name) == told
    journal = Journal("/nowhere", database=PostgresDatabase(url, machine=name))
    with journal.lock(request_of().canonical_fingerprint()) as lock:
        assert lock.try_acquire()
        journal.claim(request_of())
        assert shown(page)[0] == told


def test_an_id_that_an_older_pack_put_into_the_outbox_is_recorded(other, emulator):
    job = other.journal.record_submitting(other.journal.claim(request_of()), expected_usd=1.0, max_usd_per_day=None)
    outbox = other.engine._outbox
    outbox._is_delivering = True  # the test delivers
    outbox.keep(job, "kept-by-an-older-pack")
    (file,) = outbox.folder.glob("*.json")
    kept = json.loads(file.read_text())
    del kept["job"]["file_machine"]
    file.write_text(json.dumps(kept))
    assert outbox.deliver()
    assert other.journal.by_request_id("kept-by-an-older-pack").state is JobState.SUBMITTED
    assert emulator.charges == 0
