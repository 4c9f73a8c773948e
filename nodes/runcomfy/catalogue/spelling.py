"""One wish in a model's own spelling and JSON type: `720p` is `720P`, 6 may be `"6"`, `auto` may be `adaptive`. Pure.

Nothing is rounded and nothing is guessed: what the model lacks is None. `2k` and `1440p` are not the same, nor are `4k` and
`2160p`: models sell them apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fractions import Fraction

from ..foreign_text import shown
from ..models import Scalar, Size
from .quirks import is_number
from .roles import OFF_WORDS, ON_WORDS
from .schema import Field

FOLLOW_PICTURE = frozenset({"auto", "adaptive"})


def seconds_of(value: object) -> float | None:
    """A length in seconds from 6, `"6"` or `"6s"`; None for `auto`, -1 and whatever else is not a length."""
    if is_number(value):
        return float(value) if value > 0 else None
    match = (
        re.fullmatch(r"(\d{1,4}(?:\.\d{1,3})?)\s*(?:s|sec|seconds?)?", value.strip().casefold())
        if isinstance(value, str)
        else None
    )
    return None if match is None else float(match[1])


def resolution_key(value: object) -> str:
    """What two spellings of one resolution have in common: `720p` for `720P`, `"720"` and 720."""
    text = str(value).strip().casefold()
    return f"{text}p" if re.fullmatch(r"\d{3,4}", text) else text


def ratio_of(value: object) -> Fraction | None:
    """Width over height from `16:9`; None for `auto` and whatever else is not a ratio."""
    match = re.fullmatch(r"([1-9]\d{0,4})\s*[:/x]\s*([1-9]\d{0,4})", str(value).strip().casefold())
    return Fraction(int(match[1]), int(match[2])) if match else None


def shorter_side(value: object) -> int | None:
    """The shorter side of the frames in pixels, by a resolution's name or a size; None where that says nothing."""
    key = resolution_key(value)
    size = re.fullmatch(r"(\d{3,5})[x*](\d{3,5})", key)
    if size:
        return min(int(size[1]), int(size[2]))
    lines = re.fullmatch(r"(\d{3,4})p", key)
    return int(lines[1]) if lines else {"1k": 1080, "2k": 1440, "4k": 2160, "8k": 4320}.get(key)


def size_of(value: object) -> Size | None:
    """Width and height from `1280x720` or `1280*720`."""
    match = re.fullmatch(r"([1-9]\d{2,4})[x*]([1-9]\d{2,4})", str(value).strip().casefold())
    return Size(int(match[1]), int(match[2])) if match else None


def length_for(one: Field, seconds: int) -> Scalar | None:
    """A length as the field takes it; None where the model lacks it."""
    return _number_for(one, seconds, lambda choice: seconds_of(choice) == seconds)


def seed_for(one: Field, seed: int) -> Scalar | None:
    """A seed as the field takes it; None where the model lacks it."""
    return _number_for(one, seed, lambda choice: str(choice) == str(seed))


def resolution_for(one: Field, wish: str) -> Scalar | None:
    """A resolution as the field takes it; None where the model lacks it."""
    if one.choices:
        return _exact_or(one.choices, wish, lambda choice: resolution_key(choice) == resolution_key(wish))
    if not one.types or "string" in one.types:
        return wish
    match = re.fullmatch(r"(\d{3,4})p?", wish.strip().casefold())
    return None if match is None else _number_for(one, int(match[1]), lambda _: False)


def ratio_for(one: Field, wish: str) -> Scalar | None:
    """An aspect ratio as the field takes it; None where the model lacks it."""
    if wish.casefold() in FOLLOW_PICTURE:
        return next((choice for choice in one.choices if str(choice).casefold() in FOLLOW_PICTURE), None)
    if one.choices:
        ratio = ratio_of(wish)
        return _exact_or(one.choices, wish, lambda choice: ratio is not None and ratio_of(choice) == ratio)
    return wish if not one.types or "string" in one.types else None


def switch_for(one: Field, *, is_on: bool) -> Scalar | None:
    """On or off as the field takes it; None where it can only be the other."""
    if not one.choices:
        return is_on
    words = ON_WORDS if is_on else OFF_WORDS
    return next((choice for choice in one.choices if str(choice).casefold() in words), None)


def is_on(value: object) -> bool | None:
    """What a switch says; None where it says nothing."""
    word = str(value).casefold()
    return True if word in ON_WORDS else False if word in OFF_WORDS else None


def allowed(one: Field) -> str:
    """What a field takes, for a sentence."""
    if one.choices:
        return shown(", ".join(map(str, one.choices)))
    if one.minimum is not None and one.maximum is not None:
        return f"{one.minimum:g} to {one.maximum:g}"
    if one.minimum is not None:
        return f"{one.minimum:g} or more"
    return f"{one.maximum:g} at most" if one.maximum is not None else "any value of the right type"


def _exact_or(choices: Iterable[Scalar], wish: str, is_same: Callable[[Scalar], bool]) -> Scalar | None:
    found = next((choice for choice in choices if choice == wish), None)
    return next((choice for choice in choices if is_same(choice)), None) if found is None else found


def _number_for(one: Field, number: int, is_same: Callable[[Scalar], bool]) -> Scalar | None:
    if one.choices:
        return next((choice for choice in one.choices if not isinstance(choice, bool) and is_same(choice)), None)
    if (one.minimum is not None and number < one.minimum) or (one.maximum is not None and number > one.maximum):
        return None
    if not one.types or {"integer", "number"} & set(one.types):
        return number
    return str(number) if "string" in one.types else None
