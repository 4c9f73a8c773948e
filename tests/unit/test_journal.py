import contextlib
import dataclasses
import itertools
import threading
from pathlib import Path

import pytest
from sora2pro.nodes.errors import InvalidInputError, JournalUnavailableError, RunComfyError, SpendLimitError
from sora2pro.nodes.runcomfy.jobs import JobState, is_legal
from sora2pro.nodes.runcomfy.store.journal import Journal
from sora2pro.nodes.runcomfy.store.spending import DEAREST_USD
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from support.clock import Clock
from support.file_permissions import is_its_owners_alone
from support.values import made_request

S = JobState
CLIP = Path("clips", "clip.mp4")
ADDRESS = "https://storage.runcomfy.net/x"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def journal(request, tmp_path, clock):
    database = request.getfixturevalue("empty_postgres") if request.param == "postgresql" else None
    return Journal(tmp_path / "state", clock=clock, database=database)


def submitting(journal, job, *, expected_usd=None, cap_usd=None):
    return journal.record_submitting(job, expected_usd=expected_usd, max_usd_per_day=cap_usd)


MOVES = {
    S.PREPARED: lambda journal, job: journal.record_not_submitted(job, "port closed"),
    S.SUBMITTING: submitting,
    S.SUBMITTED: lambda journal, job: journal.record_submitted(job, f"request-{job.id}"),
    S.COMPLETED: lambda journal, job: journal.record_completed(job, video_url=ADDRESS, cost_usd=None),
    S.DOWNLOADED: lambda journal, job: journal.record_downloaded(job, CLIP, 4),
    S.REJECTED: lambda journal, job: journal.record_rejected(job, "no money"),
    S.FAILED: lambda journal, job: journal.record_failed(job, "refused", None),
    S.CANCELLED: lambda journal, job: journal.record_cancelled(job, "by RunComfy"),
    S.UNCERTAIN: lambda journal, job: journal.record_uncertain(job, "lost"),
}
WAYS = {
    S.PREPARED: [],
    S.SUBMITTING: [S.SUBMITTING],
    S.REJECTED: [S.SUBMITTING, S.REJECTED],
    S.UNCERTAIN: [S.SUBMITTING, S.UNCERTAIN],
    S.SUBMITTED: [S.SUBMITTING, S.SUBMITTED],
    S.FAILED: [S.SUBMITTING, S.SUBMITTED, S.FAILED],
    S.CANCELLED: [S.SUBMITTING, S.SUBMITTED, S.CANCELLED],
    S.COMPLETED: [S.SUBMITTING, S.SUBMITTED, S.COMPLETED],
    S.DOWNLOADED: [S.SUBMITTING, S.SUBMITTED, S.COMPLETED, S.DOWNLOADED],
}


def job_in(journal, state, **changes):
    """A job that has come to a state by the usual way."""
    job = journal.claim(made_request(**changes))
    for step in WAYS[state]:
        job = MOVES[step](journal, job)
    return job


@pytest.mark.parametrize(
    ("source", "target"), list(itertools.product(JobState, JobState)), ids=lambda state: state.value
)
def test_a_row_goes_the_ways_of_the_design_and_no_other(journal, source, target):
    job = job_in(journal, source)
    if is_legal(source, target):
        assert MOVES[target](journal, job).state is target
    else:
        with pytest.raises(ValueError, match=f"cannot go from {source.value} to {target.value}"):
            MOVES[target](journal, job)
    assert journal.get(job.id).state is (target if is_legal(source, target) else source)


def test_a_move_from_a_state_that_is_not_the_rows_any_more_is_refused(journal):
    job = job_in(journal, S.SUBMITTING)
    journal.record_submitted(job, "request-1")
    with pytest.raises(JournalUnavailableError, match="changed by another program"):
        journal.record_uncertain(job, "too late")
    assert journal.get(job.id).request_id == "request-1"


@pytest.mark.parametrize("state", JobState)
def test_the_same_inputs_lead_to_the_same_job_until_it_cannot_cost_any_more(journal, state):
    job = job_in(journal, state)
    again = journal.claim(made_request())
    assert (again.id == job.id) == (state is not S.REJECTED)


@pytest.mark.parametrize(
    ("asked_to_cancel", "is_free"), [(True, True), (False, False)], ids=["cancelled by us in the queue", "by RunComfy"]
)
def test_only_a_cancel_of_our_own_leaves_the_way_free(journal, asked_to_cancel, is_free):
    job = job_in(journal, S.SUBMITTED)
    if asked_to_cancel:
        job = journal.record_cancel_requested(job)
    job = journal.record_cancelled(job, "cancelled")
    assert job.may_be_charged is not is_free
    assert (journal.find(job.fingerprint) is None) is is_free


def test_who_hears_second_that_a_request_is_cancelled_finds_it_recorded(journal):
    job = journal.record_cancel_requested(job_in(journal, S.SUBMITTED))
    first = journal.record_cancelled(job, "from the panel")
    assert journal.record_cancelled(job, "by the run that waited for it") == first == journal.get(job.id)


