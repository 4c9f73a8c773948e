"""RunComfy's two vocabularies of errors, HTTP statuses and numeric codes, become ours. Pure."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from ...errors import (
    APIError,
    AuthenticationError,
    InsufficientCreditsError,
    InvalidRequestError,
    ModelUnavailableError,
    NotFoundError,
    RateLimitError,
    ServerError,
)
from ..foreign_text import first_words

HTTP_STATUSES = range(100, 600)
HTTP_OK_RANGE = range(200, 300)
# What may stand in the place of an error code to say that there is none.
NO_ERROR_WORDS = frozenset(
    {"", "ok", "okay", "success", "succeeded", "successful", "none", "null", "no_error", "false"}
)
CODE = re.compile(r"\d{1,18}")


class Subject(Enum):
    """What a call was about; the same code means another thing for a model than for a request."""

    MODEL = "model"
    REQUEST = "request"
    ACCOUNT = "account"


def api_error(status_code: int, headers: Mapping[str, str], document: Mapping[str, Any], subject: Subject) -> APIError:
    """RunComfy's error as one of ours.

    Args:
        status_code: Of the answer.
        headers: Of the answer.
        document: Its JSON object, empty where it is none.
        subject: What the call was about.
    """
    code = _error_code(document)
    kind, sentence = _classify(status_code, code, subject)
    numbers = f"HTTP {status_code}" + ("" if code is None else f", error {code}")
    said = first_words(document, ("error_message", "message", "error", "detail"))
    return kind(
        f"{sentence} ({numbers})" + (f": {said.rstrip('.')}." if said else "."),
        status_code=status_code,
        error_code=code,
        retry_after_s=retry_after_s(headers),
    )


def names_error(code: object) -> bool:
    """Whether what stands in the place of an error code says that there is an error.

    RunComfy's own codes begin with an HTTP status (400002, https://docs.runcomfy.com/model-apis/error-codes), so one that
    begins with a good status says that all is well, as 0 does.
    """
    if isinstance(code, str):
        code = code.strip().lower()
        if CODE.fullmatch(code) is None:
            return code not in NO_ERROR_WORDS
        code = int(code)
    if isinstance(code, bool) or not isinstance(code, int | float):
        return bool(code)
    return code != 0 and effective_status(0, int(code)) not in HTTP_OK_RANGE


def is_own_code(code: object) -> bool:
    """Whether an error code is one of RunComfy's, which begin with an HTTP status."""
    number = _number_in(code)
    return number is not None and effective_status(0, number) in HTTP_STATUSES


def effective_status(status_code: int, error_code: int | None) -> int:
    """The HTTP status that an answer amounts to: a code that begins with one counts where the status itself is a good one."""
    for status in (error_code or 0, (error_code or 0) // 1000):
        if status in HTTP_STATUSES and (status_code == 0 or status_code in HTTP_OK_RANGE):
            return status
    return status_code


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header, in either of its forms; a date is measured against the answer's own Date."""
    lowered = {name.lower(): value for name, value in headers.items()}
    text = lowered.get("retry-after", "").strip()
    if not text:
        return None
    if re.fullmatch(r"\d{1,12}(\.\d{1,6})?", text):
        return float(text)
    until, now = _date(text), _date(lowered.get("date", ""))
    if until is None or now is None:
        return None
    return max(0.0, until - now)


def _classify(status_code: int, code: int | None, subject: Subject) -> tuple[type[APIError], str]:
    unknown = {
        Subject.MODEL: (ModelUnavailableError, "RunComfy does not offer this model"),
        Subject.REQUEST: (
            NotFoundError,
            "RunComfy does not know this request: it is gone, or belongs to another account",
        ),
        Subject.ACCOUNT: (NotFoundError, "RunComfy did not find the account"),
    }[subject]
    foreign = (AuthenticationError, "RunComfy does not allow this token to do that")
    # https://docs.runcomfy.com/model-apis/error-codes. 401001, 403003 and 422001 stand in RunComfy's own clients only.
    by_code: dict[int | None, tuple[type[APIError], str]] = {
        400_001: unknown,
        404_001: unknown,
        400_002: (InsufficientCreditsError, "The RunComfy account is out of credit"),
        400_004: (AuthenticationError, "RunComfy refused the token"),
        401_001: (AuthenticationError, "RunComfy refused the token"),
        403_001: unknown if subject is Subject.REQUEST else foreign,
        403_003: foreign,
        422_001: (InvalidRequestError, "RunComfy rejected the input"),
    }
    # https://www.rfc-editor.org/rfc/rfc9110#section-15.5, and https://www.rfc-editor.org/rfc/rfc6585#section-4 for 429.
    by_status: dict[int, tuple[type[APIError], str]] = {
        400: (InvalidRequestError, "RunComfy rejected the request"),
        401: (AuthenticationError, "RunComfy refused the token"),
        402: (InsufficientCreditsError, "The RunComfy account is out of credit"),
        403: foreign,
        404: unknown,
        422: (InvalidRequestError, "RunComfy rejected the input"),
        429: (RateLimitError, "RunComfy reports too many requests"),
    }
    if code in by_code:
        return by_code[code]
    effective = effective_status(status_code, code)
    if effective in by_status:
        return by_status[effective]
    if effective >= 500:  # noqa: PLR2004 - the server's own errors
        return ServerError, "RunComfy had an internal error"
    return APIError, "RunComfy gave an unexpected answer"


def _error_code(document: Mapping[str, Any]) -> int | None:
    for key in ("error_code", "code"):
        value = document.get(key)
        if names_error(value) and (number := _number_in(value)) is not None:
            return number
    return None


def _number_in(code: object) -> int | None:
    if isinstance(code, str) and re.fullmatch(r"\d{1,9}", code):
        return int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _date(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
