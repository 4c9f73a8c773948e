"""The nodes as plain classes: what the graph gets, and what a user reads of a job or a batch, without a connection."""

import asyncio
import math
import types

import pytest
from sora2pro import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS
from sora2pro.nodes.errors import (
    InsufficientCreditsError,
    InvalidInputError,
    InvalidRequestError,
    ServerError,
    SubmissionUncertainError,
)
from sora2pro.nodes.host import Blocked
from sora2pro.nodes.run import clips
from sora2pro.nodes.run.batch import batch_error
from sora2pro.nodes.runcomfy.jobs import JobState
from sora2pro.nodes.runcomfy.sentences import failure_of, uncertain
from sora2pro.nodes.runcomfy.store.journal import Journal
from support.fake_comfyui import ExecutionBlocker
from support.values import made_job, made_request

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


def test_a_state_can_change_at_any_time_so_the_status_node_always_looks_again():
    assert math.isnan(Status.IS_CHANGED(request_id="", action="check"))


def test_the_status_node_is_named_for_every_model_and_not_the_first_that_a_search_for_sora_finds():
    name = NODE_DISPLAY_NAME_MAPPINGS["Sora2ProStatus"]
    assert name == "RunComfy Request Status"
    assert not any("sora" in words.lower() for words in (name, *Status.SEARCH_ALIASES))
    assert NODE_DISPLAY_NAME_MAPPINGS["Sora2ProImageToVideo"].startswith("Sora 2 Pro")


class TestBatch:
    """One failed clip does not lose the others, and the error says what became of each."""

    def results(self, *outcomes):
        runs = [
            types.SimpleNamespace(error=outcome, result=None)
            if isinstance(outcome, BaseException)
            else types.SimpleNamespace(error=None, result=outcome)
            for outcome in outcomes
        ]
        return clips.results(runs)

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


class TestAdvice:
    """What the error of a batch advises never buys again what is here."""

    def advice(self, errors, clip_count):
        return str(batch_error(errors, clip_count, ("prompt", "seed")))

    def failed(self, job_id=7, **changes):
        return failure_of(made_job(JobState.FAILED, id=job_id, request_id=f"r{job_id}", may_be_charged=True, **changes))

    def test_a_failed_picture_is_taken_out_and_no_input_of_all_is_to_be_changed(self):
        assert self.advice({2: self.failed(reason="a face")}, 3) == (
            "Clip 2 of 3: RunComfy reports that the generation failed: a face. RunComfy does not say whether it charges for "
            "failed generations: check Usage on runcomfy.com. Take picture 2 out of the batch and run again: the others are "
            "free. To buy clip 2 again, release job-7 in the RunComfy Request Status node and run again. Changing one of these "
            "inputs buys every clip of the batch again: 'prompt', 'seed'. Clips 1 and 3 arrived: another run does not buy them "
            "again. (request_id: r7, job: job-7)"
        )

    @pytest.mark.parametrize(
        "error",
        [
            failure_of(made_job(JobState.FAILED, reason="a face")),
            failure_of(made_job(JobState.CANCELLED, may_be_charged=True)),
            failure_of(made_job(JobState.CANCELLED)),
            InvalidRequestError("RunComfy refused the picture.", status_code=422),
        ],
        ids=lambda error: f"{type(error).__name__} {error.remedy[:20]}",
    )
    def test_whatever_concerns_one_picture_does_not_advise_to_change_what_belongs_to_all(self, error):
        said = self.advice({1: error}, 2)
        assert "Take picture 1 out of the batch and run again: the others are free." in said
        assert "Change the" not in said
        assert "change the seed" not in said

    def test_all_pictures_that_failed_are_named_and_so_are_their_jobs(self):
        said = self.advice({1: self.failed(4, reason="a"), 3: self.failed(6, reason="b")}, 4)
        assert "Take pictures 1 and 3 out of the batch and run again: the others are free." in said
        assert "release job-4" in said
        assert "release job-6" in said
        assert "Clip 3 (job-6) failed too: " in said

    def test_where_something_else_failed_too_the_others_are_not_called_free(self):
        broke = ServerError("Trouble.", status_code=500)
        said = self.advice({1: broke, 2: self.failed(reason="a face")}, 3)
        assert "Wait a minute, then run the node again. Take picture 2 out of the batch and run again. " in said
        assert "the others are free" not in said

    def test_a_clip_of_which_nobody_knows_keeps_its_way_out_whoever_failed_first(self):
        lost = uncertain(made_job(JobState.UNCERTAIN, id=9, reason="The line broke."))
        said = self.advice({1: self.failed(reason="a face"), 2: lost}, 3)
        assert "put job-9 into that node and choose 'release'" in said
        assert "Clip 2 (job-9) failed too: It is not known whether RunComfy accepted this request" in said

    def test_where_every_picture_was_refused_nothing_is_lost_by_a_change(self):
        refused = InvalidRequestError("The prompt is refused.", status_code=400)
        refused = refused.told(remedy=made_request().remedy_for(refused))
        assert "Change one of these inputs: 'prompt', 'size', 'seconds', 'image'." in self.advice(
            {1: refused, 2: refused}, 2
        )
