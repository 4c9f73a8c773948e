"""Who may ask, and what a job looks like to the page. Tables."""

import json
import math
from dataclasses import replace

import pytest
from sora2pro.nodes.errors import (
    APIConnectionError,
    AuthenticationError,
    GenerationFailedError,
    InvalidInputError,
    JournalUnavailableError,
    MissingTokenError,
    NotFoundError,
)
from sora2pro.nodes.page.admission import refusal
from sora2pro.nodes.page.documents import actions_of, error_document, job_document, json_of, status_of, token_document
from sora2pro.nodes.run.display import clip_document, ended_part
from sora2pro.nodes.runcomfy.credentials import Token
from sora2pro.nodes.runcomfy.jobs import JobState
from sora2pro.nodes.runcomfy.progress import Finished
from support.values import made_job

JOB = made_job(
    JobState.SUBMITTED,
    take=2**64 - 1,
    request_id="r1",
    may_be_charged=True,
    video_url="https://storage.example/clip?signature=secret",
)
OURS = {"X-Sora2Pro": "1"}


@pytest.mark.parametrize(
    ("state", "has_clip", "changes", "offered"),
    [
        (JobState.PREPARED, False, {}, []),
        (JobState.SUBMITTING, False, {"request_id": None}, ["check"]),
        (JobState.SUBMITTED, False, {}, ["collect", "cancel"]),
        (JobState.COMPLETED, False, {}, ["collect"]),
        (JobState.DOWNLOADED, True, {}, ["open"]),
        (JobState.DOWNLOADED, False, {}, ["collect"]),
        (JobState.REJECTED, False, {}, []),
        (JobState.FAILED, False, {}, ["collect", "release"]),
        (JobState.FAILED, False, {"is_released": True}, ["collect"]),
        (JobState.CANCELLED, False, {"may_be_charged": False}, ["collect"]),
        (JobState.CANCELLED, False, {}, ["collect", "release"]),
        (JobState.UNCERTAIN, False, {"request_id": None}, ["adopt", "release"]),
        (JobState.UNCERTAIN, False, {"request_id": None, "is_released": True}, []),
    ],
)
def test_each_state_offers_what_can_be_done_in_it(state, has_clip, changes, offered):
    assert actions_of(replace(JOB, state=state, **changes), has_clip=has_clip) == offered


@pytest.mark.parametrize("state", [JobState.PREPARED, JobState.REJECTED, JobState.CANCELLED, JobState.FAILED])
def test_a_job_of_which_nothing_is_charged_shows_no_price(state):
    assert job_document(made_job(state, expected_usd=1.2), has_clip=False)["expected_usd"] is None
    charged = made_job(state, expected_usd=1.2, may_be_charged=True)
    assert job_document(charged, has_clip=False)["expected_usd"] == 1.2


def test_a_job_goes_to_the_page_without_its_signed_address_with_its_seed_whole_and_a_long_prompt_cut():
    document = job_document(replace(JOB, prompt="x" * 32_000), has_clip=False)
    assert "secret" not in str(document)
    assert document["seed"] == "18446744073709551615"
    assert len(document["prompt"]) == 400


def test_what_others_said_of_a_job_reaches_the_page_on_one_short_line_without_escape_codes_and_turned_letters():
    reason = "blocked\x1b[31m\u202e\r\nby https://example.com/?token=secret " + "x" * 100_000
    said = job_document(replace(JOB, reason=reason), has_clip=False)["reason"]
    assert said.isprintable()
    assert (said[:12], len(said), "secret" in said) == ("blocked[31m ", 300, False)


WILD = "A clip on evil\x1b[31m\u202ehost \x00 " + "x" * 100_000


