"""The client over requests' own sessions; only the adapter below them is ours, so no socket is opened."""

import base64
import html
import io
import json
import urllib.parse

import pytest
import requests
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st
from requests.adapters import BaseAdapter
from sora2pro.nodes.errors import APIError, APITimeoutError, NotFoundError, ResponseFormatError
from sora2pro.nodes.runcomfy.api.answers import CancelOutcome, CatalogueEntry, Phase
from sora2pro.nodes.runcomfy.api.client import MAX_BODY_BYTES, Client, RequestHandle, Timeouts
from sora2pro.nodes.runcomfy.api.retry import Verdict, submission_verdict
from sora2pro.nodes.runcomfy.credentials import Token
from sora2pro.nodes.runcomfy.foreign_text import redacting
from support.values import made_request

BASE = "https://model-api.runcomfy.net"
ACCOUNT = "https://api.runcomfy.net"
VALUE = "rc-0123456789-secret"
HANDLE = RequestHandle("request-1")


class Line(BaseAdapter):
    """Answers every call with the next of its answers, and remembers what was sent through which session."""

    def __init__(self):
        super().__init__()
        self.answers = []
        self.sent = []
        self.limits = []
        self.sessions = []

    def session(self):
        session = requests.Session()
        self.sessions.append(session)
        for scheme in ("https://", "http://"):
            session.mount(scheme, self)
        return session

    def send(self, request, timeout=None, **_options):
        self.sent.append(request)
        self.limits.append(timeout)
        status, body, headers = self.answers.pop(0)
        response = requests.Response()
        response.status_code, response.url, response.request = status, request.url, request
        response.headers.update(headers)
        response.raw = urllib3.HTTPResponse(io.BytesIO(body), status=status, headers=headers, preload_content=False)
        return response

    def close(self):
        """Nothing is open."""


@pytest.fixture
def line():
    return Line()


@pytest.fixture
def client(line):
    with Client(
        base_url=BASE, account_base_url=ACCOUNT, token=Token(VALUE, "a test"), session_factory=line.session
    ) as made:
        yield made


def answer(line, document, status=200, **headers):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    line.answers.append((status, body, headers))


CALLS = {
    "submit": (
        lambda client: client.submit(made_request()),
        "POST",
        f"{BASE}/v1/models/openai/sora-2/pro/image-to-video",
    ),
    "status": (lambda client: client.status(HANDLE), "GET", f"{BASE}/v1/requests/request-1/status"),
    "result": (lambda client: client.result(HANDLE), "GET", f"{BASE}/v1/requests/request-1/result?include_cost=true"),
    "cancel": (lambda client: client.cancel(HANDLE), "POST", f"{BASE}/v1/requests/request-1/cancel"),
    "catalogue": (lambda client: client.catalogue_entry("a/b/c"), "GET", f"{BASE}/v1/models/a/b/c"),
    "balance": (lambda client: client.balance_usd(), "GET", f"{ACCOUNT}/prod/v2/balance"),
}
GOOD = {"request_id": "request-1", "status": "in_queue", "balance_usd": 5}


@pytest.mark.parametrize("name", CALLS)
def test_each_call_goes_to_its_own_address_with_the_token_in_its_header(line, client, name):
    call, method, url = CALLS[name]
    answer(line, GOOD)
    call(client)
    (sent,) = line.sent
    assert (sent.method, sent.url) == (method, url)
    assert sent.headers["Authorization"] == f"Bearer {VALUE}"
    assert VALUE not in sent.url


def test_a_submit_sends_exactly_the_four_keys_as_json_and_the_seconds_as_a_number(line, client):
    answer(line, {"request_id": "abc"}, status=202)
    assert client.submit(made_request(seconds=8, take=7)) == RequestHandle("abc")
    (sent,) = line.sent
    assert sent.headers["Content-Type"] == "application/json"
    assert json.loads(sent.body) == {
        "prompt": "a cat",
        "input_reference": "data:image/png;base64,AAAA",
        "size": "1280x720",
        "seconds": 8,
    }


def test_every_submit_has_a_connection_of_its_own_and_reads_share_one(line, client):
    """A kept connection that the server has closed would look like a request that was sent and never answered."""
    for _ in range(3):
        answer(line, GOOD)
    client.status(HANDLE)
    client.submit(made_request())
    client.submit(made_request())
    assert len(line.sessions) == 3


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_call_follows_a_redirect_with_the_token(line, client, name, status):
    answer(line, b"", status=status, Location="https://evil.example/")
    with pytest.raises(APIError):
        CALLS[name][0](client)
    assert [request.url for request in line.sent] == [CALLS[name][2]]


