import itertools

import pytest
from sora2pro.nodes.errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    GenerationFailedError,
    ResponseFormatError,
)
from sora2pro.nodes.runcomfy.api.refusals import Subject, api_error
from sora2pro.nodes.runcomfy.api.retry import Call, GiveUp, RetryPolicy, Verdict, Wait, decide, submission_verdict

POLICY = RetryPolicy()
ALL_STATUSES = range(100, 600)
REFUSED = {400, 401, 402, 403, 404, 422}
UNSENT = APIConnectionError("no way there", sent=False)
LOST = APIConnectionError("the line broke", sent=True)
TIMED_OUT = APITimeoutError("no answer", sent=True)
BAD_CERTIFICATE = APIConnectionError("certificate refused", sent=False, is_permanent=True)


def error_of(status, subject, **document):
    """The error that an answer with a status becomes; one that cannot be read where the status is a good one."""
    if 200 <= status < 300 and not document:
        return ResponseFormatError("no usable request id", status_code=status)
    return api_error(status, {}, document, subject)


def is_repeated(call, error):
    return isinstance(decide(POLICY, call, 1, error, jitter=0.5), Wait)


def expected_verdict(status):
    if status == 429:
        return Verdict.RATE_LIMITED
    return Verdict.REFUSED if status in REFUSED else Verdict.UNKNOWN


def test_a_submit_is_sent_again_only_where_it_certainly_was_not_accepted():
    errors = {status: error_of(status, Subject.MODEL) for status in ALL_STATUSES}
    verdicts = {status: submission_verdict(error) for status, error in errors.items()}
    assert verdicts == {status: expected_verdict(status) for status in ALL_STATUSES}
    repeated = [status for status, error in errors.items() if is_repeated(Call.SUBMIT, error)]
    assert repeated == [429]


def test_a_read_is_repeated_where_the_trouble_may_pass():
    repeated = {status for status in ALL_STATUSES if is_repeated(Call.READ, error_of(status, Subject.REQUEST))}
    assert repeated == {*range(200, 300), 404, 408, 409, 425, 429, *range(500, 600)}


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        pytest.param(UNSENT, Verdict.NOT_SENT, id="port closed"),
        pytest.param(BAD_CERTIFICATE, Verdict.NOT_SENT, id="certificate refused"),
        pytest.param(APITimeoutError("no connection in time", sent=False), Verdict.NOT_SENT, id="connect timeout"),
        pytest.param(LOST, Verdict.UNKNOWN, id="reset after sending"),
        pytest.param(TIMED_OUT, Verdict.UNKNOWN, id="read timeout"),
        pytest.param(ResponseFormatError("garbage", status_code=200), Verdict.UNKNOWN, id="2xx without an id"),
        pytest.param(APIError("no money", status_code=200, error_code=400_002), Verdict.REFUSED, id="200 with a code"),
        pytest.param(APIError("input", status_code=202, error_code=422_001), Verdict.REFUSED, id="202 with a code"),
        pytest.param(APIError("odd", status_code=200, error_code=None), Verdict.UNKNOWN, id="200 with a strange code"),
        pytest.param(APIError("inside", status_code=500, error_code=400_002), Verdict.UNKNOWN, id="500 with a code"),
        pytest.param(GenerationFailedError("of another kind"), Verdict.UNKNOWN, id="an error that is none of these"),
    ],
)
def test_what_a_failed_submit_came_to(error, verdict):
    assert submission_verdict(error) is verdict


@pytest.mark.parametrize("code", [500_001, 503_001, 504_001])
def test_trouble_inside_runcomfy_says_nothing_about_acceptance_even_in_a_200(code):
    error = error_of(200, Subject.MODEL, error_code=code)
    assert submission_verdict(error) is Verdict.UNKNOWN


@pytest.mark.parametrize("error", [LOST, TIMED_OUT, error_of(500, Subject.MODEL), error_of(504, Subject.MODEL)])
@pytest.mark.parametrize("attempt", range(1, 10))
def test_no_attempt_ever_repeats_a_submit_of_unknown_outcome(error, attempt):
    assert decide(POLICY, Call.SUBMIT, attempt, error, jitter=0.0) == GiveUp()


@pytest.mark.parametrize("error", [UNSENT, error_of(429, Subject.MODEL)], ids=["not sent", "rate limited"])
def test_a_submit_that_was_not_accepted_is_tried_five_times_in_all(error):
    decisions = [decide(POLICY, Call.SUBMIT, attempt, error, jitter=1.0) for attempt in range(1, 8)]
    assert [isinstance(decision, Wait) for decision in decisions] == [True] * 4 + [False] * 3


