"""Requests that carry an address byte for byte, and no credentials.

requests and urllib3 rewrite an address (`%3d` becomes `%3D`, `%7E` becomes `~`); a signature can cover the bytes as they were
given, and then the storage answers 403.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connectionpool import ConnectionPool, HTTPConnectionPool


class NoCredentials(AuthBase):
    """Sends none; with any auth object set, requests leaves .netrc alone."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Take off whatever was set."""
        request.headers.pop("Authorization", None)
        return request


class ExactTargetAdapter(HTTPAdapter):
    """Sends the path and query of one address exactly as they are written.

    Args:
        url: The address; ASCII without blanks.
    """

    def __init__(self, url: str) -> None:
        after_scheme = url.partition("://")[2].removeprefix(urlsplit(url).netloc)
        self._target = "/" + after_scheme.partition("#")[0].removeprefix("/")
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> ConnectionPool:  # noqa: ANN401 - as the base
        """The pool of the base class, whose connections write our target."""
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        if not isinstance(pool, HTTPConnectionPool):
            return pool
        target, base = self._target, pool.ConnectionCls

        class ExactConnection(base):  # type: ignore[misc, valid-type]
            def putrequest(self, method: str, url: str, **options: Any) -> None:  # noqa: ANN401, ARG002 - as the base
                super().putrequest(method, target, **options)

        pool.ConnectionCls = ExactConnection
        return pool
