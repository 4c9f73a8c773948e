"""The emulator as a test sees it."""

from __future__ import annotations

import re
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from .api import Api
from .backend import Backend, Charge, Request, UnknownRequestError
from .calls import Call, Incoming, Recorded, Route, route
from .downloads import Shelf
from .effects import Meeting
from .faults import CHANGING_CALLS, Consequence, Fault
from .library import Library, Render
from .offers import Offer, find_offer, main_offer
from .options import Options
from .server import Listener, Pause
from .store import load_requests, save_requests
from .timeline import State, Timeline
from .trouble import Trouble
from .wire import Answer, Reply

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from .models import Model

_CLOCK_CHECK_S = 0.02
_STORED = re.compile(r"/store/([^/]+)%3d/")
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

    def __init__(
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
        self._trouble = Trouble()
        self._news = threading.Condition()
        self._library = Library(render=render, folder=clips_dir)
        self._pause = Pause()
        self._listener = Listener(port=port, respond=self._respond, pause=self._pause)
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
        self._listener.close()

    def environment(self, root: Path | None = None) -> dict[str, str]:
        """The variables that point the pack here; with a folder, its state and its clips go there."""
        here = {
            "RUNCOMFY_MODEL_API_BASE_URL": self.url,
            "RUNCOMFY_API_TOKEN": self.token,
            "RUNCOMFY_POLL_INTERVAL_S": "0.05",
        }
        if root is None:
            return here
        return {**here, "RUNCOMFY_STATE_DIR": str(root / "state"), "RUNCOMFY_OUTPUT_DIR": str(root / "clips")}

    def configure(self, **changes: Any) -> None:
        """Changes options from the next call on."""
        self.options = replace(self.options, **changes)

    def inject(self, *faults: Fault) -> None:
        """Lets faults come; several at one call strike in this order, one for each call."""
        self._trouble.add(faults)
        self._close_port_before(None)

    def clear_faults(self) -> None:
        """Everything is well again, at once: hanging answers end and a closed port opens."""
        self._trouble.clear()
        self._pause.end()
        self._listener.open()

    def hold(self) -> None:
        """From now on requests move only through `release`."""
        self._backend.hold()

    def release(self, request_id: str, state: State = State.SUCCEEDED, error: Any = None) -> None:
        """Puts a request into a state; `error` (a string or an object) is what a failed one says."""
        self._backend.force(request_id, state, error)

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
        return {key for charge in self.ledger for key in charge.body if key not in self._model(charge).body_keys}

    @property
    def text_to_video(self) -> list[Charge]:
        """Charges whose body has no first picture: the picture was lost, and something else was bought."""
        return [charge for charge in self.ledger if not self._model(charge).pictures(charge.body)]

    @property
    def leaks(self) -> list[Recorded]:
        """Requests that took the token where it has no business: downloads, decoys, redirected calls, any URL."""
        return [seen for seen in list(self.calls) if self._is_leak(seen)]

    def seen(self, call: Call) -> list[Recorded]:
        """The recorded requests of one call."""
        return [seen for seen in list(self.calls) if seen.call is call]

    def wait_until(self, is_so: Callable[[], bool], timeout_s: float = 30.0) -> None:
        """Waits until something is so, such as ``lambda: emulator.charges == 1``.

        Raises:
            TimeoutError: It did not come to that.
        """
        deadline_s = time.monotonic() + timeout_s
        with self._news:
            while not is_so():
                if time.monotonic() > deadline_s:
                    raise TimeoutError(f"The emulator has seen {[seen.call.value for seen in self.calls]}.")
                self._news.wait(_CLOCK_CHECK_S)

    def _is_leak(self, seen: Recorded) -> bool:
        if seen.call in {Call.DOWNLOAD, Call.ELSEWHERE}:
            return "authorization" in seen.headers or self.token in f"{seen.path}{seen.headers}"
        return self.token in seen.path or self.token.encode() in seen.body

    def _respond(self, incoming: Incoming) -> Reply:
        found = route(incoming)
        self._record(found.call, incoming)
        fault = self._trouble.for_call(found.call) or self._quirk_fault(found)
        reply = self._spoilt(fault, found, incoming) if fault else Reply(self._answer(found, incoming))
        following = self._following(found)
        if following is not None and self._close_port_before(following):
            reply = replace(reply, delivery=replace(reply.delivery, is_closed=True))
        with self._news:
            self._news.notify_all()
        return reply

    def _quirk_fault(self, found: Route) -> Fault | None:
        """The fault that a question to the catalogue always meets; the list has no id and so only that of every model."""
        if found.call is not Call.CATALOGUE:
            return None
        quirk = self.options.quirk_of(unquote(found.subject))
        return Fault(found.call, quirk.catalogue_fault, **quirk.fault_args) if quirk.catalogue_fault else None

    def _record(self, call: Call, incoming: Incoming) -> None:
        time_s = time.monotonic()
        seen = Recorded(
            call, incoming.method, incoming.target, incoming.headers, incoming.body, time_s, incoming.connection
        )
        with self._news:
            self.calls.append(seen)
            self._news.notify_all()

    def _answer(self, found: Route, incoming: Incoming) -> Answer:
        if found.call is Call.ELSEWHERE:
            return Answer.of_error(404, None, "Not Found")
        if found.call is Call.DOWNLOAD:
            return self._downloaded(incoming)
        return self._api.answer(found, incoming)

    def _spoilt(self, fault: Fault, found: Route, incoming: Incoming) -> Reply:
        consequence = fault.kind.consequence
        if consequence is Consequence.URL_EXPIRES:
            self._shelf.expire(incoming.target)
        if consequence in _FORCED_STATES:
            with suppress(UnknownRequestError):
                self._backend.force(found.subject, _FORCED_STATES[consequence], "Model run failed")
        if found.call in CHANGING_CALLS:
            answer = self._answer(found, incoming) if fault.after_accept else self._never_accepted()
            meeting = Meeting(incoming.target, lambda: answer, self._clock(), fault.args)
        else:
            meeting = Meeting(incoming.target, lambda: self._answer(found, incoming), self._clock(), fault.args)
        return fault.kind.effect(meeting)

    def _never_accepted(self) -> Answer:
        """What an answer looks like when nothing was done: an id that leads nowhere."""
        return Answer.of_json(200, {"request_id": f"req-lost-{secrets.token_hex(8)}", "status": "in_queue"})

    def _offer(self, bought: Request | Charge) -> Offer:
        return find_offer(bought.model_id, self.options) or main_offer(self.options)

    def _model(self, bought: Request | Charge) -> Model:
        return self._offer(bought).model

    def _clip(self, request_id: str) -> bytes:
        request = self._backend.find(request_id)
        body, offer = request.body, self._offer(request)
        return self._library.clip(
            reference=next(iter(offer.model.pictures(body)), f"text: {body}"),
            size=offer.model.pixels(body, is_true_size=self.options.true_size),
            seconds=offer.model.seconds(body),
            form=offer.form(body),
        )

    def _downloaded(self, incoming: Incoming) -> Answer:
        answer = self._shelf.answer(incoming)
        if answer.headers.get("Content-Type") != "video/mp4":
            return answer
        request = self._backend.find(_STORED.split(incoming.target)[1])
        return replace(
            answer, headers={**answer.headers, "Content-Type": self._offer(request).form(request.body).content_type}
        )

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
        """Closes the port if a fault says that the next call is refused; says whether it did."""
        fault = self._trouble.at_port(call)
        if fault is None:
            return False
        self._listener.shut(for_s=fault.args["closed_s"])
        return True
