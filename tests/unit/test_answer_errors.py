"""RunComfy's two vocabularies of errors, by number and by HTTP status, and what of its words reaches a message."""

import pytest
from sora2pro.nodes.errors import (
    APIError,
    AuthenticationError,
    InsufficientCreditsError,
    InvalidRequestError,
    ModelUnavailableError,
    NotFoundError,
    RateLimitError,
    ServerError,
)
from sora2pro.nodes.runcomfy.api.answers import NOT_READY_CODE, checked_json, parse_result
from sora2pro.nodes.runcomfy.api.refusals import Subject, api_error
from sora2pro.nodes.runcomfy.foreign_text import MAX_SHOWN_CHARS
from support.values import made_answer

MODEL, REQUEST, ACCOUNT = Subject.MODEL, Subject.REQUEST, Subject.ACCOUNT
IMAGE_URI = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUA"
SIGNED = "https://storage.runcomfy.net/clip.mp4?X-Signature=deadbeef&X-Expires=60"


@pytest.mark.parametrize(
    ("status", "code", "subject", "kind"),
    [
        (400, 400_001, MODEL, ModelUnavailableError),
        (400, 400_001, REQUEST, NotFoundError),
        (400, 400_002, MODEL, InsufficientCreditsError),
        (400, 400_004, MODEL, AuthenticationError),
        (400, 400_004, ACCOUNT, AuthenticationError),
        (403, 403_001, MODEL, AuthenticationError),
        (403, 403_001, REQUEST, NotFoundError),
        (404, 404_001, MODEL, ModelUnavailableError),
        (404, 404_001, REQUEST, NotFoundError),
        (404, 404_001, ACCOUNT, NotFoundError),
        (400, NOT_READY_CODE, REQUEST, InvalidRequestError),
        (401, 401_001, MODEL, AuthenticationError),
        (403, 403_003, MODEL, AuthenticationError),
        (422, 422_001, MODEL, InvalidRequestError),
        (500, 500_001, MODEL, ServerError),
        (400, None, MODEL, InvalidRequestError),
        (401, None, MODEL, AuthenticationError),
        (402, None, MODEL, InsufficientCreditsError),
        (403, None, MODEL, AuthenticationError),
        (403, None, REQUEST, AuthenticationError),
        (404, None, MODEL, ModelUnavailableError),
        (404, None, REQUEST, NotFoundError),
        (422, None, MODEL, InvalidRequestError),
        (429, None, MODEL, RateLimitError),
        (500, None, MODEL, ServerError),
        (502, None, REQUEST, ServerError),
        (503, None, REQUEST, ServerError),
        (504, None, REQUEST, ServerError),
        (409, None, REQUEST, APIError),
        (418, None, REQUEST, APIError),
        (301, None, MODEL, APIError),
        (200, 400_002, MODEL, InsufficientCreditsError),
        (200, 403_003, REQUEST, AuthenticationError),
        (200, 500_001, REQUEST, ServerError),
        (200, 429_007, REQUEST, RateLimitError),
        (200, 1, REQUEST, APIError),
    ],
)
def test_both_vocabularies_lead_to_the_same_errors(status, code, subject, kind):
    document = {} if code is None else {"error_code": code}
    error = api_error(status, {}, document, subject)
    assert type(error) is kind
    assert (error.status_code, error.error_code) == (status, code)
    assert f"HTTP {status}" in error.what


@pytest.mark.parametrize(
    "document",
    [
        {"error_code": 400_002, "error_message": "no balance"},
        {"error_code": "400002", "error_message": "no balance"},
        {"code": 400_002, "error": "InsufficientResources"},
        {"error_code": None, "code": "400002"},
    ],
)
def test_a_code_is_found_in_every_form(document):
    error = api_error(400, {}, document, MODEL)
    assert isinstance(error, InsufficientCreditsError)
    assert error.error_code == 400_002


@pytest.mark.parametrize("code", [True, 4.5, "4e5", "-1", "400002x", [400_002], {"code": 400_002}, "1" * 30])
def test_a_code_that_is_not_a_number_is_none(code):
    assert api_error(500, {}, {"error_code": code}, MODEL).error_code is None


