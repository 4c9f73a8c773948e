"""Who may ask: the page of this ComfyUI alone. Pure.

ComfyUI has no login, so any page the user has open in the same browser could send requests to it. Nothing here protects against
somebody who can reach the port; that is up to ComfyUI's `--listen` and the network.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from ..runcomfy import shown

HEADER = "X-Sora2Pro"
ALLOWED_HOSTS_VARIABLE = "RUNCOMFY_ALLOWED_HOSTS"
SAFE_METHODS = frozenset({"GET", "HEAD"})
FOREIGN = "This request came from another site and was refused."
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
