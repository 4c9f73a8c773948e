"""An address becomes a verified file: whole or not there at all, without the token, from allowed hosts only."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import requests
import urllib3

from ...errors import APIConnectionError, APIError, DownloadError, RunComfyError, VideoDecodeError
from ..clip_files import clip_kind
from ..clip_urls import is_loopback, redirected, why_refused, written_for_http
from ..files import put_in_place
from ..foreign_text import shown
from ..progress import Downloading, Run, StopSignal
from .http import ExactTargetAdapter, NoCredentials, PlainSession, exchange, no_longer_than
from .retry import Call, RetryPolicy, Wait, decide
from .storage import (
    PARTIAL,
    Arrival,
    CutOffError,
    UnusableLinkError,
    WrongRangeError,
    coding_of,
    digest_of,
    has_arrived,
    is_page,
    length_of,
    place_of,
    undo_coding,
    unnamed_coding_of,
)

MAX_CLIP_BYTES = 2 * 1024**3
CHUNK_BYTES = 256 * 1024
MAX_REDIRECTS = 5
MAX_TRANSFERS = 6
CONNECT_TIMEOUT_S = 10.0
REDIRECTS = frozenset({301, 302, 303, 307, 308})
logger = logging.getLogger("runcomfy.sora2pro.download")


@dataclass(slots=True)
class _Transfer:
    """What is known of a file that arrives in pieces.

    Attributes:
        is_declared: Whether the last answer said where the file ends.
        is_from_start: Whether it brought the file from its first byte on.
        is_plain: Whether the file is not coded, or not any more.
        attempts: What each attempt brought; see `has_arrived`.
        cut_off: Digests of what came from the first byte on and ended too early.
    """

    url: str
    part: Path
    request_id: str
    give_up_at: float
    validator: str | None = None
    total_bytes: int | None = None
    coding: str = ""
    content_type: str = ""
    is_declared: bool = False
    is_from_start: bool = True
    is_plain: bool = True
    attempts: list[Arrival | None] = field(default_factory=list)
    cut_off: set[bytes] = field(default_factory=set)

    def forget_bytes(self) -> None:
        """Begin again."""
        self.part.unlink(missing_ok=True)
        self.validator = None


class Downloader:
    """Downloads clips.

    Args:
        allows: Whether a clip may be downloaded from an address; asked again for every redirect.
        verify: Raises `VideoDecodeError` if a file cannot be read as a whole clip.
        policy: The figures of the backoff.
        owner: Tells apart the part files of two state folders that keep their clips in one output folder.
        session_factory: Makes a `requests.Session`.
        max_bytes: No clip is longer.
        read_timeout_s: Between two pieces, and for the headers.
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
        owner: str = "",
        session_factory: Callable[[], requests.Session] = PlainSession,
        max_bytes: int = MAX_CLIP_BYTES,
        read_timeout_s: float = 30.0,
        time_limit_s: float = 1800.0,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._allows = allows
        self._verify = verify
        self._policy = policy
        self._owner = hashlib.sha256(owner.encode(errors="surrogateescape")).hexdigest()[:8]
        self._session_factory = session_factory
        self._max_bytes = max_bytes
        self._read_timeout_s = read_timeout_s
        self._time_limit_s = time_limit_s
        self._clock = clock
        self._jitter = jitter

    def __repr__(self) -> str:
        """The longest clip; no token."""
        return f"Downloader(max_bytes={self._max_bytes})"

    def download(self, url: str, path: Path, run: Run, *, request_id: str) -> tuple[Path, int]:
        """Bring a clip to `path`; the name appears only when the file has arrived and is on the disk.

        A file that has arrived is kept also where `verify` refuses it; the log says so.

        Returns:
            The file, which is `path` with the ending of what has arrived, and its length in bytes.

        Raises:
            UnusableLinkError: The address has expired or leads nowhere we go.
            DownloadError: The clip did not arrive.
            Stopped: The run was asked to end.
        """
        part = path.with_name(f".{path.name}.{self._owner}.part")
        transfer = _Transfer(written_for_http(url), part, request_id, self._clock() + self._time_limit_s)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.unlink(missing_ok=True)
            self._receive(transfer, run)
            path = path.with_suffix(clip_kind(part).ending)
            return path, put_in_place(part, path)
        except OSError as error:
            raise DownloadError(
                f"The clip could not be written to {path.parent} ({error.strerror or error}).",
                remedy="Make room, change the folder's permissions or close what has the clip open; then run the node again: "
                "there is no new charge.",
            ) from error
        finally:
            with contextlib.suppress(OSError):
                transfer.part.unlink(missing_ok=True)

    def _receive(self, transfer: _Transfer, run: Run) -> None:
        """Transfer until the file has arrived, in as many pieces as it takes."""
        for attempt in range(1, MAX_TRANSFERS + 1):
            is_last = attempt == MAX_TRANSFERS
            try:
                self._transfer_once(transfer, run)
                self._check(transfer)
            except VideoDecodeError as error:
                transfer.attempts.append(_arrival_of(transfer))
                if has_arrived(transfer.attempts, is_last=is_last):
                    logger.warning(
                        "The clip of %s has arrived as RunComfy has it and is kept, but it cannot be read: %s",
                        transfer.request_id,
                        error.what,
                    )
                    return
                if is_last:
                    raise DownloadError(_why_damaged(transfer, error)) from error
                # What arrived may not be what was sent; begin again.
                transfer.forget_bytes()
                run.stop.sleep(self._policy.base_s * self._jitter())
            except (APIError, APIConnectionError) as error:
                transfer.attempts.append(None)
                if self._ended_there_before(transfer, error):
                    return
                self._check_time(transfer)
                decision = decide(self._policy, Call.READ, attempt, error, jitter=self._jitter())
                if is_last or not isinstance(decision, Wait):
                    raise DownloadError(f"The clip could not be downloaded: {error.what}") from error
                run.stop.sleep(decision.seconds)
            else:
                return

    def _check(self, transfer: _Transfer) -> None:
        """Look at a complete file; raises `VideoDecodeError` if it cannot be read."""
        coding = transfer.coding or unnamed_coding_of(transfer.part)
        is_undone = not coding or undo_coding(transfer.part, coding, self._max_bytes)
        transfer.is_plain = is_undone or not transfer.coding
        self._verify(transfer.part)

    def _ended_there_before(self, transfer: _Transfer, error: RunComfyError) -> bool:
        """Whether a transfer that ended too early brought a whole clip, twice: then the declared length was wrong."""
        if isinstance(error, WrongRangeError):
            transfer.forget_bytes()
        if not isinstance(error, CutOffError) or not transfer.is_from_start:
            return False
        digest = digest_of(transfer.part)
        if digest not in transfer.cut_off:
            transfer.cut_off.add(digest)
            return False
        try:
            self._check(transfer)
        except VideoDecodeError:
            transfer.forget_bytes()
            return False
        return True

    def _check_time(self, transfer: _Transfer) -> None:
        if self._clock() >= transfer.give_up_at:
            raise DownloadError("The clip did not arrive within the time limit.")

    def _transfer_once(self, transfer: _Transfer, run: Run) -> None:
        """One request for what is still missing.

        Raises:
            RunComfyError: It did not bring the file to its end.
        """
        have_bytes = transfer.part.stat().st_size if transfer.part.exists() else 0
        headers = {"Accept-Encoding": "identity"}
        if have_bytes and transfer.validator:
            headers |= {"Range": f"bytes={have_bytes}-", "If-Range": transfer.validator}
        else:
            have_bytes = 0
        received = exchange(
            lambda: self._transfer(transfer, headers, have_bytes, run),
            limit_s=max(0.0, transfer.give_up_at - self._clock()),
            stop=run.stop,
        )
        if transfer.total_bytes is not None and received != transfer.total_bytes:
            if have_bytes and received <= have_bytes:
                transfer.forget_bytes()
            raise _cut_off(received, transfer.total_bytes)

    def _transfer(self, transfer: _Transfer, headers: dict[str, str], have_bytes: int, run: Run) -> int:
        with contextlib.closing(self._session_factory()) as session:
            response = self._open(session, transfer.url, headers, run.stop)
            with contextlib.closing(response):
                start, total_bytes = place_of(response.status_code, response.headers, have_bytes)
                if start == have_bytes == total_bytes != 0:
                    # The storage says that there is no more than what came before.
                    transfer.total_bytes, transfer.is_declared = total_bytes, True
                    return have_bytes
                self._learn(transfer, response, start, total_bytes)
                with transfer.part.open("r+b" if start else "wb") as stream:
                    stream.seek(start)
                    return self._copy(response, stream, start, transfer, run)

    def _open(
        self, session: requests.Session, url: str, headers: dict[str, str], stop: StopSignal
    ) -> requests.Response:
        """The answer of the storage, redirects followed only to allowed hosts."""
        for _ in range(MAX_REDIRECTS + 1):
            stop.check()
            if not self._allows(url):
                raise UnusableLinkError(why_refused(url, self._allows))
            session.trust_env = not is_loopback(urlsplit(url).hostname or "")
            for scheme in ("https://", "http://"):
                session.mount(scheme, ExactTargetAdapter(url))
            try:
                with no_longer_than(CONNECT_TIMEOUT_S + self._read_timeout_s):
                    response = session.get(
                        url,
                        headers=headers,
                        auth=NoCredentials(),
                        stream=True,
                        allow_redirects=False,
                        timeout=(CONNECT_TIMEOUT_S, self._read_timeout_s),
                    )
            except requests.exceptions.InvalidProxyURL as error:
                raise APIConnectionError("The address of the proxy cannot be used.", sent=False) from error
            except requests.exceptions.InvalidHeader as error:
                raise APIConnectionError("The answer of the storage contradicts itself.", sent=True) from error
            except (ValueError, urllib3.exceptions.LocationParseError):
                # Nothing of it is chained: their words repeat the address, which may hold a signature.
                raise UnusableLinkError(
                    "RunComfy gives an address for the clip that is malformed; it was not downloaded."
                ) from None
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                raise APIConnectionError("The storage could not be reached.", sent=True) from error
            if response.status_code not in REDIRECTS:
                return response
            response.close()
            url = redirected(url, response.headers.get("Location", ""))
        raise UnusableLinkError("The address of the clip redirects too many times.")

    def _learn(self, transfer: _Transfer, response: requests.Response, start: int, total_bytes: int | None) -> None:
        """Remember what lets a cut-off transfer go on, and how long the file is to be."""
        etag = response.headers.get("ETag", "")
        coding = coding_of(response.headers)
        if start == 0:
            transfer.validator = etag if etag and not etag.startswith("W/") else None
            transfer.coding = coding
            transfer.content_type = response.headers.get("Content-Type", "")
        elif coding != transfer.coding:
            raise WrongRangeError("the storage changed the encoding of the clip.", status_code=PARTIAL)
        is_chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
        length = None if is_chunked else length_of(response.headers)
        transfer.total_bytes = total_bytes if length is None or total_bytes is not None else start + length
        transfer.is_declared = is_chunked or transfer.total_bytes is not None
        transfer.is_from_start = start == 0
        if (transfer.total_bytes or 0) > self._max_bytes:
            raise DownloadError(
                f"The reported length of the clip, {transfer.total_bytes:,} bytes, is more than any clip should have."
            )

    def _copy(
        self,
        response: requests.Response,
        stream: IO[bytes],
        received: int,
        transfer: _Transfer,
        run: Run,
    ) -> int:
        read = getattr(response.raw, "read1", response.raw.read)
        while True:
            run.stop.check()
            self._check_time(transfer)
            try:
                chunk = read(CHUNK_BYTES)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                run.stop.check()
                raise _cut_off(received, transfer.total_bytes) from error
            if not chunk:
                run.stop.check()
                return received
            stream.write(chunk)
            run.arrived(received, chunk, transfer.total_bytes)
            received += len(chunk)
            if received > self._max_bytes:
                raise DownloadError(
                    f"The download is larger than any clip should be: {received:,} bytes, and it goes on."
                )
            run.report(Downloading(transfer.request_id, received, transfer.total_bytes))


def _cut_off(received: int, total_bytes: int | None) -> CutOffError:
    if total_bytes is None:
        return CutOffError("The connection broke during the download.", sent=True)
    return CutOffError(f"The connection ended after {received:,} of {total_bytes:,} bytes.", sent=True)


def _arrival_of(transfer: _Transfer) -> Arrival | None:
    """What an attempt that was complete brought, if it can be the clip."""
    if not transfer.is_plain or is_page(transfer.part, transfer.content_type):
        return None
    return Arrival(digest_of(transfer.part), transfer.is_declared)


def _why_damaged(transfer: _Transfer, error: VideoDecodeError) -> str:
    if not transfer.is_plain:
        return f"The clip came in the encoding '{shown(transfer.coding)}', which could not be undone."
    if is_page(transfer.part, transfer.content_type):
        return "There is a web page, or nothing at all, where the clip should be."
    return f"The clip arrived damaged each time: {error.what}"
