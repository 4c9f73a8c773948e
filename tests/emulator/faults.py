"""What can go wrong, as values: which call, before or after RunComfy accepted it, and what."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from . import effects
from .calls import Call

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .effects import Effect

HANG_S = 30.0

JSON_CALLS = (Call.SUBMIT, Call.STATUS, Call.RESULT, Call.CANCEL, Call.CATALOGUE, Call.BALANCE)
ALL_CALLS = (*JSON_CALLS, Call.DOWNLOAD)
CHANGING_CALLS = frozenset({Call.SUBMIT, Call.CANCEL})
STATUS_CALLS = (Call.STATUS, Call.RESULT)


class Consequence(Enum):
    """What a fault changes beside the answer."""

    NONE = "none"
    PORT_CLOSES = "port closes"
    REQUEST_FAILS = "request fails"
    REQUEST_IS_CANCELLED = "request is cancelled"
    URL_EXPIRES = "url expires"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One way to go wrong.

    Attributes:
        id: A short name for a test's id.
        calls: Where it makes sense.
        effect: From the true answer to what the client gets.
        args: The effect's arguments; a `Fault` may override them.
        may_follow_acceptance: Whether RunComfy may have accepted the call and answer so all the same.
        consequence: What it changes beside the answer.
    """

    id: str
    calls: tuple[Call, ...]
    effect: Effect
    args: Mapping[str, Any] = field(default_factory=dict)
    may_follow_acceptance: bool = False
    consequence: Consequence = Consequence.NONE

    def moments(self, call: Call) -> tuple[bool, ...]:
        """The values of `after_accept` that make sense: True only where the call changes something."""
        return (False, True) if self.may_follow_acceptance and call in CHANGING_CALLS else (False,)


def _network() -> tuple[FaultKind, ...]:
    return (
        FaultKind("refused", ALL_CALLS, effects.dropped, {"closed_s": 0.3}, consequence=Consequence.PORT_CLOSES),
        FaultKind("reset", ALL_CALLS, effects.dropped, {"is_reset": True}, may_follow_acceptance=True),
        FaultKind("closed", ALL_CALLS, effects.dropped, may_follow_acceptance=True),
        FaultKind("hang", ALL_CALLS, effects.dropped, {"seconds": HANG_S}, may_follow_acceptance=True),
        FaultKind("stall", ALL_CALLS, effects.cut_off, {"seconds": HANG_S}, may_follow_acceptance=True),
        FaultKind("cut-off", JSON_CALLS, effects.cut_off, may_follow_acceptance=True),
        FaultKind("reset-midway", ALL_CALLS, effects.cut_off, {"is_reset": True}, may_follow_acceptance=True),
    )


def _bodies() -> tuple[FaultKind, ...]:
    page = {"body": effects.CDN_PAGE, "content_type": "text/html"}
    return (
        FaultKind(
            "garbage-json", JSON_CALLS, effects.body, {"body": b'{"request_id": "r\xff'}, may_follow_acceptance=True
        ),
        FaultKind("empty-body", JSON_CALLS, effects.body, {"body": b""}, may_follow_acceptance=True),
        FaultKind("json-list", JSON_CALLS, effects.body, {"body": b"[]"}, may_follow_acceptance=True),
        FaultKind("html-200", ALL_CALLS, effects.body, page, may_follow_acceptance=True),
        FaultKind("html-403", ALL_CALLS, effects.body, {**page, "status": 403}),
        FaultKind("html-503", ALL_CALLS, effects.body, {**page, "status": 503}, may_follow_acceptance=True),
        FaultKind(
            "redirect", JSON_CALLS, effects.redirect, {"location": "/captured{target}"}, may_follow_acceptance=True
        ),
    )


def _refusals() -> tuple[FaultKind, ...]:
    """Answers that say: not accepted, not charged."""
    coded = ((400, 400001), (400, 400002), (400, 400004), (400, 400005), (403, 403001), (404, 404001))
    detail = [{"loc": ["body", "size"], "msg": "Input should be one of the sizes", "type": "enum"}]
    waits = {"seconds": "1", "http-date": "http-date", "absurd": "999999999", "garbage": "soon"}
    return (
        *(
            FaultKind(f"{status}-{code}", JSON_CALLS, effects.error, {"status": status, "error_code": code})
            for status, code in coded
        ),
        FaultKind("400-other-keys", JSON_CALLS, effects.body, {"status": 400, "body": effects.OTHER_KEYS}),
        FaultKind("400", JSON_CALLS, effects.error, {"status": 400}),
        FaultKind("401", ALL_CALLS, effects.error, {"status": 401}),
        FaultKind("402", JSON_CALLS, effects.error, {"status": 402}),
        FaultKind("403", ALL_CALLS, effects.error, {"status": 403}),
        FaultKind("404", ALL_CALLS, effects.error, {"status": 404}),
        FaultKind("422", JSON_CALLS, effects.error, {"status": 422, "error_code": 422001, "detail": detail}),
        FaultKind("429", ALL_CALLS, effects.error, {"status": 429}),
        *(
            FaultKind(f"429-{name}", ALL_CALLS, effects.error, {"status": 429, "retry_after": wait})
            for name, wait in waits.items()
        ),
        FaultKind("200-error-code", JSON_CALLS, effects.error, {"status": 200, "error_code": 403003}),
    )


def _unclear_statuses() -> tuple[FaultKind, ...]:
    """Statuses after which nobody knows."""
    return tuple(
        FaultKind(str(status), ALL_CALLS, effects.error, {"status": status}, may_follow_acceptance=True)
        for status in (408, 409, 500, 502, 503, 504)
    )


