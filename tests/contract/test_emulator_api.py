"""The emulator speaks as RunComfy does: submit, status, result, cancel, catalogue, balance."""

import threading

import pytest
from emulator import Call, Emulator, State, Timeline
from emulator.visitor import Visitor, picture_uri

KEYS = ("request_id", "status_url", "result_url", "cancel_url")


@pytest.fixture
def start():
    emulators = []

    def begin(**options):
        emulators.append(Emulator(**options))
        return emulators[-1], Visitor(emulators[-1])

    yield begin
    for emulator in emulators:
        emulator.close()


def test_a_submission_is_accepted_and_charged_once(start):
    emulator, visitor = start(timeline=Timeline.by_hand())
    answer = visitor.submit(seconds=8)
    assert answer.status == 200
    assert tuple(answer.json) == KEYS
    assert emulator.charges == 1
    assert [(charge.usd, charge.body["seconds"]) for charge in emulator.ledger] == [(2.4, 8)]
    assert answer.json["status_url"] == f"{emulator.url}/v1/requests/{answer.json['request_id']}/status"


def test_a_request_goes_through_the_documented_words(start):
    _, visitor = start(timeline=Timeline.after_polls(queued=1, rendering=1))
    request_id = visitor.accepted()
    seen = [visitor.status(request_id).json for _ in range(3)]
    assert [answer["status"] for answer in seen] == ["in_queue", "in_progress", "completed"]
    assert [answer.get("queue_position") for answer in seen] == [1, None, None]
    result = visitor.result(request_id).json
    assert result["status"] == "succeeded"
    assert result["cost"] == 1.2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": "x" * 32_001}, "prompt"),
        ({"input_reference": None}, "input_reference"),
        ({"input_reference": "http://example.com/a.png"}, "input_reference"),
        ({"input_reference": "data:image/png;base64,AAAA"}, "input_reference"),
        ({"size": "1920x1080"}, "size"),
        ({"seconds": "4"}, "seconds"),
        ({"seconds": 4.0}, "seconds"),
        ({"seconds": True}, "seconds"),
        ({"seconds": 5}, "seconds"),
    ],
)
def test_bad_input_is_refused_before_money(start, changes, field):
    emulator, visitor = start()
    answer = visitor.submit(**changes)
    assert (answer.status, answer.json["error_code"]) == (422, 422001)
    assert answer.json["detail"][0]["loc"] == ["body", field]
    assert emulator.charges == 0


def test_a_lenient_account_takes_the_money_first(start):
    emulator, visitor = start(strict=False)
    request_id = visitor.accepted(seconds="4")
    assert visitor.result(request_id).json["status"] == "failed"
    assert emulator.charges == 1


def test_a_picture_of_other_pixels_fails_in_the_end(start):
    emulator, visitor = start()
    request_id = visitor.accepted(input_reference=picture_uri(1280, 720))
    assert visitor.status(request_id).json["status"] == "completed"
    result = visitor.result(request_id).json
    assert (result["status"], result["error"]) == (
        "failed",
        "Inpaint image must match the requested width and height",
    )
    assert "output" not in result
    assert emulator.charges == 1


def test_keys_the_model_does_not_have_are_noticed(start):
    emulator, visitor = start()
    visitor.submit()
    assert emulator.unknown_keys == set()
    visitor.submit(seed=7)
    assert emulator.unknown_keys == {"seed"}


def test_a_data_uri_can_be_refused(start):
    emulator, visitor = start(accept_data_uri=False)
    assert visitor.submit().status == 422
    assert visitor.submit(input_reference="https://example.com/a.png").status == 200
    assert emulator.charges == 1


@pytest.mark.parametrize(
    ("errors", "token", "money", "model"),
    [("documented", (400, 400004), (400, 400002), (400, 400001)), ("http", (401, None), (402, None), (404, None))],
)
def test_refusals_come_in_two_vocabularies(start, errors, token, money, model):
    emulator, visitor = start(errors=errors, balance_usd=1.0)

    def words(answer):
        return answer.status, answer.json.get("error_code")

    for bad in ("other", ""):
        assert words(visitor.ask("GET", "/prod/v2/balance", token=bad)) == token
    assert words(visitor.submit()) == money
    assert words(visitor.submit(model_id="openai/sora-2-pro")) == model
    assert emulator.charges == 0