def test_no_other_credentials_take_the_place_of_the_token(line, client, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine model-api.runcomfy.net login me password wrong\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    answer(line, GOOD)
    client.status(HANDLE)
    assert line.sent[0].headers["Authorization"] == f"Bearer {VALUE}"


@pytest.mark.parametrize(
    ("base_url", "asks_the_proxy"), [(BASE, True), ("http://127.0.0.1:8000", False), ("http://[::1]:8", False)]
)
def test_a_proxy_is_asked_for_the_internet_and_never_for_this_machine(line, base_url, asks_the_proxy):
    client = Client(
        base_url=base_url, account_base_url=base_url, token=Token(VALUE, "a test"), session_factory=line.session
    )
    answer(line, GOOD)
    client.status(HANDLE)
    assert line.sessions[0].trust_env is asks_the_proxy


@pytest.mark.parametrize("name", CALLS)
def test_a_server_that_echoes_the_token_does_not_bring_it_into_a_message(line, client, name):
    answer(line, {"error_code": 400_004, "error_message": f"bad token {VALUE}"}, status=400)
    with pytest.raises(APIError) as raised:
        CALLS[name][0](client)
    assert VALUE not in str(raised.value)
    assert "(token)" in str(raised.value)


def spelled(text, form):
    return "".join(form(character) for character in text)


SECRET = "rc-01/23+45=secret"  # noqa: S105 - made up
SPELLINGS = {
    "as it is": SECRET,
    "escaped slashes": SECRET.replace("/", r"\/"),
    "escaped twice": SECRET.replace("/", r"\\\/").replace("+", r"\\u002b"),
    "JSON escapes": spelled(SECRET, lambda c: f"\\u{ord(c):04x}"),
    "JSON escapes in capitals": spelled(SECRET, lambda c: f"\\u{ord(c):04X}"),
    "percent": spelled(SECRET, lambda c: c if c.isalnum() else f"%{ord(c):02x}"),
    "percent, all": spelled(SECRET, lambda c: f"%{ord(c):02X}"),
    "percent, twice": spelled(SECRET, lambda c: f"%25{ord(c):02X}"),
    "HTML": spelled(SECRET, lambda c: f"&#x{ord(c):X};"),
    "HTML, decimal": spelled(SECRET, lambda c: f"&#{ord(c)};"),
    "Base64": base64.b64encode(SECRET.encode()).decode(),
    "Base64 of the header": base64.b64encode(f"Bearer {SECRET} x".encode()).decode(),
    "Base64 for addresses": base64.urlsafe_b64encode(f"u:{SECRET}".encode()).decode(),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_the_token_is_in_no_message_however_it_is_echoed(line, caplog, spelling, encoding):
    caplog.set_level(0)
    client = Client(base_url=BASE, account_base_url=BASE, token=Token(SECRET, "a test"), session_factory=line.session)
    echo = f'{{"error_code": 400004, "status": "failed", "error_message": "bad {spelling}!", "request_id": "{{id}}"}}'
    for status in (400, 200):
        answer(line, echo.encode(encoding), status=status)
        with pytest.raises(APIError) as raised:
            client.status(HANDLE)
        assert "bad (token)" in str(raised.value) or "bad " in str(raised.value).replace(spelling, "")
        for text in (str(raised.value), caplog.text):
            assert SECRET not in text
            assert spelling not in text
            assert "23+45" not in urllib.parse.unquote(text)


@settings(deadline=None)
@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=40),
    st.lists(st.integers(0, 4), min_size=40, max_size=40),
)
def test_no_mixture_of_spellings_survives_the_parsing(secret, forms):
    """Whatever an answer becomes when it is parsed and decoded as often as one likes, the secret is not in it."""
    spell = [
        lambda c: json.dumps(c)[1:-1],
        lambda c: f"\\u{ord(c):04x}",
        lambda c: f"%{ord(c):02x}",
        lambda c: f"%25{ord(c):02X}",
        lambda c: f"&#{ord(c)};",
    ]
    spelling = "".join(spell[form](character) for form, character in zip(forms, secret, strict=False))
    text = json.loads(redacting(secret)(f'{{"a": ["x{spelling}y"]}}'))["a"][0]
    plain = html.unescape(urllib.parse.unquote(urllib.parse.unquote(text)))
    assert secret not in plain


@pytest.mark.parametrize(
    "code", [None, 0, "", "0", "000000", 200, "200", 200_000, "OK", False, {}, 400_002, 500_001, "odd"]
)
def test_an_id_in_a_good_answer_to_a_submit_is_never_thrown_away(line, client, code):
    """It can be asked for, so it may be charged for: whatever else is said, it is kept."""
    answer(line, {"request_id": "abc", "error_code": code, "error_message": "success"}, status=200)
    assert client.submit(made_request()) == RequestHandle("abc")


def test_an_error_code_beside_an_accepted_id_is_told_in_the_log(line, client, caplog):
    answer(line, {"request_id": "abc", "error_code": 400_002})
    client.submit(made_request())
    assert "accepted abc, but names the error code 400002" in caplog.text


@pytest.mark.parametrize(
    "code", [None, 0, 0.0, "", " ", "0", "000000", 200, "200", "201", 200_000, "OK", "Success", "none", False, [], {}]
)
def test_a_code_that_says_that_all_is_well_keeps_no_clip_from_being_collected(line, client, code):
    clip = "https://storage.runcomfy.net/x.mp4"
    answer(line, {"status": "completed", "error_code": code})
    assert client.status(HANDLE).phase is Phase.COMPLETED
    answer(line, {"status": "completed", "error_code": code, "output": {"video": clip}})
    assert client.result(HANDLE).video_url == clip


