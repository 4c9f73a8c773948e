"""The calls of the RunComfy Model API. One attempt each; whether a call is made again is decided elsewhere.

The token goes to the API's own host in a header and nowhere else: redirects are refused, and neither .netrc nor an
environment can put other credentials in its place.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, final
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
)

from ..errors import APIConnectionError, APIError, APITimeoutError, ResponseFormatError
from .answers import (
    NOT_READY_CODE,
    Answer,
    CancelOutcome,
    CatalogueEntry,
    GenerationResult,
    Phase,
    RequestStatus,
    checked_json,
    parse_cancel,
    parse_catalogue,
    parse_result,
    parse_status,
    parse_submit,
    signed_amount,
)
from .api_errors import Subject
from .settings import is_loopback

if TYPE_CHECKING:
    from .credentials import Token
    from .jobs import GenerationRequest
    from .models import Scalar

USER_AGENT = "sora2pro-runcomfy-comfyui"
MAX_BODY_BYTES = 4 * 1024 * 1024
CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits in seconds: to connect, between two bytes of an answer, and for a whole answer.

    A submit may carry megabytes up and is worth more patience: to give up on it means not to know.
    """

    connect_s: float = 10.0
    read_s: float = 30.0
    submit_read_s: float = 120.0
    quick_s: float = 5.0


@dataclass(frozen=True, slots=True)
class RequestHandle:
    """An accepted request."""

    request_id: str


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
    """

    def __init__(
        self,
        *,
        base_url: str,
        account_base_url: str,
        token: Token,
        session_factory: Callable[[], requests.Session] = requests.Session,
        timeouts: Timeouts | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_url = base_url
        self._account_base_url = account_base_url
        self._token = token
        self._session_factory = session_factory
        self._timeouts = timeouts or Timeouts()
        self._clock = clock
        self._session = self._new_session()

    def __enter__(self) -> Client:
        """Return this client."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Close the connections."""
        self._session.close()

    def submit(self, request: GenerationRequest) -> RequestHandle:
        """Submit a request. This is the one call that costs money.

        It goes out on a connection of its own: a kept one may have been closed by the server, which would look as if the
        request had been sent and the answer lost.

        Raises:
            APIError: RunComfy answered with an error; see `retry.submission_verdict` for what that means.
            APIConnectionError: No answer; `sent` tells whether the request may have arrived.
        """
        url = f"{self._base_url}/v1/models/{request.model.model_id}"
        with contextlib.closing(self._new_session()) as session:
            answer = self._exchange(session, "POST", url, read_s=self._timeouts.submit_read_s, body=request.body())
        return RequestHandle(parse_submit(checked_json(answer, Subject.MODEL), answer.status_code))

    def status(self, handle: RequestHandle) -> RequestStatus:
        """Where a request is. Raises as `submit`."""
        answer = self._exchange(self._session, "GET", self._request_url(handle, "status"), read_s=self._timeouts.read_s)
        return parse_status(checked_json(answer, Subject.REQUEST))

    def result(self, handle: RequestHandle) -> GenerationResult:
        """The result of a request, or how far it is. Raises as `submit`."""
        url = self._request_url(handle, "result?include_cost=true")
        answer = self._exchange(self._session, "GET", url, read_s=self._timeouts.read_s)
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
        """The catalogue's word on a model; bounded to a few seconds. Raises as `submit`."""
        url = f"{self._base_url}/v1/models/{model_id}"
        answer = self._exchange(self._session, "GET", url, read_s=self._timeouts.quick_s)
        return parse_catalogue(checked_json(answer, Subject.MODEL))

    def balance_usd(self) -> float:
        """The account's balance in US dollars; a check of the token that costs nothing. Raises as `submit`."""
        url = f"{self._account_base_url}/prod/v2/balance"
        answer = self._exchange(self._session, "GET", url, read_s=self._timeouts.quick_s)
        balance = signed_amount(checked_json(answer, Subject.ACCOUNT).get("balance_usd"))
        if balance is None:
            raise ResponseFormatError("RunComfy's answer holds no balance.", status_code=answer.status_code)
        return balance

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
        body: Mapping[str, Scalar] | None = None,
    ) -> Answer:
        session.trust_env = not is_loopback(urlsplit(url).hostname or "")
        give_up_at = self._clock() + read_s
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
            # Without this a server that drips single bytes would never run into the time limit between two of them.
            for chunk in response.iter_content(CHUNK_BYTES):
                received += chunk
                if len(received) > MAX_BODY_BYTES:
                    raise ResponseFormatError("RunComfy's answer is far too long.", status_code=response.status_code)
                if self._clock() > give_up_at + read_s:
                    raise APITimeoutError("RunComfy's answer did not end.", sent=True)
            # A server may echo what it was sent; its words end up in messages.
            body_bytes = bytes(received).replace(self._token.value.encode(), b"(token)")
            return Answer(response.status_code, dict(response.headers), body_bytes)


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


def connection_error(error: requests.RequestException) -> APIConnectionError:
    """One of ours for an exception of requests. That nothing was sent is only said where it is certain."""
    reason = error.args[0].reason if error.args and isinstance(error.args[0], MaxRetryError) else None
    if isinstance(error, requests.exceptions.SSLError):
        return _encryption_error(error)
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
        return APIConnectionError("The address of RunComfy's API cannot be used.", sent=False, is_permanent=True)
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
