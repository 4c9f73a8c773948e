"""A journal of an older version of the pack, as it lies on a user's disk: every purchase in it is still known."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from sora2pro.nodes.errors import JournalUnavailableError
from sora2pro.nodes.runcomfy.jobs import JobState
from sora2pro.nodes.runcomfy.progress import PriceBound
from sora2pro.nodes.runcomfy.store.history import History
from sora2pro.nodes.runcomfy.store.journal import Journal
from support.values import made_job, made_request

STORED = Path(__file__).parents[1] / "stored"
S = JobState
# By the version of the journal; id: (state, prompt, inputs, take, request id, is imported)
FIRST_JOBS = {
    1: (S.DOWNLOADED, "A fox runs.", {"size": "1280x720", "seconds": 4}, 0, "request-fox", False),
    2: (
        S.SUBMITTED,
        "Ein Fuchs läuft \U0001f98a.",
        {"size": "1792x1024", "seconds": 12},
        2**64 - 1,
        "request-fuchs",
        False,
    ),
    3: (S.UNCERTAIN, "A lake.", {"size": "720x1280", "seconds": 8}, 3, None, False),
    4: (S.FAILED, "A storm.", {"size": "1024x1792", "seconds": 4}, 0, "request-storm", False),
    5: (S.REJECTED, "A crowd.", {"size": "1280x720", "seconds": 4}, 0, None, False),
    6: (S.SUBMITTED, "", {}, 0, "request-elsewhere", True),
    7: (S.PREPARED, "Never sent.", {"size": "1280x720", "seconds": 4}, 0, None, False),
}
HERON = {"duration": 5, "generate_audio_switch": False, "resolution": "720p"}
JOBS = {
    1: FIRST_JOBS,
    3: FIRST_JOBS | {8: (S.DOWNLOADED, "A heron lands.", HERON, 4, "request-heron", False)},
}
JOBS[5] = JOBS[3]
SPENT_LATER_USD = {1: 0.0, 3: 0.25, 5: 0.25}


@pytest.fixture(params=JOBS)
def version(request):
    return request.param


@pytest.fixture
def path(version, tmp_path):
    return Path(shutil.copy(STORED / f"journal-version-{version}.sqlite3", tmp_path / "journal.sqlite3"))


@pytest.fixture
def journal(path):
    return Journal(path.parent)


def facts(job):
    return job.state, job.prompt, job.inputs, job.take, job.request_id, job.is_imported


def test_every_job_is_read_as_it_was_written(journal, version):
    assert {number: facts(journal.get(number)) for number in JOBS[version]} == JOBS[version]


def test_of_an_older_job_it_is_not_known_by_which_description_it_was_made(journal):
    assert (journal.newest().schema_hash, journal.newest().schema_source) == (None, None)


def test_of_an_older_price_it_is_only_said_that_it_is_about_as_much(journal, version):
    assert {journal.get(number).price_bound for number in JOBS[version]} == {PriceBound.ABOUT}


def test_the_same_inputs_lead_to_the_clip_that_was_bought_then(journal):
    assert journal.find(made_request(prompt="A fox runs.").fingerprint()).id == 1
    assert journal.claim(made_request(prompt="A lake.", size="720x1280", seconds=8, take=3)).id == 3


def test_what_was_spent_and_how_long_it_took_is_remembered(journal, version):
    history = History(journal.database)
    assert history.last_cost_usd(made_job().model_id, made_job().kind) == 1.2
    assert history.render_times_s(made_job()) == [61.5]
    # 1.20 paid, 12 s without a price at the list price, 2.40 uncertain, 2.00 failed and perhaps charged.
    assert history.totals().all_time_usd == pytest.approx(1.2 + 12 * 0.5 + 2.4 + 2.0 + SPENT_LATER_USD[version])


def test_a_damaged_one_is_taken_over_too(path, version):
    damage_an_index(path)
    journal = Journal(path.parent)
    with pytest.raises(JournalUnavailableError, match=f"{len(JOBS[version])} jobs"):
        journal.newest()
    assert {number: facts(journal.get(number)) for number in JOBS[version]} == JOBS[version]


def damage_an_index(path):
    """Overwrite the page of an index: the rows can still be read one by one, and the file is damaged all the same."""
    with sqlite3.connect(path) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'jobs_by_submission'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