@pytest.mark.parametrize(
    "told",
    [
        job_document(JOB, has_clip=False, trouble=WILD)["trouble"],
        job_document(JOB, has_clip=False, activity=WILD)["activity"],
        error_document(InvalidInputError(WILD))["error"],
        clip_document(Finished("r1", "Done.", WILD), WILD, fraction=1.0)["text"],
        ended_part(None, phase="failed", message=WILD)["message"],
    ],
)
def test_whatever_quotes_others_reaches_the_page_without_escape_codes_and_turned_letters_and_with_an_end(told):
    assert told.startswith("A clip on evil[31mhost ")
    assert told.isprintable()
    assert len(told) <= 4000


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_what_is_not_a_number_never_leaves_as_json(number):
    document = {"a": number, "b": [{"c": number}, 1.5], "d": None, "e": "NaN", "f": True}
    expected = {"a": None, "b": [{"c": None}, 1.5], "d": None, "e": "NaN", "f": True}
    assert json.loads(json_of(document), parse_constant=pytest.fail) == expected


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInputError("x"), 400),
        (MissingTokenError("x"), 409),
        (JournalUnavailableError("x"), 503),
        (NotFoundError("x", status_code=404), 404),
        (AuthenticationError("x", status_code=401), 502),
        (APIConnectionError("x", sent=False), 502),
        (GenerationFailedError("x"), 409),
    ],
)
def test_an_error_has_the_sentences_of_the_node_and_a_status_that_is_not_the_apis(error, status):
    assert status_of(error) == status
    assert error_document(error)["error"] == str(error)


@pytest.mark.parametrize(
    ("source", "origin", "variable"),
    [
        ("the environment variable RUNCOMFY_API_TOKEN", "environment", "RUNCOMFY_API_TOKEN"),
        ("the environment variable RUNCOMFY_TOKEN", "environment", "RUNCOMFY_TOKEN"),
        (
            "the file /run/x of the environment variable RUNCOMFY_API_TOKEN_FILE",
            "environment",
            "RUNCOMFY_API_TOKEN_FILE",
        ),
        ("/state/token", "saved", None),
        ("/home/me/.config/runcomfy/token.json", "client", None),
    ],
)
def test_of_a_token_only_its_place_and_its_end_are_told(source, origin, variable):
    document = token_document(Token("a-long-secret-1234", source), "", saved_path="/state/token", has_saved=False)
    assert (document["origin"], document["variable"], document["hint"]) == (origin, variable, "1234")
    assert "secret" not in str(document)


@pytest.mark.parametrize(
    ("method", "headers", "may_pass"),
    [
        ("GET", {}, True),
        ("GET", {"Sec-Fetch-Site": "same-origin"}, True),
        ("GET", {"Sec-Fetch-Site": "none"}, True),
        ("GET", {"Sec-Fetch-Site": "cross-site"}, False),
        ("GET", {"Sec-Fetch-Site": "same-site"}, False),
        ("GET", {"Origin": "http://here:8188", "Host": "here:8188"}, True),
        ("GET", {"Origin": "http://HERE:8188", "Host": "Here:8188"}, True),
        ("GET", {"Origin": "http://here:8189", "Host": "here:8188"}, False),
        ("GET", {"Origin": "http://here:8188"}, False),
        ("GET", {"Origin": "null", "Host": "here:8188"}, False),
        ("GET", {"Origin": "", "Host": "here:8188"}, False),
        ("POST", {}, False),
        ("POST", OURS, True),
        ("POST", {"X-Sora2Pro": "0"}, False),
        ("POST", OURS | {"Sec-Fetch-Site": "cross-site"}, False),
        ("POST", OURS | {"Sec-Fetch-Site": "same-origin", "Origin": "https://proxy", "Host": "here"}, True),
        ("DELETE", {"Sec-Fetch-Site": "same-origin"}, False),
        ("GET", {"Host": "127.0.0.1:8188"}, True),
        ("GET", {"Host": "192.168.1.20:8188", "Origin": "http://192.168.1.20:8188"}, True),
        ("GET", {"Host": "[fe80::1]:8188"}, True),
        ("GET", {"Host": "localhost"}, True),
        ("GET", {"Host": "comfy.localhost:8188"}, True),
        ("GET", {"Host": "studio-pc:8188"}, True),
        ("GET", {"Host": "studio-pc.local:8188"}, False),
        ("GET", {"Host": "evil.example:8188", "Sec-Fetch-Site": "same-origin"}, False),
        ("POST", OURS | {"Host": "evil.example", "Origin": "http://evil.example"}, False),
        ("GET", {"Host": "127.0.0.1.evil.example"}, False),
        ("GET", {"Host": "evil.example."}, False),
        ("GET", {"Host": "evil.example:80@127.0.0.1"}, False),
        ("GET", {"Host": "[x", "Origin": "http://[x"}, False),
        ("GET", {"Origin": "http://[x"}, False),
        ("GET", {"Origin": "null"}, False),
        ("OPTIONS", {}, False),
    ],
)
def test_only_this_page_may_ask_and_only_with_our_header_may_it_change_anything(method, headers, may_pass):
    assert (refusal(method, headers) is None) is may_pass
