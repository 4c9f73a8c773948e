import pytest
from sora2pro.nodes.errors import (
    NOTHING_SENT,
    SAFE_TO_RERUN,
    DownloadError,
    GenerationCancelledError,
    GenerationFailedError,
    MissingTokenError,
    NotFoundError,
    RunComfyError,
    ServerError,
    VideoDecodeError,
)
from sora2pro.nodes.runcomfy.jobs import JobState
from sora2pro.nodes.runcomfy.sentences import failure_of, uncertain, unknown_at_runcomfy, with_job
from support.values import made_job

ACCEPTED = made_job(JobState.SUBMITTED, request_id="request-1", may_be_charged=True, expected_usd=1.2)


@pytest.mark.parametrize(
    ("changes", "money"),
    [
        ({"may_be_charged": True}, "RunComfy does not say whether it charges for failed generations"),
        ({"may_be_charged": True, "cost_usd": 1.2}, "RunComfy charged $1.20 for it."),
        ({"cost_usd": 0.0}, "RunComfy charged $0.00 for it."),
    ],
)
def test_a_failed_generation_is_told_in_runcomfys_words_with_what_is_known_of_the_money(changes, money):
    error = failure_of(made_job(JobState.FAILED, reason="blocked by moderation.", request_id="request-1", **changes))
    assert type(error) is GenerationFailedError
    assert error.what == "RunComfy reports that the generation failed: blocked by moderation."
    assert money in error.money
    assert "it does not submit it again" in error.remedy
    assert str(error).endswith("(request_id: request-1, job: job-7)")


def test_the_kind_of_an_error_in_a_report_that_is_published_names_no_folder():
    kinds = [RunComfyError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert MissingTokenError in kinds
    assert {kind.__module__ for kind in kinds} == {"sora2pro"}


def test_a_failure_without_a_reason_says_so():
    assert failure_of(made_job(JobState.FAILED)).what.endswith("failed, without giving a reason.")


@pytest.mark.parametrize(
    ("changes", "money", "remedy"),
    [
        ({}, "Nothing was charged for it.", "Run the node again to buy a new clip."),
        ({"may_be_charged": True}, "It may have been charged.", "It is not sent again automatically"),
    ],
)
def test_a_cancelled_request_says_whether_the_way_is_free(changes, money, remedy):
    error = failure_of(made_job(JobState.CANCELLED, reason="Cancelled in the queue.", **changes))
    assert type(error) is GenerationCancelledError
    assert error.what == "The request was cancelled at RunComfy: Cancelled in the queue."
    assert error.money == money
    assert remedy in error.remedy
    assert failure_of(made_job(JobState.CANCELLED)).what == "The request was cancelled at RunComfy."


def test_a_request_of_which_nobody_knows_names_both_ways_out():
    error = uncertain(made_job(JobState.UNCERTAIN, reason="The line broke.", may_be_charged=True))
    for words in ("It may have been charged", "Generations on runcomfy.com", "'adopt'", "job-7", "'release'"):
        assert words in str(error)


@pytest.mark.parametrize(
    ("error", "money"),
    [
        (ServerError("trouble", status_code=500), "RunComfy has accepted it and will charge for it (expected: $1.20)."),
        (MissingTokenError("no token"), "RunComfy has accepted it and will charge for it (expected: $1.20)."),
        (DownloadError("cut off"), DownloadError.money),
        (NotFoundError("gone", status_code=404, money="As you know."), "As you know."),
    ],
    ids=["open", "nothing was sent now, but before", "the error knows", "the caller knows"],
)
def test_an_error_of_a_known_job_never_denies_its_charge(error, money):
    before = str(error)
    told = with_job(error, ACCEPTED)
    assert (type(told), told.what, str(error)) == (type(error), error.what, before)
    assert told.money == money
    assert (told.request_id, told.job_id) == ("request-1", 7)
    assert told.remedy


def test_an_error_of_a_job_that_was_never_sent_may_say_so():
    assert with_job(MissingTokenError("no token"), made_job()).money == NOTHING_SENT


def test_what_is_known_better_is_left_as_it_is(tmp_path):
    error = VideoDecodeError("damaged", path=tmp_path, request_id="request-9", job_id=0)
    told = with_job(error, ACCEPTED)
    assert (told.request_id, told.job_id) == ("request-9", 0)
    assert str(tmp_path) in told.remedy
    assert with_job(NotFoundError("gone", status_code=404), ACCEPTED).remedy == SAFE_TO_RERUN


@pytest.mark.parametrize(
    ("changes", "money"),
    [
        ({"expected_usd": 1.2}, "It was accepted before, so it may have been charged (expected: $1.20)."),
        ({}, "It was accepted before, so it may have been charged."),
        ({"cost_usd": 1.2}, "RunComfy charged $1.20 for it."),
    ],
)
def test_of_a_request_that_runcomfy_does_not_know_one_consistent_thing_is_said(changes, money):
    job = made_job(JobState.SUBMITTED, request_id="request-1", may_be_charged=True, **changes)
    error = unknown_at_runcomfy(NotFoundError("RunComfy does not know this request.", status_code=404), job)
    assert error.money == money
    for words in (
        "token",
        "Generations on runcomfy.com",
        "put job-7 into the RunComfy Request Status node",
        "'release'",
    ):
        assert words in error.remedy
    assert SAFE_TO_RERUN not in str(error)
    assert str(error).endswith("(request_id: request-1, job: job-7)")
