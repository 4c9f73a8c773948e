"""The address and the account belong to the job: what another one says of its request is told and never acted on."""

import contextlib
import sqlite3
from functools import partial

import pytest
from sora2pro.nodes.errors import JournalUnavailableError
from sora2pro.nodes.runcomfy.clip_urls import canonical_base
from sora2pro.nodes.runcomfy.credentials import account_of
from sora2pro.nodes.runcomfy.jobs import JobState
from sora2pro.nodes.runcomfy.sentences import bought_elsewhere
from sora2pro.nodes.runcomfy.settings import PRODUCTION_API
from sora2pro.nodes.runcomfy.store import schema
from sora2pro.nodes.runcomfy.store.journal import Journal
from sqlalchemy.exc import IntegrityError
from support.values import made_job, made_request

EMULATOR = "http://127.0.0.1:8000"


def journal_at(folder, base=PRODUCTION_API, owner="the owner"):
    return Journal(folder, api_base=base, account=partial(account_of, owner))


def bought(journal, **changes):
    job = journal.claim(made_request(**changes))
    job = journal.record_submitting(job, expected_usd=1.2, max_usd_per_day=None)
    return journal.record_submitted(job, f"request-{job.id}")


def of_version_1(folder, state="submitted", **columns):
    """A journal as the first release left it, with one job."""
    folder.mkdir(exist_ok=True)
    values = {
        "fingerprint": made_request().fingerprint(),
        "state": state,
        "model_id": "m",
        "prompt": "a cat",
        "size": "1280x720",
        "seconds": 4,
        "seed": "0",
        "request_id": "request-1",
        "created_at": 1.0,
        "updated_at": 1.0,
        "may_be_charged": 1,
        **columns,
    }
    with contextlib.closing(sqlite3.connect(folder / "journal.sqlite3")) as connection:
        connection.executescript(schema.MIGRATIONS[0])
        names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
        connection.execute(f"INSERT INTO jobs ({names}) VALUES ({places})", values)  # noqa: S608 - names are ours
        connection.execute("PRAGMA user_version = 1")
        connection.commit()


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://model-api.runcomfy.net", PRODUCTION_API),
        ("HTTPS://Model-API.RunComfy.net/", PRODUCTION_API),
        ("https://model-api.runcomfy.net:443", PRODUCTION_API),
        ("http://127.0.0.1:80/", "http://127.0.0.1"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://gateway.example.com/runcomfy/", "https://gateway.example.com/runcomfy"),
    ],
)
def test_an_address_is_one_address_in_any_spelling(url, same):
    assert canonical_base(url) == same


def test_a_job_keeps_where_it_was_bought_and_nothing_of_the_token(tmp_path):
    job = bought(journal_at(tmp_path, EMULATOR, "rc-secret-token"))
    assert (job.api_base, len(job.account)) == (EMULATOR, 64)
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"rc-secret-token" not in path.read_bytes()


def test_the_same_token_looks_different_in_another_state_folder(tmp_path):
    accounts = {bought(journal_at(tmp_path / name)).account for name in ("one", "two")}
    assert len(accounts) == 2


def test_the_same_inputs_at_another_address_are_another_purchase_and_both_are_kept(tmp_path):
    here, there = journal_at(tmp_path), journal_at(tmp_path, EMULATOR)
    real, rehearsed = bought(here), bought(there)
    assert real.id != rehearsed.id
    assert [here.claim(made_request()).id, there.claim(made_request()).id] == [real.id, rehearsed.id]


@pytest.mark.parametrize("base", [PRODUCTION_API, EMULATOR])
def test_a_job_of_an_older_journal_is_not_bought_again_at_any_address(tmp_path, base):
    of_version_1(tmp_path)
    journal = journal_at(tmp_path, base)
    job = journal.find(made_request().fingerprint())
    assert (job.request_id, job.api_base, job.account) == ("request-1", None, None)
    assert journal.claim(made_request()).id == job.id
    assert journal.is_here(job)


def test_an_older_job_belongs_to_the_address_that_knew_its_request(tmp_path):
    of_version_1(tmp_path)
    there = journal_at(tmp_path, EMULATOR)
    job = there.record_completed(there.newest(), video_url="http://127.0.0.1/x", cost_usd=1.2)
    assert job.api_base == EMULATOR
    assert journal_at(tmp_path).find(made_request().fingerprint()) is None


