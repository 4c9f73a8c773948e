"""Calls over real sockets to servers that drip, never end, or lead elsewhere: bounded in time and memory, and Stop ends them."""

import threading
import time
import tracemalloc
from functools import partial

import pytest
from sora2pro.nodes.errors import APIConnectionError, APIError, APITimeoutError, ResponseFormatError, Stopped
from sora2pro.nodes.runcomfy.api.answers import Phase
from sora2pro.nodes.runcomfy.api.client import Client, RequestHandle, Timeouts
from sora2pro.nodes.runcomfy.api.retry import Verdict, submission_verdict
from sora2pro.nodes.runcomfy.credentials import Token
from sora2pro.nodes.runcomfy.progress import StopSignal
from support.loopback_server import Loopback, answer, dripping, without_end
from support.values import made_request

HANDLE = RequestHandle("request-1")
HASTY = Timeouts(connect_s=0.4, read_s=0.4, submit_read_s=0.4, quick_s=0.4)
CALLS = {
    "submit": lambda client: client.submit(made_request()),
    "status": lambda client: client.status(HANDLE),
    "result": lambda client: client.result(HANDLE),
    "cancel": lambda client: client.cancel(HANDLE),
    "catalogue": lambda client: client.catalogue_entry("a/b"),
    "balance": lambda client: client.balance_usd(),
}
# Each goes on for five seconds and more.
DRIPPING = {
    "status line": lambda: dripping(b"HTTP/1.1 200 OK\r\n" * 99, 0.02),
    "headers": lambda: dripping(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 999, 0.02),
    "early hints": lambda: dripping(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 99, 0.01),
    "body": lambda: dripping(answer(b"", length=False) + b" " * 999, 0.005),
    "size of a chunk": lambda: dripping(answer(b"", "Transfer-Encoding: chunked", length=False) + b"1" * 999, 0.005),
    "redirect": lambda: dripping(answer(b"", "Location: /x", status="302 Found", length=False) + b"x" * 999, 0.005),
    "error": lambda: dripping(answer(b"", status="500 No", length=False) + b"x" * 999, 0.005),
}


PAIRS = [(call, drip) for call in CALLS for drip in DRIPPING if call == "status" or drip in ("headers", "body")]


def connect(server, timeouts=HASTY, stop=None):
    token = Token("rc-0123456789-secret", "a test")
    return Client(base_url=server.url, account_base_url=server.url, token=token, timeouts=timeouts, stop=stop)


def timed(work):
    """How a call ended, and after how many seconds."""
    begun = time.monotonic()
    with pytest.raises((APIError, APIConnectionError, Stopped)) as raised:
        work()
    return raised.value, time.monotonic() - begun


@pytest.mark.parametrize(("call", "drip"), PAIRS)
def test_a_server_that_drips_holds_no_call_beyond_its_limit(call, drip):
    with Loopback(lambda _request: DRIPPING[drip]()) as server, connect(server) as client:
        error, took_s = timed(lambda: CALLS[call](client))
        assert took_s < 4
        assert isinstance(error, APITimeoutError | APIError)


@pytest.mark.parametrize("drip", [name for name in DRIPPING if name != "redirect"])
def test_a_submit_that_drips_is_never_called_refused(drip):
    with Loopback(lambda _request: DRIPPING[drip]()) as server, connect(server) as client:
        error, _took_s = timed(lambda: client.submit(made_request()))
        assert submission_verdict(error) is Verdict.UNKNOWN


@pytest.mark.parametrize(("call", "drip"), [pair for pair in PAIRS if pair[0] != "submit"])
def test_stop_ends_every_call_but_a_submit_long_before_its_server_does(call, drip):
    stop = StopSignal()
    patient = Timeouts(connect_s=30, read_s=30, submit_read_s=30, quick_s=30)
    with Loopback(lambda _request: DRIPPING[drip]()) as server, connect(server, patient, stop) as client:
        threading.Timer(0.2, partial(stop.set, cancels_remotely=True)).start()
        error, took_s = timed(lambda: CALLS[call](client))
        assert isinstance(error, Stopped | APIError)
        assert took_s < 4