@pytest.mark.parametrize("call", Call)
def test_a_refused_certificate_is_not_tried_again(call):
    assert decide(POLICY, call, 1, BAD_CERTIFICATE, jitter=0.0) == GiveUp()


@pytest.mark.parametrize("status", [404, 409])
def test_a_request_that_is_not_known_is_asked_for_four_times_then_believed(status):
    error = error_of(status, Subject.REQUEST)
    decisions = [decide(POLICY, Call.READ, attempt, error, jitter=1.0) for attempt in range(1, 7)]
    assert [isinstance(decision, Wait) for decision in decisions] == [True] * 3 + [False] * 3


@pytest.mark.parametrize("error", [UNSENT, LOST, TIMED_OUT, error_of(502, Subject.REQUEST)])
def test_a_read_goes_on_until_its_callers_deadline(error):
    assert isinstance(decide(POLICY, Call.READ, 10_000, error, jitter=1.0), Wait)


@pytest.mark.parametrize("code", [400_001, 400_002, 400_004, 403_001, 403_003, 422_001])
def test_a_read_that_is_refused_for_a_reason_is_not_repeated(code):
    error = error_of(code // 1000, Subject.REQUEST, error_code=code)
    assert decide(POLICY, Call.READ, 1, error, jitter=0.0) == GiveUp()


def test_waits_double_up_to_the_ceiling():
    waits = [decide(POLICY, Call.READ, attempt, LOST, jitter=1.0).seconds for attempt in range(1, 9)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


@pytest.mark.parametrize("attempt", [1, 4, 40, 100_000])
def test_jitter_spreads_a_wait_between_its_half_and_its_whole(attempt):
    waits = [decide(POLICY, Call.READ, attempt, LOST, jitter=tenth / 10).seconds for tenth in range(11)]
    assert waits[0] == pytest.approx(waits[-1] / 2)
    assert all(earlier < later for earlier, later in itertools.pairwise(waits))
    assert waits[-1] <= POLICY.ceiling_s


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        pytest.param({"Retry-After": "7"}, 7.0, id="seconds"),
        pytest.param({"retry-after": " 7 "}, 7.0, id="small letters and blanks"),
        pytest.param({"Retry-After": "0.25"}, 0.25, id="parts of a second"),
        pytest.param({"Retry-After": "0"}, 0.0, id="at once"),
        pytest.param({"Retry-After": "86400"}, 120.0, id="a day: the ceiling"),
        pytest.param({"Retry-After": "999999999999"}, 120.0, id="absurd: the ceiling"),
        pytest.param(
            {"Retry-After": "Sun, 22 Nov 2026 12:00:30 GMT", "Date": "Sun, 22 Nov 2026 12:00:00 GMT"}, 30.0, id="a date"
        ),
        pytest.param(
            {"Retry-After": "Sun, 22 Nov 2026 11:00:00 GMT", "Date": "Sun, 22 Nov 2026 12:00:00 GMT"},
            0.0,
            id="a past date",
        ),
        pytest.param(
            {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT", "Date": "Sun, 22 Nov 2026 12:00:00 GMT"},
            120.0,
            id="a date beyond all: the ceiling",
        ),
    ],
)
@pytest.mark.parametrize("call", Call)
def test_the_wait_the_server_asks_for_is_kept_within_reason(headers, wait_s, call):
    error = api_error(429, headers, {}, Subject.MODEL)
    assert decide(POLICY, call, 1, error, jitter=0.0) == Wait(wait_s)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param({"Retry-After": ""}, id="empty"),
        pytest.param({"Retry-After": "soon"}, id="a word"),
        pytest.param({"Retry-After": "-5"}, id="negative"),
        pytest.param({"Retry-After": "1e3"}, id="a float in another form"),
        pytest.param({"Retry-After": "inf"}, id="infinity"),
        pytest.param({"Retry-After": "Sun, 22 Nov 2026 12:00:30 GMT"}, id="a date without the server's own"),
        pytest.param({"Retry-After": "Sun, 99 Foo 2026 99:99:99 GMT", "Date": "now"}, id="a date that is none"),
    ],
)
def test_a_retry_after_that_says_nothing_leaves_the_wait_to_us(headers):
    error = api_error(429, headers, {}, Subject.MODEL)
    assert decide(POLICY, Call.SUBMIT, 1, error, jitter=1.0) == Wait(POLICY.base_s)
