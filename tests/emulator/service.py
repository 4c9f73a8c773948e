"""The emulator as a test sees it."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .api import Api
from .backend import Backend, Charge, Request, UnknownRequestError
from .calls import Call, Incoming, Recorded, Route, route
from .downloads import Shelf
from .effects import Meeting
from .faults import CHANGING_CALLS, Consequence, Fault
from .library import Library, Render
from .options import BODY_KEYS, DEFAULT_SECONDS, DEFAULT_SIZE, Options
from .server import Listener, Pause
from .store import load_requests, save_requests
from .timeline import State, Timeline
from .wire import Answer, Reply

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

_FORCED_STATES = {
    Consequence.REQUEST_FAILS: State.FAILED,
    Consequence.REQUEST_IS_CANCELLED: State.CANCELLED,
}


class Emulator:
    """The RunComfy Model API on loopback; use it as a context manager.

    Args:
        render: Makes the clips; None for the pack's own.
        timeline: How requests move.
        clips_dir: Where rendered clips are kept for the next emulator; None for a folder of this process.
        state_path: Where requests and charges survive a restart; None for nowhere.
        port: 0 for any.
        clock: Wall clock in seconds.
        options: Fields of `Options`.
    """

    def __init__(  # noqa: PLR0913 - each has a default, and each is one thing a test may want to set
        self,
        *,
        render: Render | None = None,
        timeline: Timeline | None = None,
        clips_dir: Path | None = None,
        state_path: Path | None = None,
        port: int = 0,
        clock: Callable[[], float] = time.time,
        **options: Any,
    ) -> None:
        self.options = Options(**options)
        self.token = f"emulator-token-{secrets.token_hex(8)}"
        self.calls: list[Recorded] = []
        self._clock = clock
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._library = Library(render=render, folder=clips_dir)
        self._pause = Pause()
        self._listener = Listener(port=port, respond=self._respond, pause=self._pause)
        self._reopening: threading.Timer | None = None
        self.url = f"http://127.0.0.1:{self._listener.port}"
        self._backend = Backend(
            timeline=timeline or Timeline.immediate(),
            clock=clock,
            requests=load_requests(state_path) if state_path else (),
            refund_failed=lambda: self.options.refund_failed,
            on_change=lambda requests: save_requests(state_path, requests) if state_path else None,
        )
        self._shelf = Shelf(read_clip=self._clip, clock=clock)
        self._api = Api(
            backend=self._backend,
            options=lambda: self.options,
            token=self.token,
            base_url=self.url,
            new_clip_url=lambda request_id: self.url + self._shelf.new_target(request_id, self.options.url_lifetime_s),
        )
        self._listener.open()

    def __enter__(self) -> Self:
        """Already serving."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes."""
        self.close()

    def close(self) -> None:
        """Stops serving; no thread is left."""
        self._stop_reopening()
        self._listener.close()

    # What a test sets.

    def environment(self) -> dict[str, str]:
        """The variables that point the pack here."""
        return {
            "RUNCOMFY_MODEL_API_BASE_URL": self.url,
            "RUNCOMFY_API_BASE_URL": self.url,
            "RUNCOMFY_API_TOKEN": self.token,
            "RUNCOMFY_POLL_INTERVAL_S": "0.05",
        }

    def configure(self, **changes: Any) -> None:
        """Changes options from the next call on."""
        self.options = replace(self.options, **changes)

    def inject(self, *faults: Fault) -> None:
        """Lets faults come; several at one call strike in this order, one for each call."""
        with self._lock:
            self._faults += faults
        self._close_port_before(None)

    def clear_faults(self) -> None:
        """Everything is well again, at once: hanging answers end and a closed port opens."""
        with self._lock:
            self._faults.clear()
        self._pause.end()
        self._reopen()

    def hold(self) -> None:
        """From now on requests move only through `release`."""
        self._backend.hold()

    def release(self, request_id: str, state: State = State.SUCCEEDED, error: Any = None) -> None:
        """Puts a request into a state; `error` (a string or an object) is what a failed one says."""
        self._backend.force(request_id, state, error)

    # What a test looks at.

    @property
    def requests(self) -> list[Request]:
        """All accepted requests, oldest first."""
        return self._backend.requests

    @property
    def ledger(self) -> list[Charge]:
        """All charges, oldest first, refunded ones too."""
        return self._backend.ledger

    @property
    def charges(self) -> int:
        """How many requests were charged and not refunded."""
        return sum(not charge.refunded for charge in self.ledger)

    def charges_by_body(self) -> Counter[str]:
        """Unrefunded charges per `body_fingerprint`."""
        return self._backend.charges_by_body()

    @property
    def unknown_keys(self) -> set[str]:
        """Keys that were submitted though the model has no such input."""
        return {key for charge in self.ledger for key in charge.body} - BODY_KEYS

    @property
    def leaks(self) -> list[Recorded]:
        """Requests that took the token where it has no business: downloads, decoys, redirected calls, any URL."""
        return [seen for seen in list(self.calls) if self._is_leak(seen)]

    def seen(self, call: Call) -> list[Recorded]:
        """The recorded requests of one call."""
        return [seen for seen in list(self.calls) if seen.call is call]

    def _is_leak(self, seen: Recorded) -> bool:
        if seen.call in {Call.DOWNLOAD, Call.ELSEWHERE}:
            return "authorization" in seen.headers or self.token in f"{seen.path}{seen.headers}"
        return self.token in seen.path or self.token.encode() in seen.body

    # How a request is answered.

    def _respond(self, incoming: Incoming) -> Reply:
        found = route(incoming)
        with self._lock:
            self.calls.append(
                Recorded(
                    found.call,
                    incoming.method,
                    incoming.target,
                    incoming.headers,
                    incoming.body,
                    time.monotonic(),
                    incoming.connection,
                )
            )
            fault = self._next_fault(found.call)
        reply = self._spoilt(fault, found, incoming) if fault else Reply(self._answer(found, incoming))
        if self._close_port_before(self._following(found)):
            return replace(reply, delivery=replace(reply.delivery, is_closed=True))
        return reply

    def _answer(self, found: Route, incoming: Incoming) -> Answer:
        if found.call is Call.ELSEWHERE:
            return Answer.of_error(404, None, "Not Found")
        if found.call is Call.DOWNLOAD:
            return self._shelf.answer(incoming)
        return self._api.answer(found, incoming)

    def _next_fault(self, call: Call) -> Fault | None:
        """The fault that strikes this call. A closed port is none: its calls never arrive."""
        coming = [
            fault
            for fault in self._faults
            if fault.call is call and fault.kind.consequence is not Consequence.PORT_CLOSES
        ]
        if not coming:
            return None
        return coming[0] if self._is_due(coming[0]) else None

    def _is_due(self, fault: Fault) -> bool:
        """Whether the fault strikes now; counts it down."""
        if fault.skip > 0:
            fault.skip -= 1
            return False
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._faults.remove(fault)
        return True

    def _spoilt(self, fault: Fault, found: Route, incoming: Incoming) -> Reply:
        consequence = fault.kind.consequence
        if consequence is Consequence.URL_EXPIRES:
            self._shelf.expire(incoming.target)
        if consequence in _FORCED_STATES:
            self._backend.force(found.subject, _FORCED_STATES[consequence], "Model run failed")
        true_answer = self._answer
        if found.call in CHANGING_CALLS:
            answer = self._answer(found, incoming) if fault.after_accept else self._never_accepted()
            true_answer = lambda *_: answer  # noqa: E731
        return fault.kind.effect(
            Meeting(incoming.target, lambda: true_answer(found, incoming), {"now_s": self._clock(), **fault.args})
        )

    def _never_accepted(self) -> Answer:
        """What an answer looks like when nothing was done: an id that leads nowhere."""
        return Answer.of_json(200, {"request_id": f"req-lost-{secrets.token_hex(8)}", "status": "in_queue"})

    def _clip(self, request_id: str) -> bytes:
        body = self._backend.find(request_id).body
        return self._library.clip(
            reference=body["input_reference"],
            size=body.get("size", DEFAULT_SIZE),
            seconds=body.get("seconds", DEFAULT_SECONDS),
        )

    # The port.

    def _following(self, found: Route) -> Call | None:
        """The call a client makes next, where that is certain."""
        if found.call is Call.SUBMIT:
            return Call.STATUS
        if found.call not in {Call.STATUS, Call.RESULT}:
            return None
        try:
            state = self._backend.find(found.subject).state
        except UnknownRequestError:
            return None
        if found.call is Call.RESULT:
            return Call.DOWNLOAD if state is State.SUCCEEDED else None
        return Call.RESULT if state.is_ended else None

    def _close_port_before(self, call: Call | None) -> bool:
        """Closes the port if a fault says that the next call is refused; calls without a certain forerunner at once."""
        follows = {Call.STATUS, Call.RESULT, Call.DOWNLOAD}
        with self._lock:
            due = [
                fault
                for fault in self._faults
                if fault.kind.consequence is Consequence.PORT_CLOSES
                and (fault.call is call if call else fault.call not in follows)
            ]
            if not due or not self._is_due(due[0]):
                return False
        self._listener.shut()
        self._stop_reopening()
        self._reopening = threading.Timer(due[0].args["closed_s"], self._listener.open)
        self._reopening.daemon = True
        self._reopening.start()
        return True

    def _reopen(self) -> None:
        self._stop_reopening()
        self._listener.open()

    def _stop_reopening(self) -> None:
        if self._reopening is not None:
            self._reopening.cancel()
            self._reopening.join()
            self._reopening = None
