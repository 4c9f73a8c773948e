"""Requests that carry an address byte for byte, and no credentials.

requests and urllib3 rewrite an address (`%3d` becomes `%3D`, `%7E` becomes `~`); a signature can cover the bytes as they were
given, and then the storage answers 403.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest
from requests.auth import AuthBase

from .exchange import WatchedAdapter


class NoCredentials(AuthBase):
    """Sends none; with any auth object set, requests leaves .netrc alone."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Take off whatever was set."""
        request.headers.pop("Authorization", None)
        return request


class ExactTargetAdapter(WatchedAdapter):
    """Sends the path and query of one address exactly as they are written, and shows them to no log.

    Args:
        url: The address; ASCII without blanks.
    """

    def __init__(self, url: str) -> None:
        after_scheme = url.partition("://")[2].removeprefix(urlsplit(url).netloc)
        self._target = "/" + after_scheme.partition("#")[0].removeprefix("/")
        super().__init__()

    def request_url(self, *_args: Any, **_kwargs: Any) -> str:  # noqa: ANN401 - as the base
        """What urllib3 takes for the target, and writes to its log and into its errors."""
        return "/"

    def connection_class(self, base: Any) -> Any:  # noqa: ANN401 - as the base
        """Connections that write our target."""
        target = self._target

        class ExactConnection(super().connection_class(base)):  # type: ignore[misc]
            def putrequest(self, method: str, url: str, **options: Any) -> None:  # noqa: ANN401, ARG002 - as the base
                super().putrequest(method, target, **options)

        return ExactConnection
