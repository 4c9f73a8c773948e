"""What a person asks for, in the inputs of the node, and what a model makes of each wish: a value of its own, or a refusal.

A wish is never rounded and never dropped: what the model cannot fulfil is refused with the values it has. Pure.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...errors import InvalidInputError
from ..foreign_text import shown
from ..generation import check_take
from ..models import Scalar, Size
from ..prompts import has_visible
from .estimate import resolution_in_id
from .roles import Roles
from .schema import Field, ModelEntry, Role
from .shipped import Catalogue
from .spelling import (
    FOLLOW_PICTURE,
    allowed,
    length_for,
    ratio_for,
    resolution_for,
    resolution_key,
    seed_for,
    size_of,
    switch_for,
)

MODEL_DEFAULT = "model default"
TEXTS = (
    *("prompt", "resolution", "aspect_ratio", "audio"),
    *("image_url", "end_image_url", "negative_prompt", "extra_json"),
)
EXTRA_REMEDY = "Write 'extra_json' as one JSON object of further fields of the model, or leave it empty."


@dataclass(frozen=True, slots=True)
class Wishes:
    """The inputs of the node, for one clip.

    Attributes:
        prompt: What happens in the clip.
        duration: Seconds; 0 is the model's default.
        resolution: Such as `720p`, or `model default`.
        aspect_ratio: Such as `16:9`, `auto` for that of the picture, or `model default`.
        audio: `on`, `off` or `model default`.
        has_image: Whether a first picture is connected.
        has_end_image: Whether a last picture is connected.
        image_url: The address of the first picture, instead.
        end_image_url: The address of the last picture, instead.
        negative_prompt: What must not happen in the clip.
        seed: Which take.
        extra_json: A JSON object of further fields of the model.
        picture: The size of the first picture, where it is known.
    """

    prompt: str = ""
    duration: int = 0
    resolution: str = MODEL_DEFAULT
    aspect_ratio: str = MODEL_DEFAULT
    audio: str = MODEL_DEFAULT
    has_image: bool = False
    has_end_image: bool = False
    image_url: str = ""
    end_image_url: str = ""
    negative_prompt: str = ""
    seed: int = 0
    extra_json: str = ""
    picture: Size | None = None


def check_types(wishes: Wishes) -> None:
    """Refuse what only a link can bring: a widget holds nothing else.

    Raises:
        InvalidInputError: A number is not a whole one, or a text is not text.
    """
    check_take(wishes.seed)
    if isinstance(wishes.duration, bool) or not isinstance(wishes.duration, int):
        raise InvalidInputError(
            f"'duration' is {shown(repr(wishes.duration))}, which is not a whole number.",
            remedy="Connect a whole number to 'duration', or type one.",
        )
    for name in TEXTS:
        text = getattr(wishes, name)
        if not isinstance(text, str):
            raise InvalidInputError(
                f"'{name}' is {shown(repr(text))}, which is not text.", remedy=f"Connect text to '{name}', or type it."
            )


@dataclass(frozen=True, slots=True)
class Question:
    """A model, and the wishes it is asked to fulfil."""

    entry: ModelEntry
    roles: Roles
    wishes: Wishes
    catalogue: Catalogue

    @property
    def name(self) -> str:
        """The model's id, fit for a message."""
        return f"'{shown(self.entry.model_id)}'"


def value_for(role: Role, question: Question) -> Scalar | None:
    """The value that fulfils the wish for a role, as the model spells it; None for no wish, or one that needs no field.

    Raises:
        InvalidInputError: The model cannot fulfil it.
    """
    return _RULES[role](question, question.roles.field_for(role))


def _prompt(question: Question, one: Field | None) -> Scalar | None:
    return _words(question, one, question.wishes.prompt, "prompt")


def _negative_prompt(question: Question, one: Field | None) -> Scalar | None:
    return _words(question, one, question.wishes.negative_prompt, "negative_prompt")


def _words(question: Question, one: Field | None, text: str, widget: str) -> Scalar | None:
    if not text.strip():
        return None
    if one is None:
        raise InvalidInputError(f"{question.name} does not take a {widget}.", remedy=f"Clear '{widget}'.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInputError(
            f"'{widget}' contains a broken character that cannot be sent.", remedy="Type it again."
        ) from None
    if not has_visible(text):
        raise InvalidInputError(f"All characters of '{widget}' are invisible.", remedy="Clear it, or type words.")
    return text


def _length(question: Question, one: Field | None) -> Scalar | None:
    seconds = question.wishes.duration
    if seconds == 0:
        return None
    if one is None:
        raise InvalidInputError(
            f"This node does not know any input of {question.name} that sets the length.",
            remedy="Set 'duration' to 0 for the model's own length.",
        )
    value = length_for(one, seconds) if seconds > 0 else None
    if value is None:
        raise InvalidInputError(
            f"{question.name} cannot make clips of {seconds} seconds.",
            remedy=f"Set 'duration' to one of these: {allowed(one)}; or to 0 for the model's default.",
        )
    return value


