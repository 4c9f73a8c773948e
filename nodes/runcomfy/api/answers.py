"""RunComfy's JSON becomes our types. Pure.

What is known of the answers, and what is not, is tolerated in both directions: unknown words are kept as unknown, extra keys
are ignored, and only `request_id` of a submit is relied on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ...errors import ResponseFormatError
from ..clip_urls import clip_addresses
from ..foreign_text import first_words, shown
from ..jobs import MOST_USD, REQUEST_ID
from .refusals import HTTP_OK_RANGE, Subject, api_error, is_own_code, names_error

NOT_READY_CODE = 400_005
MAX_QUEUE_POSITION = 10**9


class Phase(Enum):
    """What a status word means."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


# https://docs.runcomfy.com/model-apis/async-queue-endpoints has in_queue, in_progress, completed and cancelled; the others are
# words of services like it, should RunComfy ever use one. A word that is not here is UNKNOWN, and the wait goes on.
PHASES: dict[str, Phase] = {
    **dict.fromkeys(("in_queue", "queued", "pending", "waiting"), Phase.QUEUED),
    **dict.fromkeys(("in_progress", "starting", "processing", "running"), Phase.RUNNING),
    **dict.fromkeys(("completed", "succeeded", "success"), Phase.COMPLETED),
    **dict.fromkeys(("failed", "error"), Phase.FAILED),
    **dict.fromkeys(("cancelled", "canceled"), Phase.CANCELLED),
}


class CancelOutcome(Enum):
    """What RunComfy says to a cancel."""

    CANCELLED = "cancelled"
    NOT_CANCELLABLE = "not_cancellable"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read to its end."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class RequestStatus:
    """An answer of /status. `FINISHED` says only that the request left the queue: the result decides."""

    phase: Phase
    word: str
    queue_position: int | None


@dataclass(frozen=True, slots=True)
class GenerationResult:
    """An answer of /result.

    Attributes:
        video_url: Where the clip is; what is valid in the address is byte for byte as given.
        cost_usd: What was charged, if RunComfy says so already.
        reason: RunComfy's words for a failure.
        model_id: The model the request belongs to, if RunComfy says so.
    """

    phase: Phase
    word: str
    video_url: str | None
    cost_usd: float | None
    reason: str
    model_id: str | None


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """Price of a model; both None where the catalogue says nothing usable."""

    base_price_usd: float | None
    price_unit: str | None


def phase_of(word: str) -> Phase:
    """What a status word means, whatever its case."""
    return PHASES.get(word.strip().lower(), Phase.UNKNOWN)


def json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in a body, or None where there is none. Numbers that JSON does not know count as absent."""
    try:
        document = json.loads(body, parse_constant=_absent, parse_float=_finite, parse_int=_whole)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def checked_json(answer: Answer, subject: Subject) -> dict[str, Any]:
    """The JSON object of a successful answer.

    A status that is known counts more than an error code that is not: a paid clip must not become uncollectable.

    Raises:
        APIError: The answer is an error, says so in spite of a 2xx status, or is not a JSON object.
    """
    document = json_object(answer.body)
    if answer.status_code not in HTTP_OK_RANGE:
        raise api_error(answer.status_code, answer.headers, document or {}, subject)
    if document is None:
        raise ResponseFormatError(
            f"RunComfy's answer (HTTP {answer.status_code}) could not be read.", status_code=answer.status_code
        )
    code = document.get("error_code")
    if names_error(code) and (is_own_code(code) or phase_of(_text(document.get("status"))) is Phase.UNKNOWN):
        raise api_error(answer.status_code, answer.headers, document, subject)
    return document


def accepted_id(answer: Answer) -> str | None:
    """The request id by which a submit was accepted, whatever else stands beside it; None where there is none to be used.

    An id that can be asked for is paid for: it is never thrown away for the sake of an error code.
    """
    document = json_object(answer.body) if answer.status_code in HTTP_OK_RANGE else None
    return _usable_id(document or {})


def parse_submit(document: Mapping[str, Any], status_code: int) -> str:
    """The request id of an accepted submit.

    Raises:
        ResponseFormatError: There is no usable one.
    """
    request_id = _usable_id(document)
    if request_id is None:
        raise ResponseFormatError("RunComfy's answer holds no usable request id.", status_code=status_code)
    return request_id


def parse_status(document: Mapping[str, Any]) -> RequestStatus:
    """An answer of /status."""
    word = _text(document.get("status"))
    position = document.get("queue_position")
    is_count = isinstance(position, int) and not isinstance(position, bool) and 0 <= position <= MAX_QUEUE_POSITION
    return RequestStatus(phase=phase_of(word), word=shown(word), queue_position=position if is_count else None)


def parse_result(document: Mapping[str, Any]) -> GenerationResult:
    """An answer of /result."""
    word = _text(document.get("status"))
    model_id = document.get("model_id")
    return GenerationResult(
        phase=phase_of(word),
        word=shown(word),
        video_url=next(iter(clip_addresses(document)), None),
        cost_usd=amount(document.get("cost")),
        reason=first_words(document, ("error", "error_message", "failure_reason", "message", "detail")),
        model_id=shown(model_id) if isinstance(model_id, str) else None,
    )


def parse_cancel(document: Mapping[str, Any]) -> CancelOutcome:
    """An answer of /cancel: the outcome decides, the status only where there is no outcome."""
    outcome = _text(document.get("outcome")).lower()
    if outcome in ("cancelled", "canceled"):
        return CancelOutcome.CANCELLED
    if outcome == "not_cancellable":
        return CancelOutcome.NOT_CANCELLABLE
    if not outcome and phase_of(_text(document.get("status"))) is Phase.CANCELLED:
        return CancelOutcome.CANCELLED
    return CancelOutcome.UNCLEAR


def parse_catalogue(document: Mapping[str, Any]) -> CatalogueEntry:
    """An entry of the catalogue."""
    unit = document.get("price_unit")
    return CatalogueEntry(
        base_price_usd=amount(document.get("base_price_usd")),
        price_unit=unit.lower() if isinstance(unit, str) else None,
    )


def amount(value: object) -> float | None:
    """A sum of money in US dollars, or None for anything else."""
    number = signed_amount(value)
    return number if number is not None and 0 <= number <= MOST_USD else None


def signed_amount(value: object) -> float | None:
    """A balance in US dollars, which may be below zero, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _absent(_constant: str) -> None:
    """What `Infinity`, `-Infinity` and `NaN` become."""


def _whole(text: str) -> int | None:
    """None for what has more digits than Python reads (https://docs.python.org/3/library/stdtypes.html#int-max-str-digits)."""
    try:
        return int(text)
    except ValueError:
        return None


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _usable_id(document: Mapping[str, Any]) -> str | None:
    request_id = document.get("request_id")
    return request_id if isinstance(request_id, str) and REQUEST_ID.fullmatch(request_id) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
