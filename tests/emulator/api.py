"""The Model API's answers: JSON in, JSON out, in the dialect that the options choose."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from . import listing
from .backend import Backend, Request, UnknownRequestError
from .calls import Call, Incoming, Route
from .offers import every_offer, find_offer
from .options import Options
from .submission import doom, faults_of
from .timeline import State
from .wire import Answer

if TYPE_CHECKING:
    from collections.abc import Callable


class Api:
    """Answers every call but the download.

    Args:
        backend: The requests and the money.
        options: The dialect, read anew for each call.
        token: The one token that is good.
        base_url: Scheme, host and port.
        new_clip_url: A fresh signed URL for the clip of a request.
    """

    def __init__(
        self,
        *,
        backend: Backend,
        options: Callable[[], Options],
        token: str,
        base_url: str,
        new_clip_url: Callable[[str], str],
    ) -> None:
        self._backend = backend
        self._read_options = options
        self._token = token
        self._base_url = base_url
        self._new_clip_url = new_clip_url

    @property
    def _options(self) -> Options:
        return self._read_options()

    def answer(self, route: Route, incoming: Incoming) -> Answer:
        """The answer to one call."""
        if incoming.headers.get("authorization") != f"Bearer {self._token}":
            return self._refused("UserAccountError: token missing, expired or revoked", 400004, http_status=401)
        if route.subject in self._options.foreign_ids:
            return Answer.of_error(403, 403001, "PermissionDeniedError")
        try:
            return self._answered(route, incoming)
        except UnknownRequestError:
            return Answer.of_error(404, 404001, "ResourceNotFound")

    def _answered(self, route: Route, incoming: Incoming) -> Answer:
        if route.call is Call.SUBMIT:
            return self._submit(unquote(route.subject), incoming)
        if route.call is Call.CANCEL:
            return self._cancel(route.subject)
        if route.call is Call.CATALOGUE:
            return self._catalogue(unquote(route.subject), incoming)
        if route.call is Call.BALANCE:
            return self._balance()
        request = self._backend.look(route.subject, reads_result=route.call is Call.RESULT)
        if route.call is Call.STATUS:
            return self._status(request)
        return self._result(request, wants_cost=incoming.query.get("include_cost") == ["true"])

    def _refused(self, message: str, error_code: int, *, http_status: int) -> Answer:
        if self._options.errors == "documented":
            return Answer.of_error(400, error_code, message)
        return Answer.of_json(http_status, {"error": message.partition(":")[0]})

    def _unknown_model(self) -> Answer:
        return self._refused("InvalidResourceIdentifier: no such model", 400001, http_status=404)

    def _submit(self, model_id: str, incoming: Incoming) -> Answer:
        options = self._options
        offer = find_offer(model_id, options)
        if offer is None or offer.quirk.retired == "400001":
            return self._unknown_model()
        if offer.quirk.retired in {"404", "404-everywhere"}:
            return _no_longer_there()
        try:
            body = json.loads(incoming.body)
        except ValueError:
            return Answer.of_error(400, None, "The body is not JSON")
        faults = faults_of(body, offer, options)
        if faults:
            return Answer.of_error(422, 422001, "Validation error", faults)
        usd = offer.usd(body if options.strict else {})
        if self._balance_usd() < usd:
            return self._refused("InsufficientResources: no balance left", 400002, http_status=402)
        error = doom(body, offer, options)
        end = State.SUCCEEDED if error is None else State.FAILED
        return self._accepted(self._backend.accept(model_id, body, usd=usd, end=end, error=error))

    def _accepted(self, request: Request) -> Answer:
        value = {"request_id": request.request_id, **self._urls(request, "status", "result", "cancel")}
        if self._options.submit_status != 200:
            value["status"] = State.QUEUED.value
        return Answer.of_json(self._options.submit_status, value)

    def _urls(self, request: Request, *names: str) -> dict[str, str]:
        stem = f"{self._base_url}/v1/requests/{request.request_id}"
        return {f"{name}_url": f"{stem}/{name}" for name in names}

    def _status(self, request: Request) -> Answer:
        """A failed request is `completed` here: it has left the queue."""
        is_completed = request.state in {State.SUCCEEDED, State.FAILED}
        value: dict[str, Any] = {
            "request_id": request.request_id,
            "status": self._word("completed" if is_completed else request.state.value),
            **self._urls(request, "status", "result"),
        }
        if request.state is State.QUEUED:
            value["queue_position"] = self._backend.position(request.request_id, self._options.ahead_in_queue)
        return Answer.of_json(200, value)

    def _result(self, request: Request, *, wants_cost: bool) -> Answer:
        options = self._options
        if not request.state.is_ended and options.not_ready == "400005":
            return Answer.of_error(400, 400005, "Result not ready")
        value: dict[str, Any] = {"request_id": request.request_id, "status": self._word(request.state.value)}
        if options.echo_model_id:
            value["model_id"] = request.model_id
        if options.echo_input:
            value["input"] = {**request.body, "video": f"{self._base_url}/decoy/input.mp4"}
        if request.ended_at_s is not None:
            value |= {"created_at": _timestamp(request.accepted_at_s), "finished_at": _timestamp(request.ended_at_s)}
        if request.state is State.FAILED:
            value["error"] = request.error
        if request.state is State.SUCCEEDED:
            value |= {"status": options.success_word, "output": self._output(request)}
            is_known = options.cost == "included" or (options.cost == "late" and request.result_reads > 0)
            if wants_cost and is_known:
                value["cost"] = request.usd
        return Answer.of_json(200, value)

    def _word(self, documented: str) -> str:
        return self._options.words.get(documented, documented)

    def _output(self, request: Request) -> object:
        url = self._new_clip_url(request.request_id)
        return {
            "video": {"video": url},
            "videos": {"videos": [url]},
            "string": url,
            "list": [url],
            "nested": {"video": {"url": url}},
        }[self._options.output_shape]

    def _cancel(self, request_id: str) -> Answer:
        is_cancelled = self._backend.cancel(request_id)
        value = {"request_id": request_id, "status": self._backend.find(request_id).state.value}
        if not is_cancelled:
            return Answer.of_json(202, {**value, "outcome": "not_cancellable"})
        changes = {
            "documented": {"outcome": "cancelled"},
            "odd": {"status": "completed", "outcome": "cancelled"},
            "requested": {"outcome": "cancellation_requested"},
            "bare": {"status": "cancellation_requested"},
        }[self._options.cancel_reply]
        return Answer.of_json(202, value | changes)

    def _catalogue(self, subject: str, incoming: Incoming) -> Answer:
        options = self._options
        offers = [offer for offer in every_offer(options) if offer.quirk.retired in {"no", "failed"}]
        if subject == "":
            return listing.answer([offer.answer for offer in offers], incoming.query)
        if subject == "categories":
            return listing.categories([offer.answer for offer in offers])
        offer = find_offer(subject, options)
        if offer is not None and offer.quirk.retired == "404-everywhere":
            return _no_longer_there()
        if offer is None or not offer.is_listed or offer.quirk.retired in {"400001", "404"}:
            return self._unknown_model()
        return Answer.of_json(200, offer.answer)

    def _balance_usd(self) -> float:
        return round(self._options.balance_usd - self._backend.spent_usd, 6)

    def _balance(self) -> Answer:
        usd = self._balance_usd()
        return Answer.of_json(
            200, {"balance_usd": usd, "balance_microdollars": round(usd * 1_000_000), "currency": "USD"}
        )


def _no_longer_there() -> Answer:
    return Answer.of_error(404, 404001, "The model is not available")


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
