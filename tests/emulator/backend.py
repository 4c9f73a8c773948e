"""RunComfy's side of the money: requests, their states, and the ledger of charges. It knows no HTTP."""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .timeline import State, Timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class UnknownRequestError(LookupError):
    """No request has this id."""


@dataclass(frozen=True, slots=True)
class Request:
    """One accepted, and therefore charged, request.

    Attributes:
        request_id: RunComfy's id.
        model_id: What it was submitted to.
        body: The submitted JSON object, exactly.
        usd: What it costs.
        accepted_at_s: When it was accepted, by the backend's clock.
        end: Where it comes to if nobody cancels it.
        error: The `error` of a failed request: a string or an object.
        state: What it is doing.
        polls: How often /status or /result looked at it.
        result_reads: How often its success was read.
        ended_at_s: When it ended, by the backend's clock.
        is_refunded: Whether the charge was given back.
    """

    request_id: str
    model_id: str
    body: Mapping[str, Any]
    usd: float
    accepted_at_s: float
    end: State = State.SUCCEEDED
    error: Any = None
    state: State = State.QUEUED
    polls: int = 0
    result_reads: int = 0
    ended_at_s: float | None = None
    is_refunded: bool = False


@dataclass(frozen=True, slots=True)
class Charge:
    """One line of the ledger."""

    request_id: str
    usd: float
    body: Mapping[str, Any]
    refunded: bool
    model_id: str


def body_fingerprint(body: Mapping[str, Any]) -> str:
    """Equal for equal submissions, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


class Backend:
    """All requests of one account.

    Args:
        timeline: How requests move.
        clock: Seconds; goes on over a restart (wall clock).
        requests: Requests of an earlier process.
        refund_failed: Whether a failed request is given back.
        on_change: Called, under the lock, with all requests after a charge or a change of state.
    """

    def __init__(
        self,
        *,
        timeline: Timeline,
        clock: Callable[[], float],
        requests: Iterable[Request] = (),
        refund_failed: Callable[[], bool] = lambda: False,
        on_change: Callable[[list[Request]], None] = lambda _: None,
    ) -> None:
        self._timeline = timeline
        self._clock = clock
        self._requests = {request.request_id: request for request in requests}
        self._refund_failed = refund_failed
        self._on_change = on_change
        self._lock = threading.RLock()

    @property
    def requests(self) -> list[Request]:
        """All requests in the order of their acceptance, moved on to now."""
        with self._lock:
            return [self._as_last_seen(request) for request in list(self._requests.values())]

    @property
    def ledger(self) -> list[Charge]:
        """All charges in the order they were made."""
        return [Charge(r.request_id, r.usd, r.body, r.is_refunded, r.model_id) for r in self.requests]

    @property
    def spent_usd(self) -> float:
        """What was charged and not given back."""
        return sum(charge.usd for charge in self.ledger if not charge.refunded)

    def charges_by_body(self) -> Counter[str]:
        """Unrefunded charges per `body_fingerprint`."""
        return Counter(body_fingerprint(charge.body) for charge in self.ledger if not charge.refunded)

    def accept(self, model_id: str, body: Mapping[str, Any], *, usd: float, end: State, error: Any) -> Request:
        """Takes a request in and charges it."""
        request = Request(f"req-{uuid.uuid4()}", model_id, body, usd, self._clock(), end=end, error=error)
        with self._lock:
            self._store(request)
        return request

    def look(self, request_id: str, *, reads_result: bool) -> Request:
        """The request as one look at /status, or at /result (`reads_result`), finds it; the look counts."""
        with self._lock:
            known = self._known(request_id)
            found = self._moved(known, known.polls)
            is_read = reads_result and found.state is State.SUCCEEDED
            self._requests[request_id] = replace(
                found, polls=found.polls + 1, result_reads=found.result_reads + is_read
            )
            return found

    def find(self, request_id: str) -> Request:
        """The request as it is, without counting as a look."""
        with self._lock:
            return self._as_last_seen(self._known(request_id))

    def position(self, request_id: str, ahead: int = 0) -> int:
        """The place in the queue, from 1: our own earlier requests, and `ahead` others of whom one goes per look."""
        queued = [request for request in self.requests if request.state is State.QUEUED]
        own = next((place for place, request in enumerate(queued) if request.request_id == request_id), 0)
        return 1 + own + max(0, ahead - self._known(request_id).polls)

    def cancel(self, request_id: str) -> bool:
        """Cancels and refunds a queued request; says whether it was still queued."""
        with self._lock:
            if self.find(request_id).state is not State.QUEUED:
                return False
            self.force(request_id, State.CANCELLED)
            return True

    def force(self, request_id: str, state: State, error: Any = None) -> None:
        """Puts a request into a state by hand."""
        with self._lock:
            request = self._known(request_id)
            self._store(self._in_state(replace(request, error=error or request.error), state))

    def hold(self) -> None:
        """From now on nothing moves by itself."""
        with self._lock:
            self._timeline = Timeline.by_hand()

    def _known(self, request_id: str) -> Request:
        try:
            return self._requests[request_id]
        except KeyError:
            raise UnknownRequestError(request_id) from None

    def _as_last_seen(self, request: Request) -> Request:
        """Time moves a request at any moment, but looks only while somebody looks."""
        return self._moved(request, max(0, request.polls - 1))

    def _moved(self, request: Request, polls: int) -> Request:
        elapsed_s = self._clock() - request.accepted_at_s
        state = self._timeline.state(request.state, polls, elapsed_s, request.end)
        if state is request.state:
            return request
        moved = self._in_state(request, state)
        self._store(moved)
        return moved

    def _in_state(self, request: Request, state: State) -> Request:
        is_refunded = state is State.CANCELLED or (state is State.FAILED and self._refund_failed())
        return replace(
            request, state=state, ended_at_s=self._clock() if state.is_ended else None, is_refunded=is_refunded
        )

    def _store(self, request: Request) -> None:
        self._requests[request.request_id] = request
        self._on_change(list(self._requests.values()))