def test_stop_leaves_a_submit_a_moment_and_then_it_is_unknown():
    """To break off at once what is answered in a moment would leave a purchase that nobody knows of."""
    stop = StopSignal()
    patient = Timeouts(submit_read_s=30, quick_s=0.5)
    with Loopback(lambda _request: DRIPPING["headers"]()) as server, connect(server, patient, stop) as client:
        threading.Timer(0.2, partial(stop.set, cancels_remotely=True)).start()
        error, took_s = timed(lambda: client.submit(made_request()))
        assert submission_verdict(error) is Verdict.UNKNOWN
        assert 0.5 < took_s < 4


def test_a_submit_that_is_answered_just_after_stop_is_not_lost():
    stop = StopSignal()

    def slowly(_request):
        stop.set(cancels_remotely=True)
        time.sleep(0.3)
        return answer(b'{"request_id": "abc"}')

    with Loopback(slowly) as server, connect(server, Timeouts(), stop) as client:
        assert client.submit(made_request()) == RequestHandle("abc")


def test_after_a_stop_no_call_is_made():
    stop = StopSignal()
    stop.set(cancels_remotely=True)
    with Loopback(answer(b"{}")) as server, connect(server, Timeouts(), stop) as client:
        with pytest.raises(Stopped):
            client.status(HANDLE)
        assert server.requests == []


def test_a_client_goes_on_after_a_call_that_was_cut_off():
    with (
        Loopback(lambda _request: DRIPPING["body"](), answer(b'{"status": "in_queue"}')) as server,
        connect(server) as client,
    ):
        timed(lambda: client.status(HANDLE))
        assert client.status(HANDLE).phase is Phase.QUEUED


def test_reads_share_a_connection_that_the_server_keeps_open():
    kept = b'HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{"status": "in_queue"}'
    connections = []

    def both(request):
        connections.append(request)
        yield kept
        time.sleep(0.3)
        yield kept
        time.sleep(0.3)

    with Loopback(both) as server, connect(server) as client:
        assert [client.status(HANDLE).phase for _ in range(2)] == [Phase.QUEUED] * 2
        assert len(connections) == 1


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("status", ["302 Found", "308 Moved"])
def test_a_redirect_without_end_costs_no_memory_and_no_time(call, status):
    head = answer(b"", "Location: /there", status=status, length=False)
    with Loopback(lambda _request: without_end(head)) as server, connect(server, Timeouts()) as client:
        tracemalloc.start()
        error, took_s = timed(lambda: call(client))
        _now, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert isinstance(error, APIError)
        assert len(server.requests) == 1
        assert took_s < 10
        assert most < 16 << 20


@pytest.mark.parametrize("status", ["200 OK", "404 No", "500 No"])
def test_a_body_without_end_is_cut_off(status):
    endless = answer(b"", status=status, length=False)
    with (
        Loopback(lambda _request: without_end(endless)) as server,
        connect(server, Timeouts()) as client,
        pytest.raises(ResponseFormatError, match="far too long"),
    ):
        client.status(HANDLE)


def test_early_hints_are_passed_over():
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    with Loopback(hints + answer(b'{"request_id": "abc"}')) as server, connect(server) as client:
        assert client.submit(made_request()) == RequestHandle("abc")


@pytest.mark.parametrize("host", ["a" * 70 + ".example", "a..example", "xn--\N{SNOWMAN}.example"])
def test_a_host_that_cannot_be_a_name_is_an_error_of_ours_and_nothing_was_sent(host):
    base_url = f"https://{host}"
    token = Token("rc-0123456789-secret", "a test")
    with (
        Client(base_url=base_url, account_base_url=base_url, token=token) as client,
        pytest.raises(APIConnectionError) as raised,
    ):
        client.submit(made_request())
    assert not raised.value.sent
