"""RunComfy's own words, in whatever form they come, made fit for a message. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

MAX_SHOWN_CHARS = 300
MAX_MESSAGE_CHARS = 4000
MAX_DEPTH = 6


def first_words(document: Mapping[str, Any], keys: Iterable[str]) -> str:
    """The words under the first of the keys that holds any; empty for none."""
    return next(filter(None, (_words(document.get(key)) for key in keys)), "")


def shown(text: str, max_chars: int = MAX_SHOWN_CHARS) -> str:
    """Foreign text on one line, short, without data URIs and queries of links."""
    text = " ".join(text.split())
    text = re.sub(r"(?i)data:[\w/+.=;-]+,\S*", "(data URI)", text)
    text = re.sub(r"(?i)(https?://)[^\s/?#\"'<>]*@", r"\1", text)
    text = re.sub(r"(?i)(https?://[^\s?\"'<>]+)\?[^\s\"'<>]*", r"\1", text)
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
