"""The quirks of RunComfy's input schemas, put right: what comes out is plain JSON Schema, Draft 2020-12, of a few keywords.

The quirks were seen in the reviewed schemas of RunComfy's own node pack and in its answers to `GET /v1/models/{model_id}`.
Keywords: https://json-schema.org/draft/2020-12/json-schema-validation.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeGuard

MAX_DEPTH = 6
TYPES = {
    **dict.fromkeys(("string", "str", "text", "uri", "url"), "string"),
    **dict.fromkeys(("number", "float", "double", "decimal"), "number"),
    **dict.fromkeys(("integer", "int", "long"), "integer"),
    **dict.fromkeys(("boolean", "bool"), "boolean"),
    **dict.fromkeys(("array", "list"), "array"),
    **dict.fromkeys(("object", "dict"), "object"),
}
NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
RULE_WORD = re.compile(r"[a-z_/]*\s*(<=|>=|<|>)?")
COUNTS = ("minLength", "maxLength", "minItems", "maxItems")


class Media(Enum):
    """What kind of file a field takes."""

    IMAGE = "picture"
    VIDEO = "video"
    AUDIO = "sound"


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a JSON value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def normalised(raw: object, *, depth: int = 1) -> dict[str, Any]:
    """One schema in plain keywords; combinations are rules, see `rules`."""
    if not isinstance(raw, dict) or depth > MAX_DEPTH:
        return {}
    schema = only_alternative(raw)
    plain = {**_type(schema), **_choices(schema), **_bounds(schema)}
    if isinstance(schema.get("pattern"), str) and _is_pattern(schema["pattern"]):
        plain["pattern"] = schema["pattern"]
    if isinstance(schema.get("format"), str):
        plain["format"] = schema["format"].casefold()
    if isinstance(schema.get("items"), dict):
        plain["items"] = normalised(schema["items"], depth=depth + 1)
    if isinstance(schema.get("properties"), dict):
        plain["properties"] = {str(key): normalised(one, depth=depth + 1) for key, one in schema["properties"].items()}
        listed = schema.get("required")
        plain["required"] = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    if schema.get("default") is not None:
        plain["default"] = schema["default"]
    return plain


def _type(schema: Mapping[str, Any]) -> dict[str, Any]:
    types = _types(schema)
    return {} if not types else {"type": types[0] if len(types) == 1 else list(types)}


def _choices(schema: Mapping[str, Any]) -> dict[str, Any]:
    choices = [schema["const"]] if "const" in schema else schema.get("enum", _alternative_values(schema))
    if not isinstance(choices, list):
        return {}
    kept = [one for number, one in enumerate(choices) if one is not None and one not in choices[:number]]
    return {"enum": kept} if kept else {}


def _alternative_values(schema: Mapping[str, Any]) -> list[Any] | None:
    """The values of `oneOf` or `anyOf`, where each alternative is a list of values; how schemas give values a title."""
    listed = schema.get("oneOf", schema.get("anyOf"))
    if not isinstance(listed, list):
        return None
    values: list[Any] = []
    for one in listed:
        own = None if not isinstance(one, dict) else [one["const"]] if "const" in one else one.get("enum")
        if not isinstance(own, list):
            return None
        values += own
    return values


def _bounds(schema: Mapping[str, Any]) -> dict[str, Any]:
    plain = {key: schema[key] for key in NUMBERS if key in schema and is_number(schema[key])}
    # Draft 4 says with true or false whether a bound itself is excluded.
    for key, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if schema.get(key) is True and bound in plain:
            plain[key] = plain.pop(bound)
    if plain.get("multipleOf", 1) <= 0:
        del plain["multipleOf"]
    for key in COUNTS:
        if key in schema and is_number(schema[key]) and schema[key] >= 0 and schema[key] == int(schema[key]):
            plain[key] = int(schema[key])
    return plain


def only_alternative(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """`anyOf` of one schema and null is that schema."""
    for key in ("anyOf", "oneOf"):
        listed = raw.get(key)
        if isinstance(listed, list):
            real = [one for one in listed if isinstance(one, dict) and one.get("type") != "null"]
            kept = {name: value for name, value in raw.items() if name != key}
            return {**kept, **real[0]} if len(real) == 1 else raw
    return raw


def _types(schema: Mapping[str, Any]) -> tuple[str, ...]:
    stated = schema.get("type")
    listed = stated if isinstance(stated, list) else [stated]
    types = dict.fromkeys(TYPES[one.casefold()] for one in listed if isinstance(one, str) and one.casefold() in TYPES)
    if not types and media_of_format(schema) is not None:
        return ("array",) if str(schema["format"]).casefold().endswith("s") else ("string",)
    return tuple(types)


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


def media_of_format(schema: Mapping[str, Any]) -> Media | None:
    """The kind of file that a schema's `format` names, such as `image_uri` or `image_uris`."""
    match = re.fullmatch(r"(image|video|audio)_ur[il]s?", str(schema.get("format", "")).casefold())
    return None if match is None else {"image": Media.IMAGE, "video": Media.VIDEO, "audio": Media.AUDIO}[match[1]]


def validation_rule(rule: object) -> str:
    """A limit in one form, such as `file_size_mb<10`, from a text or from an object with a name and a number."""
    if isinstance(rule, dict):
        # Beside the rule there may be a sentence for whoever breaks it.
        words = [value for value in rule.values() if isinstance(value, str) and RULE_WORD.fullmatch(value.strip())]
        numbers = [value for value in rule.values() if is_number(value)]
        names = [key for key in rule if any(sign in key for sign in "<>")]
        words = sorted([*names, *words], key=lambda word: not re.match(r"[a-z]", word))
        return re.sub(r"\s", "", "".join(words) + "".join(map(str, numbers[:1])))
    return re.sub(r"\s", "", str(rule))
