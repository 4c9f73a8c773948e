"""Which requests are answered, and what is in them. Pure.

ComfyUI has no login, so any page the user has open in the same browser could send requests to it. Nothing here protects against
somebody who can reach the port; that is up to ComfyUI's `--listen` and the network.
"""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from ..errors import UNCHANGED, InvalidInputError
from ..runcomfy import shown

HEADER = "X-Sora2Pro"
ALLOWED_HOSTS_VARIABLE = "RUNCOMFY_ALLOWED_HOSTS"
MAX_BODY_BYTES = 16 * 1024
MAX_INPUTS_BYTES = 512 * 1024  # of a node: a prompt has up to 32,000 characters
SAFE_METHODS = frozenset({"GET", "HEAD"})
FOREIGN = (
    "This request came from another site and was refused. If you reach ComfyUI through a proxy, let it pass the Host header "
    "unchanged."
)
UNKNOWN_HOST = (
    "This ComfyUI was opened under the name '{host}', which may belong to another site, so the request was refused. If the "
    f"name is yours, set {ALLOWED_HOSTS_VARIABLE} to it, without the port, and restart ComfyUI."
)
NO_HEADER = f"A request that changes something needs the header {HEADER}."


def refusal(method: str, headers: Mapping[str, str], allowed_hosts: Collection[str] = ()) -> str | None:
    """Why a request is refused, or None if it may pass.

    Args:
        method: Of the request.
        headers: Case-insensitive.
        allowed_hosts: Names, in lower case, by which this ComfyUI may be addressed; `*.example.com` stands for all below it.
    """
    host = headers.get("Host", "").lower()
    if host and not _is_known(host, allowed_hosts):
        return UNKNOWN_HOST.format(host=shown(host))
    # A browser says itself where a request comes from, even behind a proxy that changes Host; an older one, or one on plain
    # http beyond this machine, says it only through Origin.
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in ("same-origin", "none"):
            return FOREIGN
    elif "Origin" in headers and (not host or _host(headers["Origin"]) != host):
        return FOREIGN
    # Another site cannot set a header of its own without asking first, and that question is not answered.
    if method not in SAFE_METHODS and headers.get(HEADER) != "1":
        return NO_HEADER
    return None


def parsed_hosts(text: str) -> list[str]:
    """The names of a list that is separated by commas or blanks."""
    return [name.lower() for name in re.split(r"[\s,;\"']+", text) if name]


def _host(origin: str) -> str:
    """Name and port; empty for what is not an address."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _is_known(host: str, allowed_hosts: Collection[str]) -> bool:
    """Whether no stranger can own the name in a `Host` header."""
    named = re.fullmatch(r"(\[[^\[\]]+\]|[^\[\]:/@?#\\]+)(:\d*)?", host)
    name = "" if named is None else named[1].strip("[]").rstrip(".")
    if not name:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        is_ours = "." not in name or name.endswith(".localhost") or name in allowed_hosts
        return is_ours or any(one.startswith("*.") and name.endswith(one[1:]) for one in allowed_hosts)
    return True


def parsed_body(body: bytes) -> dict[str, Any]:
    """The JSON object of a request; empty for no body.

    Raises:
        InvalidInputError: It is something else.
    """
    if not body:
        return {}
    try:
        document = json.loads(body, parse_constant=_finite, parse_float=_finite)
    except InvalidInputError:
        raise
    except (ValueError, RecursionError):
        raise InvalidInputError("The request is not JSON.", money=UNCHANGED) from None
    if not isinstance(document, dict):
        raise InvalidInputError("The request is not a JSON object.", money=UNCHANGED)
    return document


def _finite(text: str) -> float:
    """A number of JSON, which knows neither NaN nor Infinity (RFC 8259, section 6)."""
    number = float(text)
    if not math.isfinite(number):
        raise InvalidInputError(f"{shown(text)} is not a number that can be used.", money=UNCHANGED)
    return number


def text_of(document: Mapping[str, Any], name: str) -> str:
    """A text of a request; empty if it is not there.

    Raises:
        InvalidInputError: It is not text.
    """
    value = document.get(name, "")
    if not isinstance(value, str):
        raise InvalidInputError(f"'{name}' must be text.", money=UNCHANGED)
    return value.strip()
