"""Who may ask: this page only. Pure.

ComfyUI has no login, so any page the user has open in the same browser could send requests to it. Nothing here protects from
somebody who reaches the port; that is for ComfyUI's `--listen` and the network to decide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from .errors import UNCHANGED, InvalidInputError

HEADER = "X-Sora2Pro"
MAX_BODY_BYTES = 16 * 1024
SAFE_METHODS = frozenset({"GET", "HEAD"})
FOREIGN = "This request came from another site and was refused."
NO_HEADER = f"A request that changes something needs the header {HEADER}."


def refusal(method: str, headers: Mapping[str, str]) -> str | None:
    """Why a request is refused, or None if it may pass.

    Args:
        method: Of the request.
        headers: Case-insensitive.
    """
    # A browser says itself where a request comes from, even behind a proxy that changes Host; an older one, or one on plain
    # http beyond this machine, says it only through Origin.
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in ("same-origin", "none"):
            return FOREIGN
    elif "Origin" in headers and _host(headers["Origin"]) != headers.get("Host", "").lower():
        return FOREIGN
    # Another site cannot set a header of its own without asking first, and that question is not answered.
    if method not in SAFE_METHODS and headers.get(HEADER) != "1":
        return NO_HEADER
    return None


def _host(origin: str) -> str:
    return urlsplit(origin).netloc.lower()


def parsed_body(body: bytes) -> dict[str, Any]:
    """The JSON object of a request; empty for no body.

    Raises:
        InvalidInputError: It is something else.
    """
    if not body:
        return {}
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidInputError("The request is not JSON.", money=UNCHANGED) from None
    if not isinstance(document, dict):
        raise InvalidInputError("The request is no JSON object.", money=UNCHANGED)
    return document


def text_of(document: Mapping[str, Any], name: str) -> str:
    """A text of a request; empty if it is not there.

    Raises:
        InvalidInputError: It is no text.
    """
    value = document.get(name, "")
    if not isinstance(value, str):
        raise InvalidInputError(f"'{name}' is no text.", money=UNCHANGED)
    return value.strip()
