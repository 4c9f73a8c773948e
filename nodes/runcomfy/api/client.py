"""The calls of the RunComfy Model API. One attempt each; whether a call is made again is decided elsewhere.

The token goes to the API's own host in a header and nowhere else: redirects are refused, and neither .netrc nor an
environment can put other credentials in its place.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol, final
from urllib.parse import quote, urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
)

from ...errors import APIConnectionError, APIError, APITimeoutError, ResponseFormatError
from ..clip_urls import is_loopback
from ..credentials import account_of
from ..foreign_text import redacting, shown
from ..progress import StopSignal
from .answers import (
    NOT_READY_CODE,
    Answer,
    CancelOutcome,
    CatalogueEntry,
    GenerationResult,
    Phase,
    RequestStatus,
    accepted_id,
    checked_json,
    json_object,
    parse_cancel,
    parse_catalogue,
    parse_result,
    parse_status,
    parse_submit,
    signed_amount,
)
from .http import PlainSession, exchange
from .refusals import Subject, names_error

if TYPE_CHECKING:
    from ..credentials import Token
    from ..generation import ClipRequest

USER_AGENT = "sora2pro-runcomfy-comfyui"
MAX_BODY_BYTES = 4 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
REDIRECTS = range(300, 400)
logger = logging.getLogger("runcomfy.sora2pro.client")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits in seconds: to connect, and between two bytes of an answer.

    A whole call may take twice the latter, and where only seconds may pass (`quick_s`) no more than that. A submit may carry
    megabytes up and is worth more patience: to give up on it means not to know. `quick_s` is also what a submit still gets
    once the run was asked to end.
    """

    connect_s: float = 10.0
    read_s: float = 30.0
    submit_read_s: float = 120.0
    quick_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Account:
    """An account.

    Attributes:
        balance_usd: What is left on it, in US dollars; it may be below zero.
        server_time: What time it is at RunComfy, in seconds since the epoch; None where it does not say.
    """

    balance_usd: float
    server_time: float | None


@dataclass(frozen=True, slots=True)
class RequestHandle:
    """An accepted request."""

    request_id: str


class Connect(Protocol):
    """Opens a conversation with the API, which ends when a run does."""

    def __call__(self, *, stop: StopSignal | None = None) -> contextlib.AbstractContextManager[Client]:
        """Raises `MissingTokenError`."""


