"""A journal goes from SQLite to PostgreSQL and back: no job is lost or duplicated, and the same inputs are not bought again."""

import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
from pack import ROOT
from sora2pro.nodes.runcomfy.jobs import JobState
from sora2pro.nodes.runcomfy.store.copying import copy_jobs
from sora2pro.nodes.runcomfy.store.database import Database
from sora2pro.nodes.runcomfy.store.journal import Journal
from sora2pro.nodes.runcomfy.store.postgres import PostgresDatabase
from support.values import made_request

ADDRESS = "https://storage.runcomfy.net/x"


def submitted(journal, number, request_id=None):
    job = journal.claim(made_request(take=number))
    job = journal.record_submitting(job, expected_usd=1.0, max_usd_per_day=None)
    return journal.record_submitted(job, request_id or f"request-{number}")


def facts(journal):
    """Every job without its number."""
    every = [job for state in JobState for job in journal.in_state(state)]
    return sorted(
        (
            job.fingerprint,
            job.state,
            job.prompt,
            job.take,
            job.request_id,
            job.created_at,
            job.account,
            job.may_be_charged,
        )
        for job in every
    )


@pytest.fixture
def here(tmp_path):
    return Journal(tmp_path, account=lambda key: key.hex())


@pytest.fixture
def there(postgres):
    return Journal("/nowhere", database=PostgresDatabase(postgres.new_database()), account=lambda key: key.hex())


def copy(source, target, **options):
    return copy_jobs(source.database, target.database, **{"is_dry_run": False, **options})


def test_all_jobs_come_along_with_their_numbers_and_new_ones_follow_them(here, there):
    here.claim(made_request(prompt="a zero \0 in it"))
    jobs = [submitted(here, number) for number in range(1, 4)]
    report = copy(here, there)
    assert (report.read, report.added, report.renumbered) == (4, 4, 0)
    for job in jobs:
        assert there.get(job.id) == job
        assert there.find(job.fingerprint) == job
        assert there.is_account_proven(job)
    assert there.claim(made_request(prompt="new")).id == 5


def test_copying_again_adds_nothing_and_takes_what_went_on_in_between(here, there):
    job = submitted(here, 1)
    copy(here, there)
    assert copy(here, there).present == 1
    here.record_completed(job, video_url=ADDRESS, cost_usd=1.2)
    assert copy(here, there).updated == 1
    assert there.get(job.id).state is JobState.COMPLETED
    assert copy(there, here).present == 1
    assert facts(here) == facts(there)


def test_there_and_back_is_the_same_journal(here, there, tmp_path):
    for number in range(5):
        submitted(here, number)
    copy(here, there)
    back = Journal(tmp_path / "another machine", account=lambda key: key.hex())
    copy(there, back)
    assert facts(back) == facts(here)


def test_a_dry_run_says_the_same_and_writes_nothing(here, there):
    submitted(here, 1)
    assert copy(here, there, is_dry_run=True).added == 1
    assert facts(there) == []


def test_a_copy_that_breaks_off_leaves_nothing_and_can_be_begun_again(here, there):
    for number in range(3):
        submitted(here, number)

    def break_off():
        with there.database.writing() as connection:
            target = SimpleNamespace(writing=lambda: _passed(connection), machine=there.database.machine)
            copy_jobs(here.database, target, is_dry_run=False)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert facts(there) == []
    copy(here, there)
    assert facts(there) == facts(here)


class _passed:  # noqa: N801 - a context manager
    def __init__(self, connection):
        self._connection = connection

    def __enter__(self):
        return self._connection

    def __exit__(self, *_exception):
        pass


def test_jobs_of_several_machines_come_together_under_numbers_of_their_own(here, there, tmp_path):
    other = Journal(tmp_path / "other")
    submitted(here, 1, "request-a")
    submitted(other, 2, "request-b")
    copy(here, there)
    assert copy(other, there).renumbered == 1
    assert {job.request_id for job in there.in_state(JobState.SUBMITTED)} == {"request-a", "request-b"}
    assert there.by_request_id("request-b").account is None


def test_inputs_that_two_machines_bought_lead_to_one_job_and_both_charges_count(here, there):
    submitted(there, 1, "request-a")
    submitted(here, 1, "request-b")
    assert copy(here, there).set_back == 1
    second = there.by_request_id("request-b")
    assert (second.is_released, second.may_be_charged) == (True, True)
    assert there.claim(made_request(take=1)).request_id == "request-a"


def test_a_request_that_was_only_collected_there_gets_its_inputs(here, there):
    there.import_request("request-1", "a/model")
    job = submitted(here, 1)
    copy(here, there)
    assert there.find(job.fingerprint).request_id == "request-1"


def run(*arguments, folder=ROOT, **environment):
    return subprocess.run(
        [sys.executable, "-m", "nodes.journal", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_command_of_the_readme_copies_and_says_what_it_did(postgres, tmp_path):
    url = postgres.new_database()
    submitted(Journal(tmp_path), 1)
    environment = {"RUNCOMFY_JOURNAL_URL": url, "RUNCOMFY_STATE_DIR": str(tmp_path)}
    dry = run("copy", "--to", "postgresql", "--dry-run", **environment)
    assert (dry.returncode, dry.stderr) == (0, "")
    assert "Dry run, nothing was written." in dry.stdout
    done = run("copy", "--to", "postgresql", **environment)
    assert "added: 1" in done.stdout
    assert "studio" not in done.stdout
    assert Journal("/nowhere", database=PostgresDatabase(url)).by_request_id("request-1") is not None
    back = run("copy", "--to", "sqlite", **{**environment, "RUNCOMFY_STATE_DIR": str(tmp_path / "new")})
    assert "added: 1" in back.stdout
    assert Journal(tmp_path / "new", database=Database(tmp_path / "new" / "journal.sqlite3")).newest() is not None
    for wrong in ({"RUNCOMFY_STATE_DIR": str(tmp_path / "none")}, {"RUNCOMFY_JOURNAL_URL": ""}):
        refused = run("copy", "--to", "postgresql", **{**environment, **wrong})
        assert refused.returncode == 1
        assert "nothing was charged" in refused.stderr


@pytest.mark.parametrize("is_linked", [False, True], ids=["copied", "linked"])
def test_a_machine_that_never_ran_gets_its_journal_where_its_comfyui_looks_for_it(postgres, tmp_path, is_linked):
    url = postgres.new_database()
    submitted(Journal("/nowhere", database=PostgresDatabase(url)), 1)
    packs = tmp_path / "ComfyUI" / "custom_nodes"
    packs.mkdir(parents=True)
    if is_linked:
        (packs / "pack").symlink_to(ROOT, target_is_directory=True)
    else:
        shutil.copytree(ROOT / "nodes", packs / "pack" / "nodes", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "__init__.py", packs / "pack")
    elsewhere = str(tmp_path / "home")
    environment = {
        "RUNCOMFY_JOURNAL_URL": url,
        "HOME": elsewhere,
        "XDG_STATE_HOME": elsewhere,
        "RUNCOMFY_STATE_DIR": "",
    }
    done = run("copy", "--to", "sqlite", folder=packs / "pack", PWD=str(packs / "pack"), **environment)
    assert (done.returncode, done.stderr) == (0, "")
    state = tmp_path / "ComfyUI" / "user" / "__sora2pro"
    assert Journal(state).by_request_id("request-1") is not None