def _resolution(question: Question, one: Field | None) -> Scalar | None:
    wish = question.wishes.resolution
    if wish == MODEL_DEFAULT:
        return None
    if one is not None:
        value = resolution_for(one, wish)
        if value is None:
            raise InvalidInputError(
                f"{question.name} does not have the resolution '{shown(wish)}'.",
                remedy=f"Choose one of these: {allowed(one)}; or '{MODEL_DEFAULT}'.",
            )
        return value
    in_id = resolution_in_id(question.entry.model_id)
    if in_id is None:
        raise InvalidInputError(
            f"The resolution of {question.name} cannot be chosen.", remedy=f"Set 'resolution' to '{MODEL_DEFAULT}'."
        )
    if resolution_key(in_id) == resolution_key(wish):
        return None
    sibling = _sibling(question, in_id)
    raise InvalidInputError(
        f"{question.name} always gives {in_id}: its resolution is part of its id.",
        remedy=f"For {shown(wish)}, choose the model '{sibling}'."
        if sibling
        else f"This pack does not know this model at {shown(wish)}: set 'resolution' to {in_id} or '{MODEL_DEFAULT}'.",
    )


def _sibling(question: Question, in_id: str) -> str | None:
    """The shipped model that differs in nothing but the resolution that is wished for."""
    start, _, end = question.entry.model_id.rpartition(in_id)
    wished = f"{start}{question.wishes.resolution}{end}".casefold()
    return next((one for one in question.catalogue.ids if one.casefold() == wished), None)


def _aspect_ratio(question: Question, one: Field | None) -> Scalar | None:
    wish = question.wishes.aspect_ratio
    if wish == MODEL_DEFAULT:
        return None
    size = question.roles.field_for(Role.RESOLUTION)
    if one is None and size is not None and any(size_of(choice) for choice in size.choices):
        raise InvalidInputError(
            f"The aspect ratio of {question.name} is part of '{shown(size.name)}'.",
            remedy=f"Set 'aspect_ratio' to '{MODEL_DEFAULT}', and give '{shown(size.name)}' in 'extra_json': "
            f"one of {allowed(size)}.",
        )
    if one is None and wish.casefold() in FOLLOW_PICTURE:
        return None
    if one is None:
        raise InvalidInputError(
            f"The aspect ratio of {question.name} cannot be chosen: the picture decides it.",
            remedy=f"Crop the picture, and set 'aspect_ratio' to 'auto' or '{MODEL_DEFAULT}'.",
        )
    value = ratio_for(one, wish)
    if value is None:
        raise InvalidInputError(
            f"{question.name} does not have the aspect ratio '{shown(wish)}'.",
            remedy=f"Choose one of these: {allowed(one)}; or '{MODEL_DEFAULT}'.",
        )
    return value


def _sound(question: Question, one: Field | None) -> Scalar | None:
    wish = question.wishes.audio
    if wish == MODEL_DEFAULT:
        return None
    if wish not in ("on", "off"):
        raise InvalidInputError(f"'audio' cannot be '{shown(wish)}'.", remedy=f"Choose on, off or '{MODEL_DEFAULT}'.")
    is_on = wish == "on"
    if one is None and question.entry.exceptions.has_sound is is_on:
        return None
    value = None if one is None else switch_for(one, is_on=is_on)
    if value is None:
        raise InvalidInputError(
            f"The sound of {question.name} cannot be turned {wish}.",
            remedy=f"Set 'audio' to '{MODEL_DEFAULT}'"
            + ("; the sound can be left out of the result afterwards." if wish == "off" else "."),
        )
    return value


def _seed(question: Question, one: Field | None) -> Scalar | None:
    seed = question.wishes.seed
    if seed == 0 or one is None:
        return None
    value = seed_for(one, seed)
    if value is None:
        raise InvalidInputError(
            f"{question.name} does not take the seed {seed}.", remedy=f"Use a seed of {allowed(one)}."
        )
    return value


def parse_extra_json(text: str) -> dict[str, Any]:
    """The further fields of `extra_json`; none for an empty text.

    Raises:
        InvalidInputError: It is not a JSON object, names a field twice, or holds a number that JSON does not have.
    """
    if not text.strip():
        return {}
    try:
        value = json.loads(
            text, object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant, parse_float=_finite
        )
    except json.JSONDecodeError as error:
        raise InvalidInputError(
            f"'extra_json' is not valid JSON (line {error.lineno}, column {error.colno}).", remedy=EXTRA_REMEDY
        ) from None
    except InvalidInputError:
        raise
    except (RecursionError, ValueError):
        raise InvalidInputError(
            "'extra_json' cannot be read: it is nested too deeply, or holds too long a number.", remedy=EXTRA_REMEDY
        ) from None
    if not isinstance(value, dict):
        raise InvalidInputError("'extra_json' is not a JSON object.", remedy=EXTRA_REMEDY)
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, one in pairs:
        if key in value:
            raise InvalidInputError(f"'extra_json' sets '{shown(key)}' twice.", remedy="Keep one of the two.")
        value[key] = one
    return value


def _refuse_constant(word: str) -> float:
    raise InvalidInputError(f"'extra_json' holds {word}, which is not a number in JSON.", remedy="Use a finite number.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidInputError(f"'extra_json' holds {shown(text)}, which is too large.", remedy="Use a finite number.")
    return number


_RULES: dict[Role, Callable[[Question, Field | None], Scalar | None]] = {
    Role.PROMPT: _prompt,
    Role.NEGATIVE_PROMPT: _negative_prompt,
    Role.LENGTH: _length,
    Role.RESOLUTION: _resolution,
    Role.ASPECT_RATIO: _aspect_ratio,
    Role.SOUND: _sound,
    Role.SEED: _seed,
}
