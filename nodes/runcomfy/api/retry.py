"""Whether and when a call is made again. Pure: a failure in, a decision out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ...errors import APIConnectionError, APIError, RateLimitError, ResponseFormatError, RunComfyError, ServerError
from .refusals import HTTP_OK_RANGE, effective_status

# https://www.rfc-editor.org/rfc/rfc9110#section-15.5; 425: https://www.rfc-editor.org/rfc/rfc8470#section-5.2; 429:
# https://www.rfc-editor.org/rfc/rfc6585#section-4.
REFUSED_STATUSES = frozenset({400, 401, 402, 403, 404, 422})
PASSING_STATUSES = frozenset({408, 425, 429})
PERHAPS_PASSING_STATUSES = frozenset({404, 409})
TOO_MANY_REQUESTS = 429


class Call(Enum):
    """The kinds of call, by what repeating them costs."""

    SUBMIT = "submit"
    READ = "read"


class Verdict(Enum):
    """What a failed submit came to."""

    NOT_SENT = "not sent"
    REFUSED = "refused"
    RATE_LIMITED = "rate limited"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Figures of the decisions; seconds.

    Attributes:
        retry_after_ceiling_s: The longest wait a server can impose.
        submit_attempts: How often a submit that certainly was not accepted is tried in all.
        not_found_attempts: How often a read answered with 404 or 409 is tried in all; a request can take a moment to be
            known everywhere.
    """

    base_s: float = 1.0
    ceiling_s: float = 30.0
    retry_after_ceiling_s: float = 120.0
    submit_attempts: int = 5
    not_found_attempts: int = 4


@dataclass(frozen=True, slots=True)
class Wait:
    """Try again after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not try again."""


def submission_verdict(error: RunComfyError) -> Verdict:
    """What a failed submit came to. `NOT_SENT` and `REFUSED` are short lists; unknown is the rule."""
    if isinstance(error, APIConnectionError):
        return Verdict.UNKNOWN if error.sent else Verdict.NOT_SENT
    if isinstance(error, APIError):
        status = effective_status(error.status_code, error.error_code)
        if status == TOO_MANY_REQUESTS:
            return Verdict.RATE_LIMITED
        if status in REFUSED_STATUSES:
            return Verdict.REFUSED
    return Verdict.UNKNOWN


def decide(policy: RetryPolicy, call: Call, attempt: int, error: RunComfyError, *, jitter: float) -> Wait | GiveUp:
    """Whether to make a call again.

    Args:
        policy: The figures.
        call: A submit is repeated only when it certainly was not accepted; a read until its caller's deadline.
        attempt: How many attempts have failed, from 1.
        error: How the last one failed.
        jitter: A random number from 0 to 1, so that many nodes do not come back at once.
    """
    if isinstance(error, APIConnectionError) and error.is_permanent:
        return GiveUp()
    if call is Call.SUBMIT:
        may_repeat = submission_verdict(error) in (Verdict.NOT_SENT, Verdict.RATE_LIMITED)
        may_repeat = may_repeat and attempt < policy.submit_attempts
    else:
        may_repeat = _read_may_pass(policy, attempt, error)
    if not may_repeat:
        return GiveUp()
    return Wait(_wait_s(policy, attempt, error, jitter))


def _read_may_pass(policy: RetryPolicy, attempt: int, error: RunComfyError) -> bool:
    if isinstance(error, APIConnectionError):
        return True
    if not isinstance(error, APIError):
        return False
    if error.status_code in PERHAPS_PASSING_STATUSES:
        return attempt < policy.not_found_attempts
    if isinstance(error, ResponseFormatError):
        return error.status_code in HTTP_OK_RANGE
    return isinstance(error, RateLimitError | ServerError) or error.status_code in PASSING_STATUSES


def _wait_s(policy: RetryPolicy, attempt: int, error: RunComfyError, jitter: float) -> float:
    asked_s = error.retry_after_s if isinstance(error, APIError) else None
    if asked_s is not None:
        return min(max(asked_s, 0.0), policy.retry_after_ceiling_s)
    grown_s: float = min(policy.base_s * 2 ** min(attempt - 1, 30), policy.ceiling_s)
    return grown_s * (0.5 + jitter / 2)