@pytest.mark.parametrize("code", ["200 OK", "no error", "N/A", "0.0", "accepted", "odd", 1, True, {"code": 0}])
def test_a_status_that_runcomfy_names_counts_more_than_a_code_that_is_not_known(line, client, code):
    clip = "https://storage.runcomfy.net/x.mp4"
    answer(line, {"status": "in_queue", "error_code": code})
    assert client.status(HANDLE).phase is Phase.QUEUED
    answer(line, {"status": "completed", "error_code": code, "output": {"video": clip}})
    assert client.result(HANDLE).video_url == clip
    answer(line, {"status": "failed", "error_code": code, "error_message": "A face."})
    result = client.result(HANDLE)
    assert (result.phase, result.reason) == (Phase.FAILED, "A face.")


@pytest.mark.parametrize("code", [400_002, "401001", 404, 500_001])
def test_a_code_of_runcomfys_own_counts_more_than_the_status_beside_it(line, client, code):
    answer(line, {"status": "completed", "error_code": code})
    with pytest.raises(APIError):
        client.status(HANDLE)


def test_a_number_that_python_gives_up_on_costs_no_request_id(line, client):
    answer(line, b'{"request_id": "abc", "credits": ' + b"9" * 5000 + b"}", status=200)
    assert client.submit(made_request()) == RequestHandle("abc")


@pytest.mark.parametrize("code", [500, "503", 500_001, 1, 99_999, "odd", True])
def test_an_answer_without_an_id_is_only_called_refused_where_the_code_says_so(line, client, code):
    answer(line, {"error_code": code})
    with pytest.raises(APIError) as raised:
        client.submit(made_request())
    assert submission_verdict(raised.value) is Verdict.UNKNOWN
    answer(line, {"error_code": 400_002})
    with pytest.raises(APIError) as raised:
        client.submit(made_request())
    assert submission_verdict(raised.value) is Verdict.REFUSED


@pytest.mark.parametrize("number", [b"Infinity", b"-Infinity", b"NaN", b"1e999", b"-1e999"])
def test_a_number_that_json_does_not_know_counts_as_absent(line, client, number):
    answer(line, b'{"status": "in_queue", "queue_position": %s}' % number)
    assert client.status(HANDLE).queue_position is None
    answer(line, b'{"status": "failed", "cost": %s, "error": {"why": %s}, "output": [%s]}' % (number, number, number))
    result = client.result(HANDLE)
    assert (result.cost_usd, result.video_url) == (None, None)
    assert "nfinity" not in result.reason
    assert "NaN" not in result.reason


def test_a_result_that_is_not_ready_is_not_an_error(line, client):
    answer(line, {"error_code": 400_005}, status=400)
    assert client.result(HANDLE).phase is Phase.RUNNING
    answer(line, {"error_code": 404_001}, status=404)
    with pytest.raises(NotFoundError):
        client.result(HANDLE)


def test_answers_become_values(line, client):
    answer(line, {"status": "cancelled", "outcome": "cancelled"}, status=202)
    assert client.cancel(HANDLE) is CancelOutcome.CANCELLED
    answer(line, {"base_price_usd": 0.3, "price_unit": "second"})
    assert client.catalogue_entry("a/b") == CatalogueEntry(0.3, "second")
    for balance in (5, 4.25, 0, -1.5):
        answer(line, {"balance_usd": balance})
        assert client.balance_usd() == balance


@pytest.mark.parametrize("balance", [None, "5", True, [], pytest.param(10**400, id="400 digits")])
def test_a_balance_that_is_not_a_sum_of_money_is_an_error(line, client, balance):
    answer(line, {"balance_usd": balance})
    with pytest.raises(ResponseFormatError, match="what the balance is"):
        client.balance_usd()


def test_an_answer_without_end_is_cut_off(line, client):
    answer(line, b" " * (MAX_BODY_BYTES + 1))
    with pytest.raises(ResponseFormatError, match="far too long"):
        client.status(HANDLE)


def test_a_server_that_drips_does_not_hold_a_call_for_ever(line):
    seconds = iter(range(0, 10_000, 20))
    client = Client(
        base_url=BASE,
        account_base_url=ACCOUNT,
        token=Token(VALUE, "a test"),
        session_factory=line.session,
        timeouts=Timeouts(read_s=5.0),
        clock=lambda: next(seconds),
    )
    answer(line, b" " * 200_000)
    with pytest.raises(APITimeoutError, match="did not end"):
        client.status(HANDLE)


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("submit", (10.0, 120.0)),
        ("status", (10.0, 30.0)),
        ("result", (10.0, 30.0)),
        ("cancel", (5.0, 5.0)),
        ("catalogue", (5.0, 5.0)),
        ("balance", (5.0, 5.0)),
    ],
)
def test_every_call_is_bounded_and_the_one_that_costs_has_the_most_patience(line, client, name, limits):
    answer(line, GOOD)
    CALLS[name][0](client)
    assert line.limits == [limits]