def test_a_cancel_that_runcomfy_refused_counts_as_none(journal):
    job = journal.record_cancel_requested(job_in(journal, S.SUBMITTED))
    job = journal.record_cancel_requested(job, is_requested=False)
    assert journal.record_cancelled(job, "by RunComfy").may_be_charged


def test_a_claim_holds_what_was_asked_for(journal, clock):
    job = journal.claim(made_request(prompt="a cat \U0001f408", take=2**64 - 1))
    assert (job.prompt, job.take, job.inputs) == ("a cat \U0001f408", 2**64 - 1, {"size": "1280x720", "seconds": 4})
    assert (job.state, job.created_at, job.may_be_charged, job.request_id) == (S.PREPARED, clock.now_s, False, None)
    assert journal.find(job.fingerprint) == journal.get(job.id) == journal.newest() == job


def test_many_threads_that_claim_the_same_inputs_get_one_job(journal):
    jobs, start = [], threading.Barrier(8)

    def claim():
        start.wait()
        jobs.append(journal.claim(made_request()))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [job.id for job in jobs] == [jobs[0].id] * 8


def test_the_database_itself_refuses_a_second_live_job_for_the_same_inputs(journal):
    job = job_in(journal, S.SUBMITTED)
    with journal.database.writing() as connection, pytest.raises(IntegrityError):
        connection.execute(
            text(
                "INSERT INTO jobs (fingerprint, state, model_id, prompt, seconds, seed, created_at, updated_at) "
                "SELECT fingerprint, 'prepared', model_id, prompt, seconds, seed, 0, 0 FROM jobs WHERE id = :id"
            ),
            {"id": job.id},
        )


def test_an_accepted_job_may_be_charged_from_before_it_is_sent_until_it_is_known_not_to_be(journal):
    job = journal.claim(made_request())
    assert not job.may_be_charged
    job = submitting(journal, job, expected_usd=1.2)
    assert (job.may_be_charged, job.expected_usd) == (True, 1.2)
    job = journal.record_not_submitted(job, "port closed")
    assert (job.may_be_charged, job.submitted_at, job.reason) == (False, None, "port closed")
    assert not journal.record_rejected(submitting(journal, job), "no money").may_be_charged


@pytest.mark.parametrize(
    ("cost_usd", "may_be_charged"), [(None, True), (0.0, False), (2.4, True)], ids=["not said", "nothing", "a sum"]
)
def test_a_failed_job_may_be_charged_unless_runcomfy_says_that_it_costs_nothing(journal, cost_usd, may_be_charged):
    job = journal.record_failed(job_in(journal, S.SUBMITTED), "refused", cost_usd)
    assert (job.may_be_charged, job.cost_usd, job.holds_fingerprint) == (may_be_charged, cost_usd, True)


def test_a_cost_is_kept_when_the_address_is_renewed_without_one(journal, clock):
    job = job_in(journal, S.SUBMITTED)
    job = journal.record_completed(job, video_url="https://a.runcomfy.net", cost_usd=2.4, render_s=60.0)
    completed_at, clock.now_s = clock.now_s, clock.now_s + 100
    job = journal.record_completed(job, video_url="https://b.runcomfy.net", cost_usd=None)
    assert (job.cost_usd, job.completed_at, job.video_url) == (2.4, completed_at, "https://b.runcomfy.net")


def test_a_late_cost_and_a_late_start_leave_the_state_alone(journal, clock):
    job = journal.record_started(job_in(journal, S.SUBMITTED))
    assert (job.state, job.started_at) == (S.SUBMITTED, clock.now_s)
    job = job_in(journal, S.DOWNLOADED, prompt="another")
    assert (journal.record_cost(job, 2.4).state, journal.get(job.id).cost_usd) == (S.DOWNLOADED, 2.4)


def test_a_clip_whose_file_is_gone_is_downloaded_again_and_not_bought_again(journal):
    there = job_in(journal, S.DOWNLOADED)
    job = journal.record_file_gone(there)
    assert (job.state, job.video_url, job.has_whole_file) == (S.COMPLETED, ADDRESS, False)
    assert (job.path, job.file_bytes) == (there.path, there.file_bytes)  # it may come back


@pytest.mark.parametrize("state", JobState)
def test_a_release_frees_the_inputs_and_keeps_the_possible_charge(journal, state):
    job = job_in(journal, state)
    if state in (S.UNCERTAIN, S.FAILED, S.CANCELLED, S.SUBMITTED, S.COMPLETED):
        released = journal.release(job)
        assert (released.is_released, released.may_be_charged, journal.find(job.fingerprint)) == (True, True, None)
        assert journal.claim(made_request()).id != job.id
    else:
        runs_again = state in (S.PREPARED, S.REJECTED)
        remedy = ": run the node again" if runs_again else r"\. To buy another clip, change the seed"
        with pytest.raises(InvalidInputError, match=rf"cannot be released\..*It needs no release{remedy}\."):
            journal.release(job)
        assert not journal.get(job.id).is_released


