"""What the storage's answers mean, and whether what came is the clip. Pure but for reading the file."""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import urllib3

from ...errors import APIConnectionError, DownloadError, RunComfyError, ServerError
from .refusals import retry_after_s

PASSING = frozenset({408, 425, 429})
# A proxy that transforms says 203 for 200 (https://www.rfc-editor.org/rfc/rfc9110#section-15.3.4).
WHOLE = frozenset({200, 203})
PARTIAL, RANGE_NOT_SATISFIABLE, FIRST_SERVER_ERROR = 206, 416, 500


class UnusableLinkError(DownloadError):
    """The address has expired or leads nowhere we go; a fresh one from the result may work.

    Args:
        what: See `RunComfyError`.
        may_pass: Whether waiting may help: a storage can take a moment to know a new file.
    """

    def __init__(self, what: str, *, may_pass: bool = False) -> None:
        super().__init__(what)
        self.may_pass = may_pass


class CutOffError(APIConnectionError):
    """The connection ended before the declared end."""


class WrongRangeError(ServerError):
    """The storage gives another part of the file than the one asked for."""


def place_of(status: int, headers: Mapping[str, str], asked_from: int) -> tuple[int, int | None]:
    """Where the bytes of an answer belong in the file, and how long the file is if the answer says so by its range.

    See https://www.rfc-editor.org/rfc/rfc9110#section-14.4. A range may be given although none was asked for.

    Args:
        status: Of the answer.
        headers: Of the answer.
        asked_from: The first byte that was asked for.

    Raises:
        UnusableLinkError: The storage refuses the address.
        RunComfyError: The answer holds no file, or another part of it.
    """
    place = headers.get("Content-Range", "").strip().lower()
    if status in WHOLE:
        return 0, None
    if status == PARTIAL:
        match = re.fullmatch(r"(?:bytes[\s=]*)?(\d{1,15})-\d{1,15}/(\d{1,15}|\*)", place)
        if match and int(match[1]) <= asked_from:
            return int(match[1]), None if match[2] == "*" else int(match[2])
        is_whole = not place and not asked_from and "multipart" not in headers.get("Content-Type", "")
        if is_whole:
            return 0, None
        raise WrongRangeError(f"the storage answered with HTTP {status}.", status_code=status)
    if status == RANGE_NOT_SATISFIABLE:
        if asked_from and re.fullmatch(rf"bytes\s+\*/0*{asked_from}", place):
            return asked_from, asked_from
        raise WrongRangeError(f"the storage answered with HTTP {status}.", status_code=status)
    raise _refusal(status, retry_after_s(headers))


def _refusal(status: int, wait_s: float | None) -> RunComfyError:
    said = f"the storage answered with HTTP {status}."
    if status in PASSING or status >= FIRST_SERVER_ERROR:
        return ServerError(said, status_code=status, retry_after_s=wait_s)
    error = UnusableLinkError(f"The address of the clip is refused: {said}")
    error.may_pass = True
    return error


def length_of(headers: Mapping[str, str]) -> int | None:
    """The Content-Length, which may stand there several times (https://www.rfc-editor.org/rfc/rfc9110#section-8.6)."""
    lengths = {text.strip() for text in headers.get("Content-Length", "").split(",")}
    text = lengths.pop()
    return int(text) if not lengths and re.fullmatch(r"\d{1,15}", text) else None


CHUNK_BYTES = 256 * 1024
HEAD_BYTES = 1024
FIRST_PRINTABLE = 0x20
GZIP = b"\x1f\x8b\x08"
# Codings that change nothing.
NO_CODINGS = frozenset({"", "identity", "none", "aws-chunked"})
# How Matroska begins (RFC 8794, 11.2.1), and MP4 and QuickTime by one of the boxes that come first.
VIDEO = re.compile(rb"\x1a\x45\xdf\xa3|.{4}(ftyp|styp|moov|mdat|free|skip|wide|uuid)", re.DOTALL)
PAGE_TYPE = re.compile(r"(?i)\s*(text/|application/([\w.-]+\+)?(json|xml)\b)")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One complete transfer of a file that cannot be read.

    Attributes:
        digest: SHA-256 of its bytes.
        is_declared: Whether the answer said where the file ends. Otherwise a connection that broke looks like its end.
    """

    digest: bytes
    is_declared: bool


def has_arrived(attempts: Sequence[Arrival | None], *, is_last: bool) -> bool:
    """Whether the last of some attempts brought what the storage has.

    Args:
        attempts: In order; None stands for one that brought no complete file, or a page in its place.
        is_last: Whether no more attempts can be made.
    """
    *earlier, arrival = attempts
    if arrival is None:
        return False
    if arrival.is_declared and arrival in earlier:
        return True
    is_same_again = bool(earlier) and earlier[-1] is not None and earlier[-1].digest == arrival.digest
    return is_last and (is_same_again or all(attempt is not None and attempt.is_declared for attempt in attempts))


def is_page(path: Path, content_type: str) -> bool:
    """Whether a file that cannot be read is a page in the place of a clip: empty, HTML, JSON, XML, or any other text.

    Args:
        path: The file.
        content_type: What the answer calls it; that is not believed of a file that begins as a video does.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    return _is_text(head) or (PAGE_TYPE.match(content_type) is not None and VIDEO.match(head) is None)


def digest_of(path: Path) -> bytes:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.digest()


def coding_of(headers: Mapping[str, str]) -> str:
    """The codings of a body in the order in which they were applied; empty for none.

    `identity` was asked for, but a content delivery network may compress anyway
    (https://www.rfc-editor.org/rfc/rfc9110#section-8.4); `x-gzip` is `gzip`.
    """
    names = (name.strip().lower().removeprefix("x-") for name in headers.get("Content-Encoding", "").split(","))
    return ", ".join(name for name in names if name not in NO_CODINGS)


def unnamed_coding_of(path: Path) -> str:
    """The coding of a file whose answer named none; empty for none.

    No kind of video begins as gzip does (https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1).
    """
    with path.open("rb") as stream:
        return "gzip" if stream.read(len(GZIP)) == GZIP else ""


def undo_coding(path: Path, coding: str, max_bytes: int) -> bool:
    """Replace a coded file by the plain one, or leave it as it is where that cannot be done.

    Args:
        path: The file.
        coding: As `coding_of` gives it.
        max_bytes: The plain file is not longer.

    Returns:
        Whether it was done.
    """
    if not set(coding.split(", ")) <= set(urllib3.HTTPResponse.CONTENT_DECODERS):
        return False
    plain = path.with_suffix(".raw")  # no longer than the name that was proven before money
    try:
        with path.open("rb") as body, plain.open("wb") as stream:
            coded = urllib3.HTTPResponse(body, headers={"content-encoding": coding}, preload_content=False)
            with closing(coded):
                for chunk in coded.stream(CHUNK_BYTES, decode_content=True):
                    if stream.tell() + len(chunk) > max_bytes:
                        return False
                    stream.write(chunk)
        plain.replace(path)
    except urllib3.exceptions.HTTPError:
        return False
    else:
        return True
    finally:
        with suppress(OSError):
            plain.unlink(missing_ok=True)


def _is_text(head: bytes) -> bool:
    """Whether a beginning is text: every kind of video has bytes in its first ones that no text has."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return not any(octet < FIRST_PRINTABLE and octet not in string.whitespace.encode() for octet in head)
