"""An address becomes a verified file: whole or not there at all, without the token, from allowed hosts only."""

from __future__ import annotations

import contextlib
import os
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from ..errors import APIConnectionError, APIError, DownloadError, RunComfyError, ServerError, VideoDecodeError
from .api_errors import retry_after_s
from .exact_url import ExactTargetAdapter, NoCredentials
from .private_files import give_name
from .progress import Downloading, Report
from .retry import Call, RetryPolicy, Wait, decide
from .settings import is_loopback
from .stopping import StopSignal

MAX_CLIP_BYTES = 2 * 1024**3
CHUNK_BYTES = 256 * 1024
MAX_REDIRECTS = 5
MAX_TRANSFERS = 6
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PASSING = frozenset({408, 425, 429})
OK, PARTIAL, RANGE_NOT_SATISFIABLE, FIRST_SERVER_ERROR = 200, 206, 416, 500


class UnusableLinkError(DownloadError):
    """The address has expired or leads nowhere we go; a fresh one from the result may work."""


@dataclass(slots=True)
class _Transfer:
    """What is known of a file that arrives in pieces."""

    url: str
    part: Path
    validator: str | None = None
    total_bytes: int | None = None


class Downloader:
    """Fetches clips.

    Args:
        allows: Whether a clip may be fetched from an address; asked again for every redirect.
        verify: Raises `VideoDecodeError` if a file is no whole clip.
        policy: The figures of the backoff.
        session_factory: Makes a `requests.Session`.
        max_bytes: No clip is longer.
        read_timeout_s: Between two pieces.
        time_limit_s: For the whole file.
        clock: Monotonic seconds.
        jitter: A random number from 0 to 1.
    """

    def __init__(
        self,
        *,
        allows: Callable[[str], bool],
        verify: Callable[[Path], object],
        policy: RetryPolicy,
        session_factory: Callable[[], requests.Session] = requests.Session,
        max_bytes: int = MAX_CLIP_BYTES,
        read_timeout_s: float = 30.0,
        time_limit_s: float = 1800.0,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._allows = allows
        self._verify = verify
        self._policy = policy
        self._session_factory = session_factory
        self._max_bytes = max_bytes
        self._read_timeout_s = read_timeout_s
        self._time_limit_s = time_limit_s
        self._clock = clock
        self._jitter = jitter

    def fetch(self, url: str, path: Path, *, request_id: str, stop: StopSignal, report: Report) -> int:
        """Bring a clip to `path`; the name appears only when the file is whole and on the disk.

        Returns:
            Its length in bytes.

        Raises:
            UnusableLinkError: The address has expired or leads nowhere we go.
            DownloadError: The clip could not be fetched whole.
            Stopped: The run was asked to end.
        """
        transfer = _Transfer(url, path.with_name(f".{path.name}.part"))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            transfer.part.unlink(missing_ok=True)
            self._receive(transfer, request_id, stop, report)
            return _put_in_place(transfer.part, path)
        except OSError as error:
            raise DownloadError(
                f"The clip could not be written to {path.parent} ({error.strerror or error}).",
                remedy="Make room, set the folder's rights or close what has the clip open; then run the node again: there is "
                "no new charge.",
            ) from error
        finally:
            with contextlib.suppress(OSError):
                transfer.part.unlink(missing_ok=True)

    def _receive(self, transfer: _Transfer, request_id: str, stop: StopSignal, report: Report) -> None:
        """Transfer until the file is whole, in as many pieces as it takes."""
        give_up_at = self._clock() + self._time_limit_s
        for attempt in range(1, MAX_TRANSFERS + 1):
            try:
                self._transfer(transfer, request_id, give_up_at, stop, report)
                self._verify(transfer.part)
            except VideoDecodeError as error:
                # What arrived is not what was sent; begin anew.
                transfer.part.unlink(missing_ok=True)
                if attempt == MAX_TRANSFERS:
                    raise DownloadError(f"The clip arrived damaged each time: {error.what}") from error
                stop.sleep(self._policy.base_s * self._jitter())
            except (APIError, APIConnectionError) as error:
                decision = decide(self._policy, Call.READ, attempt, error, jitter=self._jitter())
                if attempt == MAX_TRANSFERS or not isinstance(decision, Wait):
                    raise DownloadError(f"The clip could not be fetched: {error.what}") from error
                stop.sleep(decision.seconds)
            else:
                return

    def _transfer(
        self, transfer: _Transfer, request_id: str, give_up_at: float, stop: StopSignal, report: Report
    ) -> None:
        have_bytes = transfer.part.stat().st_size if transfer.part.exists() else 0
        headers = {"Accept-Encoding": "identity"}
        if have_bytes and transfer.validator:
            headers |= {"Range": f"bytes={have_bytes}-", "If-Range": transfer.validator}
        with contextlib.closing(self._session_factory()) as session:
            response = self._open(session, transfer.url, headers, stop)
            with contextlib.closing(response):
                start = _start_of(response, have_bytes)
                self._learn(transfer, response, start)
                with stop.ending(_reading_of(response)), transfer.part.open("r+b" if start else "wb") as stream:
                    stream.seek(start)
                    received = self._copy(response, stream, start, transfer, request_id, give_up_at, stop, report)
        if transfer.total_bytes is not None and received != transfer.total_bytes:
            raise APIConnectionError(
                f"The connection ended after {received:,} of {transfer.total_bytes:,} bytes.", sent=True
            )

    def _open(
        self, session: requests.Session, url: str, headers: dict[str, str], stop: StopSignal
    ) -> requests.Response:
        """The answer of the storage, redirects followed only to allowed hosts."""
        for _ in range(MAX_REDIRECTS + 1):
            stop.check()
            if not self._allows(url):
                host = urlsplit(url).hostname or "an unknown host"
                raise UnusableLinkError(
                    f"RunComfy points to a clip on {host}, which is none of its own hosts; it was not fetched."
                )
            session.trust_env = not is_loopback(urlsplit(url).hostname or "")
            session.mount(urljoin(url, "/"), ExactTargetAdapter(url))
            try:
                response = session.get(
                    url,
                    headers=headers,
                    auth=NoCredentials(),
                    stream=True,
                    allow_redirects=False,
                    timeout=(10.0, self._read_timeout_s),
                )
            except requests.RequestException as error:
                raise APIConnectionError("The storage could not be reached.", sent=True) from error
            if response.status_code not in REDIRECTS:
                return response
            response.close()
            url = urljoin(url, response.headers.get("Location", ""))
        raise UnusableLinkError("The address of the clip only leads from one redirect to the next.")

    def _learn(self, transfer: _Transfer, response: requests.Response, start: int) -> None:
        """Remember what lets a cut-off transfer go on, and how long the file is to be."""
        etag = response.headers.get("ETag", "")
        if start == 0:
            transfer.validator = etag if etag and not etag.startswith("W/") else None
            transfer.total_bytes = None
        length = response.headers.get("Content-Length", "")
        if re.fullmatch(r"\d{1,15}", length):
            transfer.total_bytes = start + int(length)
        if (transfer.total_bytes or 0) > self._max_bytes:
            raise DownloadError(f"The clip is said to be {transfer.total_bytes:,} bytes long, which no clip is.")

    def _copy(
        self,
        response: requests.Response,
        stream: IO[bytes],
        received: int,
        transfer: _Transfer,
        request_id: str,
        give_up_at: float,
        stop: StopSignal,
        report: Report,
    ) -> int:
        read = getattr(response.raw, "read1", response.raw.read)
        while True:
            stop.check()
            if self._clock() > give_up_at:
                raise DownloadError("The clip did not arrive within the time limit.")
            try:
                chunk = read(CHUNK_BYTES)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                stop.check()
                raise APIConnectionError("The connection broke during the download.", sent=True) from error
            if not chunk:
                stop.check()
                return received
            stream.write(chunk)
            received += len(chunk)
            if received > self._max_bytes:
                raise DownloadError(f"The clip does not end; {received:,} bytes are more than any clip has.")
            report(Downloading(request_id, received, transfer.total_bytes))


def _reading_of(response: requests.Response) -> Callable[[], None]:
    """What ends a read of the answer that blocks in another thread; older urllib3 have no way, and wait for their timeout."""

    def end() -> None:
        with contextlib.suppress(AttributeError, OSError, ValueError, urllib3.exceptions.HTTPError):
            response.raw.shutdown()

    return end


def _start_of(response: requests.Response, have_bytes: int) -> int:
    """Where the bytes of an answer belong in the file.

    Raises:
        UnusableLinkError: The storage refuses the address.
        RunComfyError: It is no answer with a file in it.
    """
    status = response.status_code
    if status == OK:
        return 0
    if status == PARTIAL and have_bytes:
        match = re.match(r"bytes (\d{1,15})-", response.headers.get("Content-Range", ""))
        if match and int(match[1]) == have_bytes:
            return have_bytes
    raise _refusal(status, retry_after_s(response.headers))


def _refusal(status: int, wait_s: float | None) -> RunComfyError:
    said = f"the storage answered with HTTP {status}."
    if status in PASSING or status >= FIRST_SERVER_ERROR or status in (PARTIAL, RANGE_NOT_SATISFIABLE):
        return ServerError(said, status_code=status, retry_after_s=wait_s)
    return UnusableLinkError(f"The address of the clip is refused: {said}")


def _put_in_place(part: Path, path: Path) -> int:
    """Make the file durable, then give it its name."""
    with part.open("rb+") as stream:
        os.fsync(stream.fileno())
        file_bytes = os.fstat(stream.fileno()).st_size
    give_name(part, path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return file_bytes
