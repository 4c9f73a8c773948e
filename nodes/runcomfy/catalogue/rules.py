"""What a schema demands besides the plain keywords of its fields: references, combinations, conditions. Pure.

They are kept as they are written, but for the names of types. Rules that cannot be followed are left to RunComfy.
Keywords: https://json-schema.org/draft/2020-12/json-schema-core#section-10.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .quirks import TYPES, only_alternative

MAX_DEPTH = 30
MAX_REFERENCES = 6
DEFINITIONS = ("$defs", "definitions")
RULES = frozenset(
    {
        *("allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
        *("dependentRequired", "dependentSchemas"),
        *("minProperties", "maxProperties", "patternProperties", "propertyNames"),
        *("uniqueItems", "contains", "minContains", "maxContains", "prefixItems"),
    }
)


def resolved(raw: object, root: Mapping[str, Any]) -> object:
    """A field's schema with the definition that it refers to, alone or as the only one of `allOf`, put in its place."""
    for _ in range(MAX_REFERENCES):
        if not isinstance(raw, dict):
            return raw
        combined = raw.get("allOf")
        if isinstance(combined, list) and len(combined) == 1 and isinstance(combined[0], dict):
            raw = {**combined[0], **{key: value for key, value in raw.items() if key != "allOf"}}
        elif isinstance(raw.get("$ref"), str):
            target = _definition(raw["$ref"], root)
            raw = {**target, **{key: value for key, value in raw.items() if key != "$ref"}}
        else:
            return raw
    return {}


def rules_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The rules of a whole input schema, and what they refer to, as keywords to add; empty where there are none to follow."""
    found = {key: schema[key] for key in RULES if key in schema}
    older = _as_dependent(schema.get("dependencies"))
    fields = {
        str(name): {key: value for key, value in only_alternative(one).items() if key in RULES}
        for name, one in schema.get("properties", {}).items()
        if isinstance(one, dict)
    }
    if any(fields.values()):
        found["properties"] = {name: rules for name, rules in fields.items() if rules}
    if not found and not older:
        return {}
    definitions = {key: schema[key] for key in DEFINITIONS if isinstance(schema.get(key), dict)}
    whole = _plain({"allOf": [found, older], **definitions})
    return whole if isinstance(whole, dict) and _can_be_followed(whole) else {}


def _as_dependent(dependencies: object) -> dict[str, Any]:
    """`dependencies` of Draft 7, which the present draft has as two keywords."""
    pairs = dependencies.items() if isinstance(dependencies, dict) else ()
    required = {name: value for name, value in pairs if isinstance(value, list)}
    schemas = {name: value for name, value in pairs if isinstance(value, dict)}
    return {"dependentRequired": required, "dependentSchemas": schemas} if required or schemas else {}


def _definition(reference: str, root: Mapping[str, Any]) -> dict[str, Any]:
    place, _, name = reference.removeprefix("#/").partition("/")
    found = root.get(place, {}).get(name) if place in DEFINITIONS and isinstance(root.get(place), dict) else None
    return found if isinstance(found, dict) else {}


def _plain(value: object, depth: int = 0) -> object:
    """A copy with the names of types as JSON Schema has them; names that mean nothing go."""
    if depth > MAX_DEPTH:
        raise ValueError("the schema is nested too deeply")
    if isinstance(value, list):
        return [_plain(one, depth + 1) for one in value]
    if not isinstance(value, dict):
        return value
    plain = {str(key): _plain(one, depth + 1) for key, one in value.items()}
    stated = value.get("type")
    if isinstance(stated, str | list):
        listed = stated if isinstance(stated, list) else [stated]
        names = [TYPES.get(one.casefold(), one) for one in listed if isinstance(one, str)]
        plain["type"] = names if isinstance(stated, list) else names[0]
    return plain


def _can_be_followed(schema: Mapping[str, Any]) -> bool:
    """Whether it is a schema, and refers to nothing but its own definitions: no address is ever asked for one."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - importing the pack must not load it
    from jsonschema.exceptions import SchemaError  # noqa: PLC0415 - as above

    if any(not _definition(one, schema) for one in _references(schema)):
        return False
    try:
        Draft202012Validator.check_schema(schema)
        any(Draft202012Validator(schema).iter_errors({}))
    except (SchemaError, RecursionError, re.error):
        return False
    return True


def _references(value: object) -> list[str]:
    if isinstance(value, list):
        return [found for one in value for found in _references(one)]
    if not isinstance(value, dict):
        return []
    own = [str(value[key]) for key in ("$ref", "$dynamicRef", "$recursiveRef", "$id", "$schema") if key in value]
    return own + [found for one in value.values() for found in _references(one)]
