"""The address of a journal on another machine."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from ..environment import read_variable
from ..errors import ConfigurationError
from .clip_urls import PLAIN_URL

JOURNAL_URL_VARIABLE = "RUNCOMFY_JOURNAL_URL"
SCHEMES = ("postgresql", "postgresql+psycopg")


def resolve_journal_url(environ: Mapping[str, str]) -> str:
    """The address of a journal in PostgreSQL; empty for the one in the state folder.

    The environment alone has it: it may hold a password, and a settings file is shown and copied.

    Raises:
        ConfigurationError: It is not such an address; the message does not repeat it.
    """
    url = read_variable(environ, JOURNAL_URL_VARIABLE)
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        is_complete = parts.scheme in SCHEMES and parts.path.strip("/") and "/" not in parts.path.strip("/")
        _port, is_plain = parts.port, PLAIN_URL.fullmatch(url) is not None and not parts.fragment
    except ValueError:
        is_complete, is_plain = False, False
    if not is_complete or not is_plain:
        raise ConfigurationError(
            f"{JOURNAL_URL_VARIABLE} cannot be used: it must look like postgresql+psycopg://user@host/database.",
            remedy="Change or remove it, then restart ComfyUI. A character of a user or password that is not a letter or a digit "
            "is written as % and two hexadecimal digits.",
        )
    return "postgresql+psycopg" + url[len(parts.scheme) :]