@pytest.mark.parametrize("code", [400_002, "400002", 403_003, "a word", {"a": 1}])
def test_an_answer_with_an_error_code_is_an_error_whatever_its_status(code):
    with pytest.raises(APIError):
        checked_json(made_answer(200, {"request_id": "abc", "error_code": code}), MODEL)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"error_message": "One.", "message": "Two.", "error": "Three.", "detail": "Four."}, "One."),
        ({"message": "Two.", "error": "Three.", "detail": "Four."}, "Two."),
        ({"error": "Three.", "detail": "Four."}, "Three."),
        ({"detail": "Four."}, "Four."),
        (
            {"error": {"message": "Inpaint image must match", "type": "invalid_request_error"}},
            "Inpaint image must match.",
        ),
        ({"error": {"code": "moderation_blocked"}}, '{"code": "moderation_blocked"}.'),
        ({"detail": [{"loc": ["body", "size"], "msg": "bad size"}, {"msg": "bad seconds"}]}, "bad size; bad seconds."),
        ({"detail": ["first", "second"]}, "first; second."),
        ({"detail": []}, ""),
        ({"error": 7}, "7."),
        ({}, ""),
    ],
)
def test_the_words_of_an_error_are_found_in_every_form(document, words):
    said = api_error(422, {}, document, MODEL).what
    assert said == "RunComfy rejected the input (HTTP 422)" + (f": {words}" if words else ".")


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"error": "model refused the prompt"}, "model refused the prompt"),
        (
            {"error": {"type": "moderation", "message": "blocked by our moderation system"}},
            "blocked by our moderation system",
        ),
        ({"failure_reason": "out of time"}, "out of time"),
        ({"error_message": "broken"}, "broken"),
        ({"error": None, "message": "broken"}, "broken"),
        ({"error": {"error": {"message": "deep"}}}, '{"error": {"message": "deep"}}'),
        ({}, ""),
    ],
)
def test_the_reason_of_a_failure_is_told_in_runcomfys_words(document, reason):
    assert parse_result({"status": "failed", **document}).reason == reason


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(f"cannot read {IMAGE_URI}", id="data URI"),
        pytest.param(IMAGE_URI.replace("png;", "png;charset=utf-8;"), id="data URI with a parameter"),
        pytest.param(IMAGE_URI.replace("data:", "DATA:"), id="data URI in capitals"),
        pytest.param({"message": f"cannot read {IMAGE_URI}, sorry"}, id="data URI in an object"),
        pytest.param({"input": {"input_reference": IMAGE_URI}}, id="data URI in an echo"),
        pytest.param([{"msg": f"bad {IMAGE_URI}"}], id="data URI in a list"),
        pytest.param(f"cannot fetch {SIGNED}", id="signed address"),
        pytest.param(f"cannot fetch ({SIGNED})", id="signed address in brackets"),
        pytest.param(SIGNED.replace("https", "HTTPS"), id="signed address in capitals"),
        pytest.param({"url": SIGNED}, id="signed address in an object"),
        pytest.param("cannot fetch https://user:iVBORw0K@host.example/x", id="address with a password"),
    ],
)
def test_pictures_and_signatures_stay_out_of_messages(said):
    texts = [
        str(api_error(422, {}, {"error_message": said}, MODEL)),
        parse_result({"status": "failed", "error": said}).reason,
    ]
    for text in texts:
        assert "iVBORw0K" not in text
        assert "deadbeef" not in text


def test_a_foreign_status_word_is_shown_short_and_on_one_line():
    word = parse_result({"status": "odd\n\x1b[31m" + "x" * 1000}).word
    assert word.isprintable()
    assert len(word) <= MAX_SHOWN_CHARS


def test_foreign_words_are_cut_to_a_readable_length():
    reason = parse_result({"status": "failed", "error": "long " * 1000}).reason
    assert len(reason) <= MAX_SHOWN_CHARS
    assert reason.endswith("…")