@final
class Client:
    """A conversation with the API. Use it from one thread and close it.

    Args:
        base_url: Of the Model API, without `/v1`.
        account_base_url: Of the host that knows the balance.
        token: The user's token.
        session_factory: Makes a `requests.Session`; the environment's proxies and certificates are honoured.
        timeouts: The limits.
        clock: Monotonic seconds.
        stop: Ends every call but a submit at once; that one gets a moment to be answered, because to break it off means not
            to know whether it was accepted.
    """

    def __init__(
        self,
        *,
        base_url: str,
        account_base_url: str,
        token: Token,
        session_factory: Callable[[], requests.Session] = PlainSession,
        timeouts: Timeouts | None = None,
        clock: Callable[[], float] = time.monotonic,
        stop: StopSignal | None = None,
    ) -> None:
        self._base_url = base_url
        self._account_base_url = account_base_url
        self._token = token
        self._session_factory = session_factory
        self._timeouts = timeouts or Timeouts()
        self._clock = clock
        self._stop = stop
        self._redact = redacting(token.value)
        self._session = self._new_session()

    def __repr__(self) -> str:
        """The address; no token."""
        return f"Client(base_url={self._base_url!r})"

    def __enter__(self) -> Client:
        """Return this client."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Close the connections."""
        self._session.close()

    def account_of_token(self, key: bytes) -> str:
        """What stands for the account that this conversation is with, whatever token is saved meanwhile."""
        return account_of(self._token.value, key)

    def submit(self, request: ClipRequest) -> RequestHandle:
        """Submit a request. This is the one call that costs money.

        It goes out on a connection of its own: a kept one may have been closed by the server, which would look as if the
        request had been sent and the answer lost.

        Raises:
            APIError: RunComfy answered with an error; see `retry.submission_verdict` for what that means.
            APIConnectionError: No answer; `sent` tells whether the request may have arrived.
        """
        url = self._model_url(request.model_id)
        with contextlib.closing(self._new_session()) as session:
            answer = self._exchange(
                session,
                "POST",
                url,
                read_s=self._timeouts.submit_read_s,
                body=request.body(),
                grace_s=self._timeouts.quick_s,
            )
        request_id = accepted_id(answer)
        if request_id is None:
            return RequestHandle(parse_submit(checked_json(answer, Subject.MODEL), answer.status_code))
        code = (json_object(answer.body) or {}).get("error_code")
        if names_error(code):
            logger.warning("RunComfy accepted %s, but names the error code %s with it.", request_id, shown(str(code)))
        return RequestHandle(request_id)

    def status(self, handle: RequestHandle, *, is_quick: bool = False) -> RequestStatus:
        """Where a request is; bounded to a few seconds where `is_quick`. Raises as `submit`."""
        url = self._request_url(handle, "status")
        answer = self._exchange(self._session, "GET", url, read_s=self._read_s(is_quick=is_quick))
        return parse_status(checked_json(answer, Subject.REQUEST))

    def result(self, handle: RequestHandle, *, is_quick: bool = False) -> GenerationResult:
        """The result of a request, or how far it is; bounded to a few seconds where `is_quick`. Raises as `submit`."""
        url = self._request_url(handle, "result?include_cost=true")
        answer = self._exchange(self._session, "GET", url, read_s=self._read_s(is_quick=is_quick))
        try:
            return parse_result(checked_json(answer, Subject.REQUEST))
        except APIError as error:
            if error.error_code == NOT_READY_CODE:
                return GenerationResult(Phase.RUNNING, "not ready", None, None, "", None)
            raise

    def cancel(self, handle: RequestHandle) -> CancelOutcome:
        """Ask RunComfy to cancel a queued request; bounded to a few seconds. Raises as `submit`."""
        url = self._request_url(handle, "cancel")
        answer = self._exchange(self._session, "POST", url, read_s=self._timeouts.quick_s)
        return parse_cancel(checked_json(answer, Subject.REQUEST))

    def catalogue_entry(self, model_id: str) -> CatalogueEntry:
        """The price of a model by the catalogue; bounded to a few seconds. Raises as `submit`."""
        return parse_catalogue(self.model_document(model_id))

    def model_document(self, model_id: str) -> dict[str, Any]:
        """All that the catalogue says of a model, as it says it; bounded to a few seconds. Raises as `submit`."""
        answer = self._exchange(self._session, "GET", self._model_url(model_id), read_s=self._timeouts.quick_s)
        return checked_json(answer, Subject.MODEL)

    def balance_usd(self) -> float:
        """The account's balance in US dollars; a check of the token that costs nothing. Raises as `submit`."""
        return self.account().balance_usd

    def account(self) -> Account:
        """The balance, and what time it is at RunComfy; bounded to a few seconds. Raises as `submit`."""
        url = f"{self._account_base_url}/prod/v2/balance"
        answer = self._exchange(self._session, "GET", url, read_s=self._timeouts.quick_s)
        balance = signed_amount(checked_json(answer, Subject.ACCOUNT).get("balance_usd"))
        if balance is None:
            raise ResponseFormatError(
                "RunComfy's answer does not say what the balance is.", status_code=answer.status_code
            )
        return Account(balance, _time_of(answer.headers))

    def _limit_s(self, read_s: float) -> float:
        return read_s if read_s <= self._timeouts.quick_s else 2 * read_s

    def _read_s(self, *, is_quick: bool) -> float:
        return self._timeouts.quick_s if is_quick else self._timeouts.read_s

    def _model_url(self, model_id: str) -> str:
        """Some ids have spaces and capitals; their slashes divide the path."""
        return f"{self._base_url}/v1/models/{quote(model_id)}"

    def _request_url(self, handle: RequestHandle, call: str) -> str:
        return f"{self._base_url}/v1/requests/{handle.request_id}/{call}"

    def _new_session(self) -> requests.Session:
        session = self._session_factory()
        session.auth = _BearerToken(self._token)
        session.headers["User-Agent"] = USER_AGENT
        session.headers["Accept"] = "application/json"
        return session

    def _exchange(
        self,
        session: requests.Session,
        method: str,
        url: str,
        *,
        read_s: float,
        body: Mapping[str, Any] | None = None,
        grace_s: float | None = None,
    ) -> Answer:
        session.trust_env = not is_loopback(urlsplit(url).hostname or "")
        try:
            return exchange(
                lambda: self._ask(session, method, url, read_s, body),
                limit_s=self._limit_s(read_s),
                stop=self._stop,
                grace_s=grace_s,
            )
        except APIConnectionError:
            # What was left behind may still hold the old connection.
            if session is self._session:
                session.close()
                self._session = self._new_session()
            raise

    def _ask(
        self, session: requests.Session, method: str, url: str, read_s: float, body: Mapping[str, Any] | None
    ) -> Answer:
        give_up_at = self._clock() + self._limit_s(read_s)
        with (
            _connection_errors(),
            session.request(
                method,
                url,
                json=body,
                timeout=(min(self._timeouts.connect_s, read_s), read_s),
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            received = bytearray()
            # What a redirect says is of no use, and it may be endless.
            chunks = iter(()) if response.status_code in REDIRECTS else response.iter_content(CHUNK_BYTES)
            for chunk in chunks:
                received += chunk
                if len(received) > MAX_BODY_BYTES:
                    raise ResponseFormatError("RunComfy's answer is far too long.", status_code=response.status_code)
                if self._clock() > give_up_at:
                    raise APITimeoutError("RunComfy's answer did not end.", sent=True)
            return Answer(response.status_code, dict(response.headers), self._without_token(bytes(received)))

    def _without_token(self, body: bytes) -> bytes:
        """A server may echo what it was sent; its words end up in messages, in the journal and in the log."""
        return self._redact(body.decode(json.detect_encoding(body), "replace")).encode()


def _time_of(headers: Mapping[str, str]) -> float | None:
    """When an answer was made (RFC 9110, section 6.6.1)."""
    date = next((value for name, value in headers.items() if name.lower() == "date"), "")
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


class _BearerToken(AuthBase):
    """Sets the header itself; with any auth object set, requests leaves .netrc alone."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.value}"
        return request


@contextlib.contextmanager
def _connection_errors() -> Iterator[None]:
    """Turn requests' exceptions into ours."""
    try:
        yield
    except requests.RequestException as error:
        raise connection_error(error) from error
    except LocationParseError as error:
        # A host that cannot be a name; requests lets it through.
        raise APIConnectionError(
            "The address of RunComfy's API cannot be used.", sent=False, is_permanent=True
        ) from error
    except (HTTPError, OSError) as error:
        raise APIConnectionError("The connection to RunComfy broke.", sent=True) from error


def connection_error(error: requests.RequestException) -> APIConnectionError:
    """One of ours for an exception of requests. That nothing was sent is only said where it is certain."""
    reason = error.args[0].reason if error.args and isinstance(error.args[0], MaxRetryError) else None
    if isinstance(error, requests.exceptions.SSLError):
        return _encryption_error(error)
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
        whose = "the proxy" if isinstance(error, requests.exceptions.InvalidProxyURL) else "RunComfy's API"
        return APIConnectionError(f"The address of {whose} cannot be used.", sent=False, is_permanent=True)
    if isinstance(reason, ConnectTimeoutError) and not isinstance(reason, NewConnectionError):
        return APITimeoutError("RunComfy could not be reached in time.", sent=False)
    unsent = _why_unsent(reason)
    if unsent:
        return APIConnectionError(unsent, sent=False)
    if isinstance(error, requests.Timeout):
        return APITimeoutError("RunComfy did not answer in time.", sent=True)
    return APIConnectionError("The connection to RunComfy broke.", sent=True)


def _encryption_error(error: requests.exceptions.SSLError) -> APIConnectionError:
    if "CERTIFICATE_VERIFY_FAILED" not in str(error):
        return APIConnectionError("The encrypted connection to RunComfy broke.", sent=True)
    return APIConnectionError(
        "The certificate of RunComfy's server was refused; something may stand between this machine and RunComfy.",
        sent=False,
        is_permanent=True,
        remedy="Check the clock of this machine and the proxy; a company's certificate goes into REQUESTS_CA_BUNDLE.",
    )


def _why_unsent(reason: object) -> str:
    """The sentence for a connection that was never made; empty for one that was."""
    if isinstance(reason, NameResolutionError):
        return "The name of RunComfy's server could not be looked up."
    if isinstance(reason, NewConnectionError):
        return "RunComfy's server could not be reached."
    if isinstance(reason, ProxyError):
        if isinstance(reason.original_error, NewConnectionError | ConnectTimeoutError):
            return "The proxy could not be reached."
        if str(reason.original_error).startswith("Tunnel connection failed"):
            return "The proxy refused to connect to RunComfy's server."
    return ""
