"""A prompt: whether it says anything, and which spellings of it are one."""

from __future__ import annotations

import unicodedata
from typing import Literal

from ..errors import InvalidInputError

LINE_BREAKS = ("\n", "\r\n", "\r")
# Letters and symbols that are drawn as nothing: the Hangul fillers, Braille without a dot, the note head without ink, and the
# hieroglyphs that keep a place free. Sources: Default_Ignorable_Code_Point in
# https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt, and the charts of the last four.
BLANK_SIGNS = frozenset("\u115f\u1160\u3164\uffa0\u2800\U0001d159\U00013441\U00013442")


def canonical_spelling(prompt: str) -> str:
    """The spelling of a prompt under which a new job is claimed."""
    return _spelled(prompt, "\n", "NFC")


def spellings(prompt: str) -> tuple[str, ...]:
    """All spellings of a prompt that look the same, the one that was typed first.

    Line breaks are CRLF or LF by the system the text was typed on (or CR, on old ones), and letters with marks are one
    character or two (NFC or NFD, https://unicode.org/reports/tr15/): none of that makes another clip.
    """
    others = [_spelled(prompt, line_break, form) for line_break in LINE_BREAKS for form in ("NFC", "NFD")]
    return tuple(dict.fromkeys((prompt, *others)))


def _spelled(prompt: str, line_break: str, form: Literal["NFC", "NFD"]) -> str:
    return unicodedata.normalize(form, prompt.replace("\r\n", "\n").replace("\r", "\n")).replace("\n", line_break)


def check_prompt(prompt: str, *, max_chars: int) -> None:
    """Refuse a prompt that says nothing or is too long.

    Invisible characters among visible ones are sent as they were typed: emoji and several scripts need them, and a clip that
    was bought with them must be found again. That includes NUL, which JSON carries as an escape (RFC 8259, section 7).

    Raises:
        InvalidInputError: Nothing to be seen, too long, or not text that can be sent.
    """
    try:
        prompt.encode()
    except UnicodeEncodeError:
        raise InvalidInputError(
            "The prompt contains a broken character (a lone surrogate), which cannot be sent.", remedy="Type it again."
        ) from None
    if not has_visible(prompt):
        what = "The prompt is empty." + (" All its characters are invisible." if prompt.strip() else "")
        raise InvalidInputError(what, remedy="Describe what should happen in the clip.")
    if len(prompt) > max_chars:
        raise InvalidInputError(
            f"The prompt has {len(prompt):,} characters; the model takes {max_chars:,} at most.",
            remedy="Shorten it.",
        )


def has_visible(text: str) -> bool:
    """Whether a text shows anything."""
    return any(map(_is_visible, text))


def _is_visible(character: str) -> bool:
    """Whether a character shows something by itself.

    Controls, formats, private and unassigned code points (categories C*) and separators (Z*) do not, nor do marks (M*), which
    variation selectors are too: they only change the character before them. The categories are those of
    https://www.unicode.org/reports/tr44/#General_Category_Values.
    """
    return unicodedata.category(character)[0] not in "CZM" and character not in BLANK_SIGNS
