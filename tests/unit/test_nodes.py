"""The nodes as plain classes: what the graph gets, and what a user reads of a job or a batch, without a connection."""

import asyncio
import math
import types

import pytest
from sora2pro import NODE_CLASS_MAPPINGS
from sora2pro.nodes import runtime
from sora2pro.nodes.errors import (
    InsufficientCreditsError,
    InvalidInputError,
    ServerError,
    SubmissionUncertainError,
)
from sora2pro.nodes.host import Blocked
from sora2pro.nodes.runcomfy.journal import Journal
from stand_in import ExecutionBlocker
from values import made_request

Status = NODE_CLASS_MAPPINGS["Sora2ProStatus"]


@pytest.fixture
def journal(monkeypatch, tmp_path):
    monkeypatch.setenv("RUNCOMFY_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("RUNCOMFY_OUTPUT_DIR", str(tmp_path / "output"))
    return Journal(tmp_path / "state")


def submitting(journal, **changes):
    return journal.record_submitting(journal.claim(made_request(**changes)), expected_usd=1.2, max_usd_per_day=None)


def look(**inputs):
    """What the status node gives, by name, and what it shows."""
    answer = asyncio.run(Status().act(**inputs))
    return types.SimpleNamespace(**dict(zip(Status.RETURN_NAMES, answer["result"], strict=True))), answer["ui"]


def test_a_job_without_a_clip_is_told_in_words_and_its_media_are_blocked_with_the_reason(journal):
    journal.claim(made_request())
    seen, shown = look()
    assert (seen.status, seen.request_id) == ("prepared", "")
    assert seen.report == "job-1 is prepared. 1280x720, 4 s. It was never sent. Nothing was charged for it."
    assert shown == {"text": [seen.report]}
    for output in (seen.frames, seen.audio, seen.fps, seen.video):
        assert output == Blocked(f"The clip is not collected yet. {seen.report}")


@pytest.mark.usefixtures("comfyui")
def test_inside_comfyui_the_missing_media_are_comfyuis_own_blockers(journal):
    journal.claim(made_request())
    seen, _shown = look()
    assert {type(output) for output in (seen.frames, seen.audio, seen.fps, seen.video)} == {ExecutionBlocker}


def test_a_job_whose_sender_died_is_uncertain_and_names_the_ways_out(journal):
    submitting(journal)
    seen, _shown = look(request_id="job-1")
    assert seen.status == "uncertain"
    for words in ("adopt a request id, or release it", "It may have been charged (expected: $1.20)."):
        assert words in seen.report


def test_a_job_that_is_just_being_sent_is_left_alone(journal):
    job = submitting(journal)
    with journal.lock(job.fingerprint) as lock:
        assert lock.try_acquire()
        seen, _shown = look(request_id="job-1")
    assert (seen.status, journal.get(1).state.value) == ("submitting", "submitting")


@pytest.mark.parametrize(("cost_usd", "charge"), [(None, "It may have been charged"), (0.0, "RunComfy charged $0.00")])
def test_a_failed_job_says_why_and_what_it_cost(journal, cost_usd, charge):
    journal.record_failed(journal.record_submitted(submitting(journal), "request-1"), "blocked", cost_usd)
    seen, _shown = look(request_id=" request-1 ")
    assert (seen.status, seen.request_id) == ("failed", "request-1")
    assert "blocked." in seen.report
    assert charge in seen.report


@pytest.mark.parametrize("name", ["", "job-1"])
def test_an_uncertain_job_is_released_on_the_users_word(journal, name):
    job = journal.record_uncertain(submitting(journal), "lost")
    seen, _shown = look(request_id=name, action="release")
    assert "the next run with the same inputs buys a new clip" in seen.report
    assert "It may have been charged (expected: $1.20)." in seen.report
    assert journal.find(job.fingerprint) is None


def test_a_job_that_a_node_works_on_is_not_released_under_its_hands(journal):
    job = journal.record_uncertain(submitting(journal), "lost")
    with journal.lock(job.fingerprint) as lock:
        assert lock.try_acquire()
        with pytest.raises(InvalidInputError, match="working on job-1 right now"):
            look(action="release")
    assert journal.find(job.fingerprint) == job


@pytest.mark.parametrize("action", ["collect", "cancel"])
def test_what_was_never_sent_is_neither_collected_nor_cancelled(journal, action):
    journal.claim(made_request())
    if action == "collect":
        with pytest.raises(InvalidInputError, match="there is no clip to collect"):
            look(action=action)
    else:
        assert "There is nothing to cancel." in look(action=action)[0].report


def test_an_adopt_that_fits_several_jobs_asks_for_which(journal):
    for prompt in ("a cat", "a dog"):
        journal.record_uncertain(submitting(journal, prompt=prompt), "lost")
    with pytest.raises(InvalidInputError) as raised:
        look(request_id="found-1", action="adopt")
    assert "2 jobs are uncertain: job-2 ('a dog'), job-1 ('a cat')." in str(raised.value)
    assert "job-7 <request id>" in raised.value.remedy


def test_a_request_that_another_job_has_is_not_adopted(journal):
    journal.record_submitted(submitting(journal, prompt="a dog"), "request-1")
    journal.record_uncertain(submitting(journal), "lost")
    with pytest.raises(InvalidInputError, match="belongs to job-1 already"):
        look(request_id="request-1", action="adopt")


def test_a_state_can_change_at_any_time_so_the_status_node_always_looks_anew():
    assert math.isnan(Status.IS_CHANGED(request_id="", action="check"))


class TestBatch:
    """One failed clip does not lose the others, and the error says what became of each."""

    def results(self, *outcomes):
        runs = [
            types.SimpleNamespace(error=outcome, result=None)
            if isinstance(outcome, BaseException)
            else types.SimpleNamespace(error=None, result=outcome)
            for outcome in outcomes
        ]
        return runtime._results(runs)

    def test_all_went_well(self):
        assert self.results("one", "two") == ["one", "two"]

    def test_the_error_of_a_single_clip_is_left_as_it_is(self):
        error = ServerError("Trouble.", status_code=500)
        with pytest.raises(ServerError) as raised:
            self.results(error)
        assert raised.value is error
        assert error.what == "Trouble."

    def test_one_of_three_failed(self):
        error = InsufficientCreditsError("No balance left.", status_code=402, money="Nothing was charged.")
        with pytest.raises(InsufficientCreditsError) as raised:
            self.results("one", error, "three")
        assert str(raised.value) == (
            "Clip 2 of 3: No balance left. Nothing was charged. Add credit on runcomfy.com, then run the node again. "
            "Clips 1 and 3 arrived: another run does not buy them again."
        )

    def test_the_money_of_every_failed_clip_is_told(self):
        with pytest.raises(InsufficientCreditsError) as raised:
            self.results(
                InsufficientCreditsError(
                    "No balance left.", status_code=402, money="Nothing was charged.", remedy="Pay."
                ),
                SubmissionUncertainError("The line broke.", money="It may have been charged."),
                "three",
                SubmissionUncertainError("The line broke.", money="It may have been charged."),
                ServerError("Trouble.", status_code=500),
            )
        assert str(raised.value) == (
            "Clip 1 of 5: No balance left. Nothing was charged. Pay. "
            "Clips 2 and 4 failed too: The line broke. It may have been charged. "
            "Clip 5 failed too: Trouble. "
            "Clip 3 arrived: another run does not buy it again."
        )

    def test_a_fault_of_ours_is_not_dressed_up_as_runcomfys(self):
        with pytest.raises(ZeroDivisionError):
            self.results(ServerError("Trouble.", status_code=500), ZeroDivisionError())
