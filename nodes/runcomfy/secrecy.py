"""A secret is taken out of foreign text, however it is spelled there. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

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
