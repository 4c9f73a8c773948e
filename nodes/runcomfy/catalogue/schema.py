"""An entry of RunComfy's catalogue, live or shipped, as a value: https://docs.runcomfy.com/serverless/model-apis."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ...errors import InvalidInputError
from ..foreign_text import shown
from ..jobs import MOST_USD
from ..models import Scalar
from .quirks import Media, is_number, media_of_format, normalised, validation_rule
from .rules import resolved, rules_of

IMAGE_NAME = re.compile(
    r"((start|end|first|last|tail|reference|input)?(frame)?(image|img|frame)s?(url|uri)s?\d*"
    r"|(start|end|first|last|tail|reference|input|prompt)(frame)?(image|img|frame|reference)s?\d*|(image|img)s?\d*)"
)

ADDRESS = re.compile(r"http|//|data:\w+/", re.IGNORECASE)


class Role(Enum):
    """What a field means to a person, whatever the model calls it."""

    PROMPT = "prompt"
    NEGATIVE_PROMPT = "negative_prompt"
    FIRST_IMAGE = "first_image"
    LAST_IMAGE = "last_image"
    LENGTH = "duration"
    RESOLUTION = "resolution"
    ASPECT_RATIO = "aspect_ratio"
    SOUND = "audio_switch"
    SEED = "seed"
    FPS = "fps"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a model's input, after its quirks were put right.

    Attributes:
        name: Its name in RunComfy's JSON.
        types: The JSON types it takes; empty where the schema does not say.
        choices: The values it takes; empty where it takes a range.
        minimum: The least number, where the schema has one.
        maximum: The greatest number, where the schema has one.
        default: The model's default; None where there is none. The samples that stand as defaults of prompts and media are none.
        has_sample: Whether a sample stood as its default: the model may use it where the field stays away.
        media: What kind of file it takes, as an address; None for anything else.
        is_required: Whether the model needs it.
        validations: Limits of a picture, each such as `width_pixels>=300`.
    """

    name: str
    types: tuple[str, ...] = ()
    choices: tuple[Scalar, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    default: Any = None
    has_sample: bool = False
    media: Media | None = None
    is_required: bool = False
    validations: tuple[str, ...] = ()

    @property
    def is_list(self) -> bool:
        """Whether it takes several values."""
        return "array" in self.types and "string" not in self.types

    @property
    def is_structured(self) -> bool:
        """Whether only an object, or a list of something else than addresses, fits."""
        return self.media is None and bool(self.types) and set(self.types) <= {"array", "object"}

    @property
    def is_text(self) -> bool:
        """Whether any text fits, as far as its type goes."""
        return self.media is None and not self.choices and (not self.types or "string" in self.types)


@dataclass(frozen=True, slots=True)
class Exceptions:
    """What is known of a model besides its schema.

    Attributes:
        roles: Pairs of a role and a field's name, where the names of the fields do not tell.
        is_total: Whether base price x length is known to be the whole price of a clip.
        sound_factor: By how much sound raises the price.
        has_sound: Whether a model without a switch gives sound; None where it is not known.
        fps: Frames a second of its clips, where the schema does not say.
        limits: Pairs of a picture's field and its limits, which the schema says in prose only.
    """

    roles: tuple[tuple[Role, str], ...] = ()
    is_total: bool = False
    sound_factor: float = 1.0
    has_sound: bool | None = None
    fps: float | None = None
    limits: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model, as the catalogue describes it.

    Attributes:
        model_id: RunComfy's id, letter by letter.
        display_name: What people call it.
        family: The models it belongs with, such as `Kling 3.0`; empty where unknown.
        kind: `model` for those that can be bought here, in small letters.
        categories: What it does, such as `image-to-video`, in small letters with hyphens.
        base_price_usd: US dollars for one `price_unit`; None where the catalogue states no usable figure.
        price_unit: `second` or `output`, in small letters; anything else is not understood.
        price_note: RunComfy's words on the price.
        schema_json: The schema of the whole input, as canonical JSON.
        schema_hash: SHA-256 of `schema_json`, in hexadecimal digits.
        fields: The fields in the order of the schema.
        is_retired: Whether RunComfy no longer offers it.
        retired_reason: Why, as a sentence.
        exceptions: What is known besides the schema.
    """

    model_id: str
    display_name: str
    family: str = ""
    kind: str = "model"
    categories: tuple[str, ...] = ()
    base_price_usd: float | None = None
    price_unit: str = ""
    price_note: str = ""
    schema_json: str = '{"properties":{},"type":"object"}'
    schema_hash: str = ""
    fields: tuple[Field, ...] = ()
    is_retired: bool = False
    retired_reason: str = ""
    exceptions: Exceptions = field(default_factory=Exceptions)

    def field_named(self, name: str) -> Field | None:
        """The field of that name, if the model has it."""
        return next((one for one in self.fields if one.name == name), None)


def parse_entry(document: object, shipped: ModelEntry | None = None) -> ModelEntry:
    """An entry of the catalogue, from RunComfy's answer or from the shipped data.

    Args:
        document: The JSON object of one model.
        shipped: What this pack knows of the same model, for a live answer: its exceptions hold for that too.

    Raises:
        InvalidInputError: It cannot be understood.
    """
    if not isinstance(document, dict) or not isinstance(document.get("model_id"), str) or not document["model_id"]:
        raise InvalidInputError("An entry of the model catalogue has no model id.")
    model_id = document["model_id"]
    try:
        schema, fields = _parse_input(document.get("input_schema"))
        exceptions = shipped.exceptions if shipped else _parse_exceptions(document.get("exceptions", {}))
        schema_json = canonical(schema)
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidInputError(
            f"The description of the model '{shown(model_id)}' cannot be understood.",
            remedy="Choose another model, or try again later.",
        ) from error
    price = document.get("base_price_usd")
    return ModelEntry(
        model_id=model_id,
        display_name=_text(document.get("display_name")) or model_id,
        family=shipped.family if shipped else _text(document.get("family")),
        kind=_text(document.get("kind")).casefold(),
        categories=_categories(document.get("categories")),
        base_price_usd=float(price) if is_number(price) and 0 <= price <= MOST_USD else None,
        price_unit=_text(document.get("price_unit")).casefold(),
        price_note=shown(_text(document.get("pricing_note"))),
        schema_json=schema_json,
        schema_hash=hashlib.sha256(schema_json.encode()).hexdigest(),
        fields=fields,
        is_retired=document.get("is_retired") is True,
        retired_reason=_text(document.get("retired_reason")),
        exceptions=exceptions,
    )


def canonical(value: object) -> str:
    """A JSON value as one text. The same value always gives the same text: 1 and 1.0 are one number in JSON."""
    return json.dumps(_with_plain_numbers(value), separators=(",", ":"), sort_keys=True, allow_nan=False)


@functools.lru_cache(maxsize=1024)  # the same few names, over and over
def plain_name(name: str) -> str:
    """A field's name without what differs between models: `startimageurl` for `start_image_url`, `prompt` for `600_prompt`."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"^\d+_", "", name.casefold()))


def _with_plain_numbers(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _with_plain_numbers(inner) for key, inner in value.items()}
    return [_with_plain_numbers(inner) for inner in value] if isinstance(value, list | tuple) else value


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _categories(value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    return tuple(
        re.sub(r"[\s_]+", "-", one.strip().casefold()) for one in listed if isinstance(one, str) and one.strip()
    )


def _parse_exceptions(known: Mapping[str, Any]) -> Exceptions:
    has_sound, fps = known.get("has_sound"), known.get("fps")
    if has_sound not in (None, True, False) or not (fps is None or is_number(fps)):
        raise ValueError("an exception has a value of another type")
    return Exceptions(
        roles=tuple((Role(role), str(name)) for role, name in known.get("roles", {}).items()),
        is_total=known.get("is_total") is True,
        sound_factor=float(known.get("sound_factor", 1.0)),
        has_sound=has_sound,
        fps=fps,
        limits=tuple((str(name), tuple(map(str, limits))) for name, limits in known.get("limits", {}).items()),
    )


def _parse_input(schema: Mapping[str, Any] | None) -> tuple[dict[str, Any], tuple[Field, ...]]:
    if not isinstance(schema, dict) or not isinstance(schema.get("properties", {}), dict):
        raise TypeError("the input schema is not an object")
    raw: dict[str, Any] = {name: resolved(one, schema) for name, one in schema.get("properties", {}).items()}
    listed = schema.get("required")
    required = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    # The older way of JSON Schema marks the field itself.
    required += [name for name, one in raw.items() if isinstance(one, dict) and one.get("required") is True]
    raw |= {name: {} for name in required if name not in raw}
    properties = {name: normalised(one) for name, one in raw.items()}
    fields = tuple(_field(name, properties[name], raw[name], is_required=name in required) for name in raw)
    for one in fields:
        properties[one.name].pop("default", None)
        if one.media is not None:
            properties[one.name].pop("enum", None)  # of examples: the user has a picture of their own
        properties[one.name] |= {} if one.default is None else {"default": one.default}
    # A field that a reviewed schema leaves out because it is structured may still be sent.
    structured = schema.get("structured")
    properties |= {str(name): {} for name in structured if name not in raw} if isinstance(structured, list) else {}
    # A field that the schema does not name would be dropped by RunComfy without a word, or refused.
    whole: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        whole["required"] = sorted(set(required))
    return whole | rules_of(schema), fields


def _field(name: str, schema: dict[str, Any], raw: Any, *, is_required: bool) -> Field:  # noqa: ANN401 - JSON of any shape
    stated = schema.get("type", [])
    types = tuple(stated) if isinstance(stated, list) else (stated,)
    media = _media(name, schema, types)
    listed = schema.get("enum", ()) if media is None else ()
    choices = tuple(one for one in listed if isinstance(one, str | int | float))
    if media is not None and not types:
        types = ("string",)
    default = schema.get("default")
    # A prompt, a file or an address that stands as a default is an example from the model's page.
    is_sample = media is not None or (
        not choices
        and isinstance(default, str | list | dict)
        and ("prompt" in plain_name(name) or ADDRESS.search(str(default)) is not None)
    )
    validations = raw.get("validations") if isinstance(raw, dict) else None
    return Field(
        name=name,
        types=types,
        choices=choices,
        minimum=schema.get("minimum", schema.get("exclusiveMinimum")),
        maximum=schema.get("maximum", schema.get("exclusiveMaximum")),
        default=None if is_sample else _fitting(default, types, choices),
        has_sample=is_sample and default not in (None, "", []),
        media=media,
        is_required=is_required,
        validations=tuple(validation_rule(one) for one in validations) if isinstance(validations, list) else (),
    )


def _media(name: str, schema: dict[str, Any], types: tuple[str, ...]) -> Media | None:
    media = media_of_format(schema) or media_of_format(schema.get("items", {}))
    could_be_address = all(ADDRESS.search(str(one)) for one in schema.get("enum", ())) and (
        not types or "string" in types or "array" in types
    )
    items = schema.get("items", {}).get("type", "string")
    if media is None and could_be_address and items == "string":
        plain = plain_name(name)
        if IMAGE_NAME.fullmatch(plain):
            return Media.IMAGE
        for word, kind in (("video", Media.VIDEO), ("audio", Media.AUDIO)):
            if re.fullmatch(rf"(reference|input)?{word}s?(ur[il]s?)?\d*", plain) and set(types) <= {"string", "array"}:
                return kind
    return media


def _fitting(default: Any, types: tuple[str, ...], choices: tuple[Scalar, ...]) -> Any:  # noqa: ANN401 - JSON of any shape
    """A default in the schema's spelling and type; None where the schema itself would refuse it."""
    if default is None:
        return None
    if choices:
        same = (one for one in choices if str(one).casefold() == str(default).casefold())
        return next(same, next((one for one in choices if is_number(one) and one == default), None))
    if isinstance(default, str) and {"integer", "number"} & set(types) and "string" not in types:
        match = re.fullmatch(r"-?\d+(\.\d+)?", default)
        default = None if match is None else (int(default) if match[1] is None else float(default))
    if isinstance(default, float) and default.is_integer() and "integer" in types:
        return int(default)
    fits = {
        "string": isinstance(default, str),
        "integer": isinstance(default, int) and not isinstance(default, bool),
        "number": is_number(default),
        "boolean": isinstance(default, bool),
        "array": isinstance(default, list),
        "object": isinstance(default, dict),
    }
    return default if not types or any(fits[one] for one in types) else None
