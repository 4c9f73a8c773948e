"""RunComfy's answers to status, result, cancel and catalogue, in every form that is documented or was met."""

import pytest
from sora2pro.nodes.errors import APIError, ResponseFormatError
from sora2pro.nodes.runcomfy.api.answers import (
    CancelOutcome,
    CatalogueEntry,
    Phase,
    RequestStatus,
    checked_json,
    parse_cancel,
    parse_catalogue,
    parse_result,
    parse_status,
    parse_submit,
)
from sora2pro.nodes.runcomfy.api.refusals import Subject
from support.values import made_answer

CLIP = "https://playgrounds-storage-public.runcomfy.net/aB%3D/c%3d/output/Z-5_output.mp4"
DECOY = "https://playgrounds-storage-public.runcomfy.net/input/decoy.mp4"

WORDS = {
    Phase.QUEUED: ["in_queue", "queued", "pending", "waiting"],
    Phase.RUNNING: ["in_progress", "starting", "processing", "running"],
    Phase.COMPLETED: ["completed", "succeeded", "success"],
    Phase.FAILED: ["failed", "error"],
    Phase.CANCELLED: ["cancelled", "canceled"],
    Phase.UNKNOWN: ["", "paused", "in queue", "complete", "COMPLETED!", "succeededed"],
}


@pytest.mark.parametrize(
    "form", [str, str.upper, str.title, lambda word: f"  {word}\n"], ids=["as is", "UP", "Title", "blanks"]
)
@pytest.mark.parametrize(("phase", "word"), [(phase, word) for phase, words in WORDS.items() for word in words])
def test_a_status_word_is_known_in_any_case(phase, word, form):
    assert parse_status({"status": form(word)}).phase is phase
    assert parse_result({"status": form(word)}).phase is phase


@pytest.mark.parametrize("word", [None, 7, True, ["completed"], {"status": "completed"}])
def test_a_status_that_is_not_a_word_is_unknown(word):
    assert parse_status({"status": word}).phase is Phase.UNKNOWN
    assert parse_result({"status": word}).phase is Phase.UNKNOWN


def test_completed_on_status_brings_no_clip_only_the_result_does():
    """On /status `completed` means that the request left the queue; there is nothing in that answer to take a clip from."""
    assert parse_status({"status": "completed", "output": {"video": CLIP}}) == RequestStatus(
        Phase.COMPLETED, "completed", None
    )
    result = parse_result({"status": "failed", "error": "refused"})
    assert (result.phase, result.video_url) == (Phase.FAILED, None)


@pytest.mark.parametrize(
    ("position", "understood"),
    [(0, 0), (3, 3), (-1, None), (True, None), (2.5, None), ("3", None), (None, None), ([], None)],
)
def test_a_queue_position_is_a_count_or_nothing(position, understood):
    assert parse_status({"status": "in_queue", "queue_position": position}).queue_position == understood


@pytest.mark.parametrize(
    "output",
    [
        pytest.param({"video": CLIP}, id="video"),
        pytest.param({"videos": [CLIP, DECOY]}, id="videos"),
        pytest.param(CLIP, id="text"),
        pytest.param([CLIP, DECOY], id="list"),
        pytest.param({"video": {"url": CLIP}}, id="nested url"),
        pytest.param({"videos": [{"url": CLIP}]}, id="list of nested urls"),
        pytest.param([{"url": CLIP}], id="list of urls"),
        pytest.param({"url": CLIP}, id="url"),
        pytest.param({"video": None, "videos": [CLIP]}, id="video empty"),
        pytest.param({"video": "", "videos": [None, "", CLIP]}, id="gaps"),
        pytest.param({"image": DECOY, "images": [DECOY], "thumbnail": DECOY, "video": CLIP}, id="pictures beside it"),
    ],
)
def test_the_clip_is_found_byte_for_byte_in_every_form_of_output(output):
    document = {
        "status": "succeeded",
        "input": {"input_reference": DECOY, "video": DECOY},
        "url": DECOY,
        "output": output,
    }
    assert parse_result(document).video_url == CLIP


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({}, id="no output"),
        pytest.param({"output": None}, id="null"),
        pytest.param({"output": {}}, id="empty object"),
        pytest.param({"output": []}, id="empty list"),
        pytest.param({"output": ""}, id="empty text"),
        pytest.param({"output": 7}, id="number"),
        pytest.param({"output": {"image": DECOY, "images": [DECOY]}}, id="pictures only"),
        pytest.param({"output": {"video": 7, "videos": {"first": None}}}, id="odd types"),
        pytest.param(
            {"input": {"video": DECOY}, "video": DECOY, "result_url": DECOY}, id="addresses outside of output"
        ),
    ],
)
def test_an_address_outside_of_the_output_is_never_taken_for_the_clip(document):
    assert parse_result({"status": "succeeded", **document}).video_url is None


