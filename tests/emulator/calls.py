"""What arrives: the calls the API knows, and how a request line is recognised as one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Mapping


class Call(Enum):
    """One thing a client may ask for."""

    SUBMIT = "submit"
    STATUS = "status"
    RESULT = "result"
    CANCEL = "cancel"
    CATALOGUE = "catalogue"
    BALANCE = "balance"
    DOWNLOAD = "download"
    ELSEWHERE = "elsewhere"
    """A path that no client should ask for: a decoy, or where a redirected API call would end up."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One HTTP request.

    Attributes:
        method: In capitals.
        target: Path and query exactly as they came over the wire.
        headers: Names in lower case.
        body: The bytes after the head.
        connection: Serial number of the TCP connection, from 1.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int

    @property
    def query(self) -> dict[str, list[str]]:
        """The parsed query."""
        return parse_qs(self.target.partition("?")[2])


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as the emulator saw it, for a test to look at.

    Attributes:
        call: What it was.
        method: In capitals.
        path: Path and query exactly as they came over the wire.
        headers: Names in lower case.
        body: The bytes after the head.
        time_s: Monotonic clock at arrival.
        connection: Serial number of the TCP connection, from 1.
    """

    call: Call
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    time_s: float
    connection: int


@dataclass(frozen=True, slots=True)
class Route:
    """A recognised request: the call and what it is about (a model id, a request id or a path)."""

    call: Call
    subject: str


_ROUTES = tuple(
    (method, re.compile(pattern), call)
    for method, pattern, call in (
        ("POST", r"/v1/models/(.+)", Call.SUBMIT),
        ("GET", r"/v1/requests/([^/]+)/status", Call.STATUS),
        ("GET", r"/v1/requests/([^/]+)/result", Call.RESULT),
        ("POST", r"/v1/requests/([^/]+)/cancel", Call.CANCEL),
        ("GET", r"/v1/models/?(.*)", Call.CATALOGUE),
        ("GET", r"/prod/v2/(balance)", Call.BALANCE),
        ("GET", r"(?:/mirror)*(/store/.+)", Call.DOWNLOAD),
    )
)


def route(incoming: Incoming) -> Route:
    """The call behind a request; the model id of a submission may have any number of segments."""
    path = incoming.target.partition("?")[0]
    for method, pattern, call in _ROUTES:
        match = pattern.fullmatch(path)
        if match and incoming.method == method:
            return Route(call, match[1])
    return Route(Call.ELSEWHERE, path)