@pytest.mark.parametrize(
    ("base", "owner", "proves"),
    [(PRODUCTION_API, "the owner", True), (PRODUCTION_API, "another", False), (EMULATOR, "the owner", False)],
)
def test_only_the_same_address_and_account_prove_that_a_request_is_gone(tmp_path, base, owner, proves):
    job, journal = bought(journal_at(tmp_path)), journal_at(tmp_path, base, owner)
    assert (journal.is_base_proven(job) and journal.is_account_proven(job)) is proves


@pytest.mark.parametrize(("base", "proves"), [(PRODUCTION_API, True), (EMULATOR, False)])
def test_of_an_older_job_only_runcomfys_own_address_proves_it(tmp_path, base, proves):
    of_version_1(tmp_path)
    journal = journal_at(tmp_path, base)
    job = journal.newest()
    assert (journal.is_base_proven(job) and journal.is_account_proven(job)) is proves


def test_the_words_about_another_address_name_both_and_the_way_out():
    text = str(bought_elsewhere(made_job(JobState.SUBMITTED, api_base=EMULATOR), PRODUCTION_API))
    for words in (EMULATOR, PRODUCTION_API, "nothing was charged", "RUNCOMFY_MODEL_API_BASE_URL", "job-7"):
        assert words in text


def damage(path, page):
    content = bytearray(path.read_bytes())
    content[page * 4096 : (page + 1) * 4096] = b"\xaa" * 4096
    path.write_bytes(content)


def test_jobs_saved_from_a_damaged_journal_keep_their_address_and_account(tmp_path):
    journal = journal_at(tmp_path)
    jobs = [bought(journal, take=seed, prompt="a long prompt " * 20) for seed in range(60)]
    damage(journal.database.path, 12)
    with pytest.raises(JournalUnavailableError, match="jobs, is in a new one"):
        journal_at(tmp_path).newest()
    again = journal_at(tmp_path)
    kept = again.in_state(JobState.SUBMITTED)
    assert len(kept) > 40
    assert {job.id for job in kept} <= {job.id for job in jobs}
    assert all(again.is_account_proven(job) and job.api_base == PRODUCTION_API for job in kept)
    assert not any(journal_at(tmp_path, owner="another").is_account_proven(job) for job in kept)


def test_jobs_of_a_damaged_older_journal_are_saved_too(tmp_path):
    of_version_1(tmp_path)
    path = tmp_path / "journal.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'jobs_by_kind'").fetchone()
    damage(path, page - 1)
    with pytest.raises(JournalUnavailableError, match="1 job, is in a new one"):
        journal_at(tmp_path).newest()
    assert journal_at(tmp_path).claim(made_request()).request_id == "request-1"


def test_a_second_live_job_is_refused_by_the_file_itself_at_the_same_address_only(tmp_path):
    job = bought(journal_at(tmp_path))
    copy = (
        "INSERT INTO jobs (fingerprint, state, model_id, prompt, seconds, seed, created_at, updated_at, api_base) "
        "SELECT fingerprint, 'prepared', model_id, prompt, seconds, seed, 0, 0, ? FROM jobs WHERE id = ?"
    )
    with journal_at(tmp_path).database.writing() as connection:
        for base in (None, PRODUCTION_API):
            with pytest.raises(IntegrityError):
                connection.exec_driver_sql(copy, (base, job.id))
        connection.exec_driver_sql(copy, (EMULATOR, job.id))


def test_a_journal_that_was_begun_again_does_not_mix_up_jobs_of_the_same_number(tmp_path):
    journal = journal_at(tmp_path)
    job = journal.claim(made_request())
    sending = journal.record_submitting(job, expected_usd=1.2, max_usd_per_day=None)
    journal.database.path.unlink()
    other = bought(journal, prompt="another")
    assert other.id == sending.id
    with pytest.raises(JournalUnavailableError, match="is no longer in the journal"):
        journal.record_rejected(sending, "no money")
    again = journal.record_submitted(sending, "request-x")
    assert (again.fingerprint, again.request_id, again.state) == (sending.fingerprint, "request-x", JobState.SUBMITTED)
    assert journal.get(other.id) == other


def test_an_adopted_request_belongs_to_where_it_was_found(tmp_path):
    of_version_1(tmp_path, "uncertain", request_id=None)
    journal = journal_at(tmp_path)
    job = journal.adopt(journal.newest(), "found-1")
    assert (job.api_base, journal.is_account_proven(job)) == (PRODUCTION_API, True)
    assert not journal_at(tmp_path, owner="another").is_account_proven(job)