@pytest.mark.parametrize(
    ("expected_usd", "words"),
    [(1.2, "about $1.20"), (None, f"its price is not known, so it counts as ${DEAREST_USD:.2f}")],
    ids=["a price is expected", "none is"],
)
def test_a_refusal_by_the_daily_limit_says_whether_the_price_is_known(journal, expected_usd, words):
    job = dataclasses.replace(job_in(journal, S.PREPARED), list_usd=DEAREST_USD)
    with pytest.raises(SpendLimitError) as raised:
        submitting(journal, job, expected_usd=expected_usd, cap_usd=1.0)
    assert f"This clip ({words}) would go over the daily limit of $1.00" in str(raised.value)


def test_an_adopted_request_takes_the_place_of_the_unknown(journal):
    job = journal.adopt(job_in(journal, S.UNCERTAIN), "found-1")
    assert (job.state, job.request_id, job.may_be_charged, job.reason) == (S.SUBMITTED, "found-1", True, "")


def test_a_row_that_was_only_collected_by_its_id_gives_way_to_the_job_that_bought_it(journal):
    job = job_in(journal, S.UNCERTAIN)
    imported = journal.import_request("found-1", "a/model")
    assert (imported.state, imported.inputs, imported.is_imported) == (S.SUBMITTED, {}, True)
    adopted = journal.adopt(job, "found-1")
    assert (adopted.id, journal.get(imported.id)) == (job.id, None)


def test_a_request_of_another_job_cannot_be_adopted(journal):
    other = job_in(journal, S.SUBMITTED, prompt="another")
    job = job_in(journal, S.UNCERTAIN)
    with pytest.raises(InvalidInputError, match="belongs to another job"):
        journal.adopt(job, other.request_id)
    assert (journal.get(job.id).state, journal.get(other.id)) == (S.UNCERTAIN, other)


def test_importing_a_request_twice_gives_the_same_job(journal):
    """Two Status nodes may collect the same foreign request at the same moment."""
    assert journal.import_request("found-1", "a/model").id == journal.import_request("found-1", "a/model").id


def test_a_request_id_that_runcomfy_gave_out_before_is_told_in_words(journal):
    job_in(journal, S.SUBMITTED, prompt="another")
    job = job_in(journal, S.SUBMITTING)
    with pytest.raises(RunComfyError, match="request-1"):
        journal.record_submitted(job, "request-1")


def test_a_released_job_does_not_stand_among_the_uncertain(journal):
    kept = job_in(journal, S.UNCERTAIN)
    journal.release(job_in(journal, S.UNCERTAIN, prompt="another"))
    newest = job_in(journal, S.UNCERTAIN, prompt="a third")
    assert [job.id for job in journal.in_state(S.UNCERTAIN)] == [newest.id, kept.id]


@pytest.mark.parametrize(
    ("cap_usd", "expected_usd", "passes"),
    [
        (None, 99.0, True),
        (3.0, 1.0, True),
        (2.0, 1.0, True),
        (1.99, 1.0, False),
        (3.0, None, True),
        (2.99, None, False),
        (0.0, 0.0, False),
        (0.0, 1.0, False),
    ],
)
def test_the_spend_cap_counts_what_is_spent_and_under_way(journal, cap_usd, expected_usd, passes):
    """One dollar is under way; a clip of 4 s counts 2 dollars where its price is not known."""
    submitting(journal, journal.claim(made_request(prompt="the first")), expected_usd=1.0)
    job = journal.claim(made_request())
    if passes:
        assert submitting(journal, job, expected_usd=expected_usd, cap_usd=cap_usd).state is S.SUBMITTING
    else:
        with pytest.raises(SpendLimitError) as raised:
            submitting(journal, job, expected_usd=expected_usd, cap_usd=cap_usd)
        assert "RUNCOMFY_MAX_USD_PER_DAY" in str(raised.value)
        assert "$1.00 is already spent or under way today" in str(raised.value)
        assert journal.get(job.id) == job


def test_yesterdays_money_does_not_count_against_todays_cap(journal, clock):
    submitting(journal, journal.claim(made_request(prompt="yesterday")), expected_usd=5.0)
    clock.now_s += 86_400
    job = journal.claim(made_request())
    assert submitting(journal, job, expected_usd=1.0, cap_usd=1.0).state is S.SUBMITTING


def test_the_cap_holds_between_two_that_ask_at_the_same_moment(journal):
    jobs = [journal.claim(made_request(take=seed)) for seed in range(6)]
    passed, start = [], threading.Barrier(len(jobs))

    def spend(job):
        start.wait()
        with contextlib.suppress(SpendLimitError):
            passed.append(submitting(journal, job, expected_usd=1.0, cap_usd=2.0))

    threads = [threading.Thread(target=spend, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(passed) == 2


def test_the_journal_is_its_owners_alone(tmp_path):
    journal = Journal(tmp_path / "state")
    journal.check_writable()
    path = journal.database.path
    assert is_its_owners_alone(path)
    assert is_its_owners_alone(path.parent)


def test_a_proof_of_writing_changes_nothing(journal):
    job = journal.claim(made_request())
    journal.check_writable()
    assert journal.get(job.id) == job
