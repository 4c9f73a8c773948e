"""RunComfy's own words, made fit to be shown: short, on one line, without links' queries and without the token. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

SHOWN_INSTEAD = "(token)"


def redacting(secret: str) -> Callable[[str], str]:
    r"""What takes a secret out of a text.

    Found are: the secret as it is; every mixture of plain characters, JSON escapes (`\/`, `\u002b`), percent-encoding
    (`%2B`), HTML's references (`&#43;`, `&#x2b;`) and any of these escaped again; and the Base64 of any text with the secret
    in it.

    Args:
        secret: Printable ASCII.
    """
    spellings = ["".join(map(_spelled, secret)), *map(re.escape, _in_base64(secret))]
    pattern = re.compile("|".join(spellings))
    return lambda text: pattern.sub(SHOWN_INSTEAD, text)


def _spelled(character: str) -> str:
    """A pattern for one character."""
    number = ord(character)
    return (
        rf"(?:\\*{re.escape(character)}|\\+u00(?i:{number:02x})|%(?:25)*(?i:{number:02x})|"
        rf"&(?:amp;)*#0*(?:{number}|[xX]0*(?i:{number:x}));)"
    )


def _in_base64(secret: str) -> set[str]:
    """The characters of Base64 that depend on the secret alone, for each of the three ways it can lie in the text."""
    found = set()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + secret.encode()).decode().rstrip("=")
        # The first characters hold bits of what stands before, the last one of what stands behind.
        certain = encoded[(before * 8 + 5) // 6 : (before + len(secret)) * 8 // 6]
        found |= {certain, certain.replace("+", "-").replace("/", "_")}
    return {text for text in found if len(text) >= len(secret)}


MAX_SHOWN_CHARS = 300
MAX_MESSAGE_CHARS = 4000
MAX_DEPTH = 6


def first_words(document: Mapping[str, Any], keys: Iterable[str]) -> str:
    """The words under the first of the keys that holds any; empty for none."""
    return next(filter(None, (_words(document.get(key)) for key in keys)), "")


def unsigned(text: str) -> str:
    """A text whose addresses have neither a password nor a query, which may be a signature."""
    text = re.sub(r"(?i)([a-z][a-z0-9+.-]{0,15}://)[^\s/?#\"'<>]*@", r"\1", text)
    return re.sub(r"(?i)([a-z][a-z0-9+.-]{0,15}://[^\s?#\"'<>]+)[?#][^\s\"'<>]*", r"\1", text)


def shown(text: str, max_chars: int = MAX_SHOWN_CHARS) -> str:
    """Foreign text on one line, short, without data URIs and queries of links."""
    text = " ".join(text.split())
    text = unsigned(re.sub(r"(?i)data:[\w/+.=;-]+,\S*", "(data URI)", text))
    text = "".join(character for character in text if character.isprintable())
    return text if len(text) <= max_chars else text[: max_chars - 1] + "…"


def shown_lines(text: str) -> str:
    """A whole message of ours that quotes others, its lines kept, each made fit as by `shown`."""
    return "\n".join(shown(line, MAX_MESSAGE_CHARS) for line in text.splitlines())


def _words(value: object, depth: int = 0) -> str:
    """Words may be a text, an object with a message, or a list of those."""
    if isinstance(value, Mapping):
        for key in ("message", "error_message", "msg", "detail", "error"):
            if isinstance(value.get(key), str):
                return shown(value[key])
    if depth == MAX_DEPTH or value in (None, "", {}, []):
        return ""
    if isinstance(value, list):
        return shown("; ".join(filter(None, (_words(item, depth + 1) for item in value[:5]))))
    try:
        return shown(value if isinstance(value, str) else json.dumps(value, default=str))
    except RecursionError:
        return ""
