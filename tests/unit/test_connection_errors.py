"""Exceptions as urllib3 raises them, led through requests' own adapter: that a request was not sent is said only if certain."""

import io
import ssl

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from sora2pro.nodes.errors import APIConnectionError, APITimeoutError
from sora2pro.nodes.runcomfy.api.client import Client, connection_error
from sora2pro.nodes.runcomfy.api.retry import Call, GiveUp, RetryPolicy, Verdict, decide, submission_verdict
from sora2pro.nodes.runcomfy.credentials import Token
from support.values import made_request
from urllib3.exceptions import (
    ConnectTimeoutError,
    IncompleteRead,
    InvalidChunkLength,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
)

POOL = urllib3.HTTPSConnectionPool("model-api.runcomfy.net")
RESPONSE = urllib3.HTTPResponse(io.BytesIO(), preload_content=False)
CERTIFICATE = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed")
HANDSHAKE = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")


class RaisingPool:
    """Stands for the connections below requests' adapter."""

    def __init__(self, error):
        self._error = error

    def urlopen(self, **_request):
        raise self._error


class Adapter(HTTPAdapter):
    """Requests' own adapter, over connections that fail in one way."""

    def __init__(self, error):
        super().__init__()
        self._error = error

    def get_connection_with_tls_context(self, *_arguments, **_options):
        return RaisingPool(self._error)


def after_retries(reason):
    return MaxRetryError(POOL, "/v1/models", reason)


def failed_submit(error):
    """What a submit raises where the connection fails with an error of urllib3's."""

    def session():
        made = requests.Session()
        made.mount("https://", Adapter(error))
        return made

    client = Client(
        base_url="https://model-api.runcomfy.net",
        account_base_url="https://api.runcomfy.net",
        token=Token("secret-token-0001", "a test"),
        session_factory=session,
    )
    with client, pytest.raises(APIConnectionError) as raised:
        client.submit(made_request())
    return raised.value


NOT_SENT = [
    pytest.param(after_retries(NewConnectionError(None, "refused")), "could not be reached", id="port closed"),
    pytest.param(
        after_retries(NameResolutionError("model-api.runcomfy.net", None, OSError("unknown"))),
        "looked up",
        id="no such name",
    ),
    pytest.param(after_retries(ConnectTimeoutError(None, "timed out")), "in time", id="connect timeout"),
    pytest.param(
        after_retries(ProxyError("proxy", NewConnectionError(None, "refused"))), "proxy could not", id="proxy closed"
    ),
    pytest.param(
        after_retries(ProxyError("proxy", NameResolutionError("proxy", None, OSError("unknown")))),
        "proxy could not",
        id="proxy's name unknown",
    ),
    pytest.param(
        after_retries(ProxyError("proxy", ConnectTimeoutError(None, "timed out"))),
        "proxy could not",
        id="proxy timeout",
    ),
    pytest.param(
        after_retries(
            ProxyError("Unable to connect to proxy", OSError("Tunnel connection failed: 407 Proxy Authentication"))
        ),
        "proxy",
        id="proxy refuses the tunnel",
    ),
    pytest.param(after_retries(urllib3.exceptions.SSLError(CERTIFICATE)), "certificate", id="certificate refused"),
    pytest.param(urllib3.exceptions.SSLError(CERTIFICATE), "certificate", id="certificate refused at once"),
]
UNKNOWN = [
    pytest.param(ProtocolError("Connection aborted.", ConnectionResetError(104, "reset")), "broke", id="reset"),
    pytest.param(ProtocolError("Connection aborted.", BrokenPipeError(32, "pipe")), "broke", id="broken pipe"),
    pytest.param(
        ProtocolError("Connection aborted.", OSError("Remote end closed")), "broke", id="closed without an answer"
    ),
    pytest.param(after_retries(ProtocolError("Connection aborted.")), "broke", id="reset, as a retry that ended"),
    pytest.param(ReadTimeoutError(POOL, "/v1", "Read timed out."), "did not answer", id="read timeout"),
    pytest.param(
        after_retries(ReadTimeoutError(POOL, "/v1", "slow")), "broke", id="read timeout, as a retry that ended"
    ),
    pytest.param(after_retries(urllib3.exceptions.SSLError(HANDSHAKE)), "encrypted", id="handshake broken"),
    pytest.param(after_retries(ProxyError("proxy", OSError("reset"))), "broke", id="proxy broke off"),
    pytest.param(after_retries(None), "broke", id="no reason given"),
    pytest.param(OSError(5, "input/output"), "broke", id="bare OSError"),
]


@pytest.mark.parametrize(("error", "words"), NOT_SENT)
def test_a_connection_that_was_never_made_sent_nothing(error, words):
    raised = failed_submit(error)
    assert not raised.sent
    assert submission_verdict(raised) is Verdict.NOT_SENT
    assert words in raised.what


@pytest.mark.parametrize(("error", "words"), UNKNOWN)
def test_a_connection_that_broke_leaves_open_whether_the_request_arrived(error, words):
    raised = failed_submit(error)
    assert raised.sent
    assert submission_verdict(raised) is Verdict.UNKNOWN
    assert words in raised.what


@pytest.mark.parametrize(("error", "_words"), [*NOT_SENT, *UNKNOWN])
def test_no_message_of_a_connection_holds_the_token_or_an_exceptions_inside(error, _words):
    text = str(failed_submit(error))
    assert "secret" not in text
    assert "0x" not in text
    assert "urllib3" not in text


def test_a_refused_certificate_is_final_and_names_the_clock_the_proxy_and_the_companys_certificate():
    raised = failed_submit(after_retries(urllib3.exceptions.SSLError(CERTIFICATE)))
    assert decide(RetryPolicy(), Call.SUBMIT, 1, raised, jitter=0.0) == GiveUp()
    assert "clock" in raised.remedy
    assert "REQUESTS_CA_BUNDLE" in raised.remedy


def test_timeouts_are_told_from_other_breaks():
    assert isinstance(failed_submit(after_retries(ConnectTimeoutError(None, "slow"))), APITimeoutError)
    assert isinstance(failed_submit(ReadTimeoutError(POOL, "/v1", "slow")), APITimeoutError)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ProtocolError("broken", IncompleteRead(10, 20)), id="body cut off"),
        pytest.param(ProtocolError("broken", InvalidChunkLength(RESPONSE, b"zz")), id="chunk of no length"),
        pytest.param(ReadTimeoutError(POOL, None, "Read timed out."), id="body stalled"),
        pytest.param(urllib3.exceptions.DecodeError("gzip"), id="body not decodable"),
        pytest.param(urllib3.exceptions.SSLError(HANDSHAKE), id="encryption broken"),
    ],
)
def test_an_answer_that_breaks_off_leaves_open_whether_the_request_was_accepted(error):
    class BrokenBody:
        def stream(self, *_arguments, **_options):
            raise error
            yield

    response = requests.Response()
    response.raw = BrokenBody()
    with pytest.raises(requests.RequestException) as raised:
        list(response.iter_content(1024))
    assert connection_error(raised.value).sent


@pytest.mark.parametrize("url", ["https:///v1", "no-scheme.example/v1", "https://exa mple.com:99999/"])
def test_an_address_that_cannot_be_used_is_final_and_sent_nothing(url):
    with pytest.raises(requests.RequestException) as raised:
        requests.get(url, timeout=1)
    error = connection_error(raised.value)
    assert (error.sent, error.is_permanent) == (False, True)