@pytest.mark.parametrize(("how", "status"), [("400001", 400), ("404", 404)])
def test_a_withdrawn_model_is_refused(start, how, status):
    emulator, visitor = start(model_retired=how)
    assert visitor.submit().status == status
    assert visitor.ask("GET", "/v1/models/openai/sora-2/pro/image-to-video").status == 400
    assert emulator.charges == 0


def test_a_withdrawn_model_can_also_fail_late(start):
    _, visitor = start(model_retired="failed")
    assert visitor.result(visitor.accepted()).json["error"] == "The model is no longer available."


@pytest.mark.parametrize("error", ["Your request was blocked by our moderation system.", {"type": "x", "message": "y"}])
def test_a_failure_carries_the_error_as_it_is(start, error):
    _, visitor = start(failure=error)
    assert visitor.result(visitor.accepted()).json["error"] == error


@pytest.mark.parametrize(
    ("option", "status", "value"), [("state", 200, {"status": "in_queue"}), ("400005", 400, {"error_code": 400005})]
)
def test_a_result_that_is_not_ready_says_so(start, option, status, value):
    _, visitor = start(timeline=Timeline.by_hand(), not_ready=option)
    answer = visitor.result(visitor.accepted())
    assert answer.status == status
    assert answer.json.items() >= value.items()


def test_the_output_comes_in_five_shapes(start):
    emulator, visitor = start()
    request_id = visitor.accepted()
    shapes = {}
    for shape in ("video", "videos", "string", "list", "nested"):
        emulator.configure(output_shape=shape)
        shapes[shape] = visitor.result(request_id).json["output"]
    assert all(
        url.startswith(emulator.url)
        for url in (
            shapes["video"]["video"],
            shapes["videos"]["videos"][0],
            shapes["string"],
            shapes["list"][0],
            shapes["nested"]["video"]["url"],
        )
    )


def test_words_and_echoes_can_be_others(start):
    _, visitor = start(
        words={"completed": "SUCCESS"}, success_word="completed", submit_status=202, echo_input=True, echo_model_id=True
    )
    submitted = visitor.submit()
    assert (submitted.status, submitted.json["status"]) == (202, "in_queue")
    request_id = submitted.json["request_id"]
    assert visitor.status(request_id).json["status"] == "SUCCESS"
    result = visitor.result(request_id).json
    assert (result["status"], result["model_id"]) == ("completed", "openai/sora-2/pro/image-to-video")
    assert result["input"]["video"].endswith("/decoy/input.mp4")


def test_requests_of_another_model_and_of_another_account_can_be_told(start):
    emulator, visitor = start(other_model_ids=("google/veo/image-to-video",), echo_model_id=True)
    request_id = visitor.submit(model_id="google/veo/image-to-video").json["request_id"]
    assert visitor.result(request_id).json["model_id"] == "google/veo/image-to-video"
    emulator.configure(foreign_ids=frozenset({request_id}))
    for answer in (visitor.status(request_id), visitor.result(request_id), visitor.cancel(request_id)):
        assert (answer.status, answer.json["error_code"]) == (403, 403001)


def test_the_cost_may_come_late_or_never_and_only_if_asked_for(start):
    emulator, visitor = start(cost="late")
    request_id = visitor.accepted()
    assert [visitor.result(request_id).json.get("cost") for _ in range(2)] == [None, 1.2]
    assert "cost" not in visitor.ask("GET", f"/v1/requests/{request_id}/result").json
    emulator.configure(cost="absent")
    assert "cost" not in visitor.result(request_id).json


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("documented", ("cancelled", "cancelled")),
        ("odd", ("completed", "cancelled")),
        ("requested", ("cancelled", "cancellation_requested")),
        ("bare", ("cancellation_requested", None)),
    ],
)
def test_a_queued_request_is_cancelled_and_refunded(start, reply, words):
    emulator, visitor = start(timeline=Timeline.by_hand(), cancel_reply=reply)
    request_id = visitor.accepted()
    answer = visitor.cancel(request_id)
    assert answer.status == 202
    assert (answer.json["status"], answer.json.get("outcome")) == words
    assert emulator.charges == 0
    assert visitor.status(request_id).json["status"] == "cancelled"
    assert visitor.result(request_id).json["status"] == "cancelled"


