"""HTTP/1.1 on loopback: threads, keep-alive, a port that can close for a while, and nothing left over at the end."""

from __future__ import annotations

import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING, Any, cast

from .calls import Incoming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .wire import Reply

MAX_BODY_BYTES = 128 * 1024 * 1024
JOIN_S = 10.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Pause:
    """Waits that can be ended from outside."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._is_over = False

    def wait(self, seconds: float) -> None:
        """Waits, at most until the end."""
        ended = self._ended
        if seconds and not self._is_over:
            ended.wait(seconds)

    def end(self, *, for_good: bool = False) -> None:
        """Ends the waits under way; later ones wait again, unless it is over for good."""
        self._is_over = self._is_over or for_good
        ended, self._ended = self._ended, threading.Event()
        ended.set()


class Listener:
    """One port of 127.0.0.1 that keeps its number while it is closed.

    Args:
        port: 0 for any.
        respond: Answers a request.
        pause: What a delivery waits on.
    """

    def __init__(self, *, port: int, respond: Callable[[Incoming], Reply], pause: Pause) -> None:
        self._respond = respond
        self._pause = pause
        self._lock = threading.Lock()
        self._socket = _bound(port)
        self.port: int = self._socket.getsockname()[1]
        self._server: _Server | None = None
        self._thread = threading.Thread()
        self._handlers: list[threading.Thread] = []
        self._serials = count(1)
        self._reopening: threading.Timer | None = None
        self._is_closed = False

    def open(self) -> None:
        """Listens; does nothing if it does already."""
        self._forget_reopening()
        with self._lock:
            if self._server is not None or self._is_closed:
                return
            self._server = _Server(self._socket, self._respond, self._pause, self._serials)
            self._thread = threading.Thread(
                target=self._server.serve_forever, args=(0.02,), name="emulator", daemon=True
            )
            self._thread.start()

    def shut(self, for_s: float | None = None) -> None:
        """Refuses new connections, for a time or until it is opened, and ends all but the caller's own."""
        self._forget_reopening()
        self._stop_listening()
        if for_s is not None:
            self._reopening = threading.Timer(for_s, self.open)
            self._reopening.daemon = True
            self._reopening.start()

    def close(self) -> None:
        """Ends everything and waits for it."""
        self._is_closed = True
        self.shut()
        self._socket.close()
        self._pause.end(for_good=True)
        for thread in self._handlers:
            thread.join(JOIN_S)

    def _forget_reopening(self) -> None:
        if self._reopening is not None and self._reopening is not threading.current_thread():
            self._reopening.cancel()
            self._reopening.join()
            self._reopening = None

    def _stop_listening(self) -> None:
        with self._lock:
            if self._server is None:
                return
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server.hang_up()
            self._handlers += self._server.handlers
            self._server = None
            self._socket = _bound(self.port)


def _bound(port: int) -> socket.socket:
    """A socket that owns the port but does not listen: connections are refused."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self, bound: socket.socket, respond: Callable[[Incoming], Reply], pause: Pause, serials: Iterator[int]
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = bound
        self.server_activate()
        self.respond = respond
        self.pause = pause
        self.serials = serials
        self.handlers: list[threading.Thread] = []
        self._connections: dict[threading.Thread, socket.socket] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), name="emulator-call", daemon=True
        )
        self.handlers = [handler for handler in self.handlers if handler.is_alive()] + [thread]
        self._connections[thread] = request
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        """Only closes: a FIN before it would hide the RST of a reset."""
        self._connections.pop(threading.current_thread(), None)
        self.close_request(request)

    def hang_up(self) -> None:
        """Ends every connection but the caller's own."""
        for thread, connection in list(self._connections.items()):
            if thread is not threading.current_thread():
                _shut_down(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news; a bug of the emulator is."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def _shut_down(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended by itself


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    @property
    def _owner(self) -> _Server:
        return cast("_Server", self.server)

    def setup(self) -> None:
        super().setup()
        self._serial = next(self._owner.serials)

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY_BYTES or self.headers.get("Transfer-Encoding"):
            self.send_error(413)
            return
        incoming = Incoming(
            method=self.command,
            target=self.requestline.split()[1],
            headers={name.lower(): text for name, text in self.headers.items()},
            body=self.rfile.read(length),
            connection=self._serial,
        )
        self._deliver(self._owner.respond(incoming))

    def do_POST(self) -> None:
        self.do_GET()

    def _deliver(self, reply: Reply) -> None:
        answer, delivery = reply.answer, reply.delivery
        self._owner.pause.wait(delivery.wait_s)
        if not delivery.is_dropped:
            self.send_response(answer.status)
            for name, text in answer.headers.items():
                self.send_header(name, text)
            if delivery.declares_length:
                declared_bytes = len(answer.body) if delivery.declared_bytes is None else delivery.declared_bytes
                self.send_header("Content-Length", str(declared_bytes))
            if delivery.is_closed or not delivery.declares_length:
                self.send_header("Connection", "close")
            self.end_headers()
            self._send_body(reply)
            self.wfile.flush()
            self._owner.pause.wait(delivery.stall_s)
        if delivery.is_reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.close_connection = self.close_connection or delivery.ends_connection

    def _send_body(self, reply: Reply) -> None:
        delivery = reply.delivery
        body = memoryview(reply.answer.body)[: delivery.sent_bytes]
        sent_bytes = 0
        while sent_bytes < max(len(body), delivery.repeated_to_bytes) and body:
            start = sent_bytes % len(body)
            chunk = body[start : start + delivery.chunk_bytes]
            self.wfile.write(chunk)
            sent_bytes += len(chunk)
            if delivery.chunk_pause_s:
                self.wfile.flush()
                self._owner.pause.wait(delivery.chunk_pause_s)
