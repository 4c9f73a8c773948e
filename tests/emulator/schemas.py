"""What is wrong with a body, by the schema of its model: a JSON Schema with RunComfy's quirks, and media. Pure functions."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from .library import picture_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jsonschema import ValidationError

    from .models import Model

Fault = tuple[str | None, str]
"""The field, or None for the whole body, and what is wrong with it."""

HTTPS_ONLY = "File inputs must be public HTTPS URLs"
MEGABYTE = 1 << 20
MEDIA_FORMATS = ("image_uri", "video_uri", "audio_uri")
MEDIA_ROLES = ("first_image", "last_image")
JSON_TYPES = {"float": "number"}
KEYWORDS = frozenset(
    {"type", "enum", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "multipleOf"}
)

# JSON Schema calls 4.0 an integer; RunComfy's models want one that is written as one.
_Validator = extend(  # type: ignore[no-untyped-call] # the stubs leave it untyped
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int),
)


def absent(model: Model, body: Mapping[str, Any]) -> list[Fault]:
    """The required fields that a body has not."""
    return [(name, "Field required") for name in model.schema.get("required", ()) if name not in body]


def media_faults(model: Model, body: Mapping[str, Any], *, takes_data_uri: bool) -> list[Fault]:
    """What is wrong with the pictures, videos and sounds of a body: addresses, data and the limits of pictures."""
    return [
        (name, message)
        for name, kind in _media(model).items()
        if name in body and isinstance(body[name], str | list)
        for reference in (body[name] if isinstance(body[name], list) else [body[name]])
        for message in _reference_faults(
            reference, kind, model.schema["properties"][name], takes_data_uri=takes_data_uri
        )
    ]


def value_faults(model: Model, body: Mapping[str, Any]) -> list[Fault]:
    """What is wrong with the types and values of a body that has all required fields."""
    errors = _Validator(normalised(model)).iter_errors(dict(body))
    return [fault for error in errors for fault in _told(error, body, model)]


def normalised(model: Model) -> dict[str, Any]:
    """The schema of a model as JSON Schema has it: strict, and without what RunComfy adds or leaves unclear."""
    schema = model.schema
    return {
        "type": "object",
        "required": list(schema.get("required", ())),
        "properties": {name: _field(field) for name, field in schema["properties"].items()},
        "additionalProperties": model.takes_unknown,
        "allOf": [model.unwritten_schema],
    }


def _field(raw: Mapping[str, Any]) -> dict[str, Any]:
    field = {key: value for key, value in raw.items() if key in KEYWORDS and value is not None}
    if "type" in field:
        types = field["type"] if isinstance(field["type"], list) else [field["type"]]
        field["type"] = [JSON_TYPES.get(each, each) for each in types]
    if "items" in raw:
        field["items"] = _field(raw["items"])
    elif str(raw.get("format")).endswith("_uris"):
        field["items"] = {"type": "string"}
    return field


def _told(error: ValidationError, body: Mapping[str, Any], model: Model) -> Iterator[Fault]:
    if error.validator == "additionalProperties":
        yield from ((key, "Extra inputs are not permitted") for key in sorted(set(body) - model.body_keys))
        return
    name = str(error.absolute_path[0]) if error.absolute_path else None
    if error.validator == "enum":
        choices: Any = error.validator_value
        yield name, f"Input should be one of {', '.join(map(str, choices))}"
    else:
        yield name, f"Input should be valid: {error.validator} {error.validator_value}"


def _media(model: Model) -> dict[str, str]:
    """The kind (image, video, audio) of each field that holds media, marked as such or not."""
    marked = {
        name: str(field["format"]).partition("_")[0]
        for name, field in model.schema["properties"].items()
        if str(field.get("format")).removesuffix("s") in MEDIA_FORMATS
    }
    pictures = {model.roles[role]: "image" for role in MEDIA_ROLES if role in model.roles}
    return {name: kind for name, kind in {**pictures, **marked}.items() if name in model.schema["properties"]}


def _reference_faults(reference: object, kind: str, field: Mapping[str, Any], *, takes_data_uri: bool) -> Iterator[str]:
    if not isinstance(reference, str) or reference.startswith("https://"):
        return
    if not takes_data_uri or not reference.startswith("data:"):
        yield HTTPS_ONLY
    elif kind != "image":
        if not reference.startswith(f"data:{kind}/"):
            yield f"The data URI is not {kind}."
    else:
        yield from _picture_faults(reference, field.get("validations", ()))


def _picture_faults(reference: str, rules: list[Mapping[str, Any]]) -> Iterator[str]:
    try:
        width, height = picture_size(reference) or (1, 1)
    except ValueError as error:
        yield str(error)
        return
    figures = {
        "file_size_mb": len(base64.b64decode(reference.partition(",")[2])) / MEGABYTE,
        "width/height": width / height,
        "width_pixels": width,
        "height_pixels": height,
    }
    for rule in rules:
        figure, limit = figures[rule["validation_rule"][:-1]], rule["validation_value"]
        if not (figure < limit if rule["validation_rule"].endswith("<") else figure > limit):
            yield str(rule["validation_error"])
