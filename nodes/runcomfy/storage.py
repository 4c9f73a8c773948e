"""What the answers of the storage mean, by their status and headers. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..errors import APIConnectionError, DownloadError, RunComfyError, ServerError
from .api_errors import retry_after_s

PASSING = frozenset({408, 425, 429})
OK, PARTIAL, RANGE_NOT_SATISFIABLE, FIRST_SERVER_ERROR = 200, 206, 416, 500


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
    if status == OK:
        return 0, None
    if status == PARTIAL:
        match = re.fullmatch(r"bytes\s+(\d{1,15})-\d{1,15}/(\d{1,15}|\*)", place)
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