def _submit_answers() -> tuple[FaultKind, ...]:
    """2xx without a usable request id."""
    ids = {"empty": "", "illegal": "../../etc/passwd", "number": 17, "null": None, "long": "r" * 200}
    return (
        FaultKind("id-missing", (Call.SUBMIT,), effects.changed, {"drop": ("request_id",)}, may_follow_acceptance=True),
        *(
            FaultKind(
                f"id-{name}",
                (Call.SUBMIT,),
                effects.changed,
                {"put": {"request_id": value}},
                may_follow_acceptance=True,
            )
            for name, value in ids.items()
        ),
    )


def _state_answers() -> tuple[FaultKind, ...]:
    result = (Call.RESULT,)
    puzzle = {"status": "daydreaming", "outcome": "perhaps"}
    foreign = {"output": {"video": effects.FOREIGN_URL}}
    return (
        FaultKind("unknown-outcome", (Call.CANCEL,), effects.changed, {"put": puzzle}, may_follow_acceptance=True),
        FaultKind("unknown-status", STATUS_CALLS, effects.changed, {"put": {"status": "daydreaming"}}),
        FaultKind("upper-case-status", STATUS_CALLS, effects.changed, {"is_upper_case": True}),
        FaultKind("status-missing", STATUS_CALLS, effects.changed, {"drop": ("status",)}),
        FaultKind(
            "failed-on-status",
            (Call.STATUS,),
            effects.changed,
            {"put": {"status": "failed", "error": "Model run failed"}},
            consequence=Consequence.REQUEST_FAILS,
        ),
        FaultKind("ends-failed", result, effects.changed, consequence=Consequence.REQUEST_FAILS),
        FaultKind("ends-cancelled", result, effects.changed, consequence=Consequence.REQUEST_IS_CANCELLED),
        FaultKind("no-output", result, effects.changed, {"drop": ("output",)}),
        FaultKind("null-output", result, effects.changed, {"put": {"output": None}}),
        FaultKind("foreign-output", result, effects.changed, {"put": foreign}),
        FaultKind("late-cost", result, effects.changed, {"drop": ("cost",)}),
    )


def _downloads() -> tuple[FaultKind, ...]:
    download = (Call.DOWNLOAD,)
    unannounced = {"declares_length": False}
    return (
        FaultKind("expired", download, effects.url_expired, consequence=Consequence.URL_EXPIRES),
        FaultKind("redirect-allowed", download, effects.redirect, {"location": "/mirror{target}"}),
        FaultKind("redirect-foreign", download, effects.redirect, {"location": effects.FOREIGN_URL}),
        FaultKind("truncated", download, effects.cut_off),
        FaultKind("truncated-unannounced", download, effects.cut_off, unannounced),
        FaultKind("no-length", download, effects.cut_off, {"declares_length": False, "sent_bytes": None}),
        FaultKind("wrong-type", download, effects.relabelled, {"headers": {"Content-Type": "text/html"}}),
        FaultKind("no-type", download, effects.relabelled, {"headers": {"Content-Type": ""}}),
        FaultKind("new-etag", download, effects.relabelled, {"headers": {"ETag": '"another"'}}),
        FaultKind("no-ranges", download, effects.whole_clip),
        FaultKind("shifted-range", download, effects.shifted_range),
        FaultKind("416", download, effects.error, {"status": 416}),
        FaultKind("junk", download, effects.junk),
        FaultKind("no-moov", download, effects.without_moov),
        FaultKind("endless", download, effects.endless),
        FaultKind("huge-length", download, effects.huge),
        FaultKind("zero-bytes", download, effects.body, {"body": b"", "content_type": "video/mp4"}),
        FaultKind("drip", download, effects.dripping),
    )


FAULTS: tuple[FaultKind, ...] = (
    *_network(),
    *_bodies(),
    *_refusals(),
    *_unclear_statuses(),
    *_submit_answers(),
    *_state_answers(),
    *_downloads(),
)
_BY_ID = {kind.id: kind for kind in FAULTS}


class Fault:
    """A fault to come: at which call, of which kind, when.

    Args:
        call: The call it hits.
        kind: One of `FAULTS`, or its id.
        after_accept: RunComfy does what was asked (accepts and charges, or cancels), then the fault strikes.
        times: How many calls it hits; None for all until `Emulator.clear_faults`.
        skip: How many calls go well first.
        args: Override the kind's arguments.
    """

    def __init__(
        self,
        call: Call,
        kind: str | FaultKind,
        *,
        after_accept: bool = False,
        times: int | None = 1,
        skip: int = 0,
        **args: object,
    ) -> None:
        self.call = call
        self.kind = _BY_ID[kind] if isinstance(kind, str) else kind
        self.after_accept = after_accept
        self.times = times
        self.skip = skip
        self.args: dict[str, Any] = {**self.kind.args, **args}
        if call not in self.kind.calls or after_accept not in self.kind.moments(call):
            raise ValueError(f"'{self}' makes no sense.")

    def __str__(self) -> str:
        """A test's id: ``submit-after-reset``."""
        moment = "-after" if self.after_accept else ""
        return f"{self.call.value}{moment}-{self.kind.id}"

    __repr__ = __str__


def fault_matrix(*calls: Call) -> list[Fault]:
    """Each kind at each of the calls (all, if none is named), before and, where it makes sense, after acceptance."""
    return [
        Fault(call, kind, after_accept=after_accept)
        for kind in FAULTS
        for call in kind.calls
        if call in (calls or ALL_CALLS)
        for after_accept in kind.moments(call)
    ]