def test_a_rendering_request_goes_on_and_stays_charged(start):
    emulator, visitor = start(timeline=Timeline.by_hand())
    request_id = visitor.accepted()
    emulator.release(request_id, State.RENDERING)
    assert visitor.cancel(request_id).json["outcome"] == "not_cancellable"
    emulator.release(request_id)
    assert visitor.result(request_id).json["status"] == "succeeded"
    assert emulator.charges == 1


@pytest.mark.parametrize("path", ["status", "result"])
def test_an_unknown_request_is_not_found(start, path):
    _, visitor = start()
    answer = visitor.ask("GET", f"/v1/requests/req-none/{path}")
    assert (answer.status, answer.json["error_code"]) == (404, 404001)


def test_the_catalogue_names_the_price_and_the_balance_goes_down(start):
    _, visitor = start(base_price_usd=0.5, balance_usd=10.0)
    entry = visitor.ask("GET", "/v1/models/openai/sora-2/pro/image-to-video").json
    assert (entry["base_price_usd"], entry["price_unit"]) == (0.5, "second")
    assert visitor.ask("GET", "/v1/models?search=sora").json["models"] == [entry]
    visitor.submit()
    assert visitor.ask("GET", "/prod/v2/balance").json["balance_microdollars"] == 8_000_000


def test_a_price_per_output_does_not_grow_with_the_seconds(start):
    emulator, visitor = start(base_price_usd=2.0, price_unit="output")
    visitor.submit(seconds=12)
    assert emulator.ledger[0].usd == 2.0


def test_a_token_outside_the_api_is_a_leak(start):
    emulator, visitor = start()
    visitor.submit()
    assert emulator.leaks == []
    visitor.ask("GET", "/store/anything")
    visitor.ask("GET", "/decoy/input.mp4")
    visitor.ask("GET", f"/prod/v2/balance?token={emulator.token}", token="")
    assert [leak.call for leak in emulator.leaks] == [Call.DOWNLOAD, Call.ELSEWHERE, Call.BALANCE]


def test_what_was_said_is_recorded_byte_for_byte(start):
    emulator, visitor = start()
    visitor.ask("GET", "//v1/%7e?a=%2f", X_Trace="1")
    seen = emulator.calls[0]
    assert (seen.call, seen.path, seen.headers["x-trace"]) == (Call.ELSEWHERE, "//v1/%7e?a=%2f", "1")


def test_charges_survive_a_restart(start, tmp_path):
    first, visitor = start(state_path=tmp_path / "state.json", timeline=Timeline.by_hand())
    kept, dropped = visitor.accepted(), visitor.accepted(prompt="another")
    visitor.cancel(dropped)
    first.close()
    second, visitor = start(state_path=tmp_path / "state.json")
    assert second.charges == 1
    assert [request.request_id for request in second.requests] == [kept, dropped]
    assert visitor.result(kept).json["status"] == "succeeded"
    assert visitor.result(dropped).json["status"] == "cancelled"


def test_nothing_runs_on_after_the_end():
    before = set(threading.enumerate())
    with Emulator() as emulator:
        Visitor(emulator).submit()
    assert set(threading.enumerate()) <= before


def test_a_test_can_wait_for_what_another_thread_does(start):
    emulator, visitor = start()
    thread = threading.Thread(target=visitor.submit)
    thread.start()
    emulator.wait_until(lambda: emulator.charges == 1)
    thread.join()
    with pytest.raises(TimeoutError, match="submit"):
        emulator.wait_until(lambda: emulator.charges == 2, timeout_s=0.01)
