"""HTTP as the pack needs it: addresses sent byte for byte, and exchanges that end when they have to.

requests and urllib3 rewrite an address (`%3d` becomes `%3D`, `%7E` becomes `~`); a signature can cover the bytes as they were
given, and then the storage answers 403.

A socket's own time limit starts again with every byte, so a server that drips single bytes could hold a call for hours, and
the look-up of a name cannot be interrupted at all. An exchange therefore works in a thread of its own, and whoever waits for
it can shut its sockets.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import requests
from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connectionpool import ConnectionPool, HTTPConnectionPool

from ...errors import APIConnectionError, APITimeoutError, Stopped
from ..progress import StopSignal

TIDY_S = 0.2  # what a thread gets to notice that its sockets are shut
FIRST_FINAL_STATUS, SWITCHING_PROTOCOLS = 200, 101

Result = TypeVar("Result")
_here = threading.local()


class _Sockets:
    """The sockets of one exchange: second handles on them, which stay good whatever becomes of the first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handles: list[socket.socket] = []
        self.are_shut = False
        self.have_been_open = False

    def add(self, sock: socket.socket) -> None:
        """Watch over a connected socket.

        Raises:
            ConnectionAbortedError: The exchange is over.
        """
        with self._lock:
            if self.are_shut:
                raise ConnectionAbortedError("the exchange is over")
            self.have_been_open = True
            self._handles.append(socket.fromfd(sock.fileno(), socket.AF_INET, socket.SOCK_STREAM))

    def shut(self) -> None:
        """End every read and write on them, in whatever thread it blocks."""
        with self._lock:
            self.are_shut = True
            for handle in self._handles:
                with contextlib.suppress(OSError):
                    handle.shutdown(socket.SHUT_RDWR)

    def let_go(self) -> None:
        """Close the second handles; a connection that is kept stays open."""
        with self._lock:
            for handle in self._handles:
                handle.close()
            self._handles.clear()


class _Work(Generic[Result]):
    """A piece of work in a thread, and what came of it."""

    def __init__(self, task: Callable[[], Result], sockets: _Sockets) -> None:
        self._task = task
        self._sockets = sockets
        self.result: tuple[Result] | None = None
        self.error: BaseException | None = None
        self.wake = threading.Event()
        self.thread = threading.Thread(target=self._run, name="sora2pro-exchange", daemon=True)

    def _run(self) -> None:
        _here.sockets = self._sockets
        try:
            self.result = (self._task(),)
        except BaseException as error:  # noqa: BLE001 - handed to who waits
            self.error = error
        finally:
            self.wake.set()
            self._sockets.let_go()


def exchange(
    task: Callable[[], Result], *, limit_s: float, stop: StopSignal | None = None, grace_s: float | None = None
) -> Result:
    """Do a task that talks over sessions with a `WatchedAdapter`, for no longer than it may.

    Args:
        task: Done in a thread of its own. After the deadline nothing that it sends or receives goes through any more.
        limit_s: For all of it: name, connection, headers, body.
        stop: Ends it at once.
        grace_s: For what must not be broken off lightly: Stop only leaves it this long, and then it counts as late.

    Returns:
        What the task returned.

    Raises:
        APITimeoutError: It took too long; `sent` is False where there never was a connection.
        Stopped: The run was asked to end.
    """
    stop = stop or StopSignal()
    sockets = _Sockets()
    work = _Work(task, sockets)
    with stop.ending(work.wake.set):
        if stop.is_set and grace_s is None:
            raise Stopped
        try:
            work.thread.start()
        except RuntimeError as error:
            raise APIConnectionError("This machine has no room for another thread.", sent=False) from error
        work.wake.wait(limit_s)
        if stop.is_set and grace_s is not None:
            work.thread.join(min(grace_s, limit_s))
    if work.error is not None:
        raise work.error
    if work.result is None:
        sockets.shut()
        work.thread.join(TIDY_S)
    # Where the sockets were shut, the end of a body without a length is only our doing; what has a grace period is told by
    # its content.
    if work.result is not None and (not sockets.are_shut or grace_s is not None):
        return work.result[0]
    if stop.is_set and grace_s is None:
        raise Stopped
    if sockets.have_been_open:
        raise APITimeoutError("RunComfy's answer did not end.", sent=True)
    raise APITimeoutError("RunComfy could not be reached in time.", sent=False)


@contextlib.contextmanager
def no_longer_than(limit_s: float) -> Iterator[None]:
    """Around one part of an exchange, in its thread: the sockets are shut if the part takes longer."""
    timer = threading.Timer(limit_s, _here.sockets.shut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _FinalResponse(http.client.HTTPResponse):
    """Passes over every informational answer; the standard library takes 103 for the final one.

    See https://www.rfc-editor.org/rfc/rfc9110#section-15.2.
    """

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if status >= FIRST_FINAL_STATUS or status == SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)


class WatchedAdapter(HTTPAdapter):
    """Connections whose sockets the exchange of the thread can shut."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> ConnectionPool:  # noqa: ANN401 - as the base
        """The pool of the base class, with our connections."""
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        if isinstance(pool, HTTPConnectionPool) and not hasattr(pool.ConnectionCls, "is_watched"):
            pool.ConnectionCls = self.connection_class(pool.ConnectionCls)
        return pool

    def connection_class(self, base: Any) -> Any:  # noqa: ANN401 - urllib3 has several that share no public base
        """The connections to use instead of `base`."""

        class WatchedConnection(base):  # type: ignore[misc]
            is_watched = True
            response_class = _FinalResponse

            def _new_conn(self) -> socket.socket:
                sock: socket.socket = super()._new_conn()
                _watch(sock)
                return sock

            def putrequest(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as the base
                if self.sock is not None:
                    _watch(self.sock)
                super().putrequest(*args, **options)

        return WatchedConnection


def _watch(sock: socket.socket) -> None:
    sockets: _Sockets | None = getattr(_here, "sockets", None)
    if sockets is not None:
        try:
            sockets.add(sock)
        except OSError:
            sock.close()
            raise


class PlainSession(requests.Session):
    """A session whose sockets can be shut, and that leaves redirects alone.

    requests reads the body of a redirect to its end into memory even where it is told not to follow it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mount("https://", WatchedAdapter())
        self.mount("http://", WatchedAdapter())

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - as the base
        """None, so that no answer is a redirect to requests."""
        return None


class NoCredentials(AuthBase):
    """Sends none; with any auth object set, requests leaves .netrc alone."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Take off whatever was set."""
        request.headers.pop("Authorization", None)
        return request


class ExactTargetAdapter(WatchedAdapter):
    """Sends the path and query of one address exactly as they are written, and shows them to no log.

    Args:
        url: The address; ASCII without blanks.
    """

    def __init__(self, url: str) -> None:
        after_scheme = url.partition("://")[2].removeprefix(urlsplit(url).netloc)
        self._target = "/" + after_scheme.partition("#")[0].removeprefix("/")
        super().__init__()

    def request_url(self, *_args: Any, **_kwargs: Any) -> str:  # noqa: ANN401 - as the base
        """What urllib3 takes for the target, and writes to its log and into its errors."""
        return "/"

    def connection_class(self, base: Any) -> Any:  # noqa: ANN401 - as the base
        """Connections that write our target."""
        target = self._target

        class ExactConnection(super().connection_class(base)):  # type: ignore[misc]
            def putrequest(self, method: str, url: str, **options: Any) -> None:  # noqa: ANN401, ARG002 - as the base
                super().putrequest(method, target, **options)

        return ExactConnection