@pytest.mark.parametrize(
    ("cost", "usd"),
    [
        (2.4, 2.4),
        (3, 3.0),
        (0, 0.0),
        (None, None),
        ("2.4", None),
        (True, None),
        (-1, None),
        ({"amount": 2.4}, None),
        ([2.4], None),
        (float("nan"), None),
        (float("inf"), None),
        pytest.param(10**400, None, id="a number of 400 digits"),
        pytest.param(1e308, None, id="more than there is: sums with it are infinite"),
        pytest.param(1e9, None, id="a billion"),
    ],
)
def test_a_cost_is_a_sum_of_money_or_nothing(cost, usd):
    assert parse_result({"status": "succeeded", "cost": cost}).cost_usd == usd


def test_a_result_without_a_cost_has_none():
    assert parse_result({"status": "succeeded"}).cost_usd is None


@pytest.mark.parametrize(
    ("document", "outcome"),
    [
        pytest.param({"status": "cancelled", "outcome": "cancelled"}, CancelOutcome.CANCELLED, id="as documented"),
        pytest.param(
            {"status": "completed", "outcome": "cancelled"},
            CancelOutcome.CANCELLED,
            id="the odd sample of the documentation",
        ),
        pytest.param({"outcome": "CANCELED"}, CancelOutcome.CANCELLED, id="other spelling"),
        pytest.param({"status": "cancelled"}, CancelOutcome.CANCELLED, id="status alone"),
        pytest.param(
            {"status": "in_progress", "outcome": "not_cancellable"}, CancelOutcome.NOT_CANCELLABLE, id="running"
        ),
        pytest.param(
            {"status": "cancelled", "outcome": "not_cancellable"}, CancelOutcome.NOT_CANCELLABLE, id="outcome wins"
        ),
        pytest.param(
            {"status": "cancelled", "outcome": "cancellation_requested"}, CancelOutcome.UNCLEAR, id="only requested"
        ),
        pytest.param({"status": "cancellation_requested"}, CancelOutcome.UNCLEAR, id="requested, no outcome"),
        pytest.param({"status": "completed"}, CancelOutcome.UNCLEAR, id="only out of the queue"),
        pytest.param({"outcome": 7, "status": None}, CancelOutcome.UNCLEAR, id="odd types"),
        pytest.param({}, CancelOutcome.UNCLEAR, id="nothing"),
    ],
)
def test_what_a_cancel_came_to_is_only_said_where_runcomfy_says_it(document, outcome):
    assert parse_cancel(document) is outcome


@pytest.mark.parametrize(
    ("document", "entry"),
    [
        ({"base_price_usd": 0.3, "price_unit": "second"}, CatalogueEntry(0.3, "second")),
        ({"base_price_usd": 2, "price_unit": "OUTPUT"}, CatalogueEntry(2.0, "output")),
        ({"base_price_usd": "0.3", "price_unit": 7}, CatalogueEntry(None, None)),
        ({}, CatalogueEntry(None, None)),
    ],
)
def test_a_price_is_read_or_left_open(document, entry):
    assert parse_catalogue(document) == entry


@pytest.mark.parametrize("request_id", ["8a3f", "A-b_9", "x" * 128])
def test_the_request_id_of_a_submit_is_all_that_is_relied_on(request_id):
    assert parse_submit({"request_id": request_id, "status_url": 7}, 202) == request_id


@pytest.mark.parametrize(
    "request_id",
    [None, "", "x" * 129, "a/b", "../x", "a b", "a?b", "a\n", "é", 7, True, ["a"], {"id": "a"}],
    ids=repr,
)
def test_an_id_that_cannot_stand_in_an_address_is_none(request_id):
    with pytest.raises(ResponseFormatError):
        parse_submit({"request_id": request_id}, 200)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"request_id": "a', id="cut off"),
        pytest.param(b"<html><body>Bad gateway</body></html>", id="HTML"),
        pytest.param(b"\xff\xfe\x00\x80", id="junk"),
        pytest.param(b"[1, 2]", id="a list"),
        pytest.param(b'"text"', id="a text"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[" * 100_000, id="a deep hole"),
        pytest.param(b"9" * 5000, id="a number without end"),
    ],
)
@pytest.mark.parametrize("status_code", [200, 202, 404, 502])
def test_an_answer_that_is_not_a_json_object_is_an_error_that_does_not_repeat_it(body, status_code):
    with pytest.raises(APIError) as raised:
        checked_json(made_answer(status_code, body=body), Subject.REQUEST)
    assert raised.value.status_code == status_code
    assert "html" not in str(raised.value)
    assert isinstance(raised.value, ResponseFormatError) == (status_code < 300)


def test_what_is_nested_beyond_all_sense_is_neither_a_clip_nor_a_reason_nor_a_crash():
    """How deep JSON may go differs between Pythons; what reads it afterwards must not be the one to break."""
    hole = []
    for _ in range(5000):
        hole = [hole]
    result = parse_result({"status": "failed", "output": hole, "error": {"inner": hole}, "detail": hole})
    assert (result.phase, result.video_url) == (Phase.FAILED, None)


@pytest.mark.parametrize("nothing", [None, 0, ""])
def test_an_empty_error_code_beside_a_result_is_not_an_error(nothing):
    document = {"request_id": "a", "error_code": nothing}
    assert checked_json(made_answer(200, document), Subject.REQUEST) == document
