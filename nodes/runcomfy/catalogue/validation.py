"""The whole request against the model's schema, before money: what JSON Schema says, in sentences.

Source of the keywords: https://json-schema.org/draft/2020-12/json-schema-validation.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..foreign_text import shown
from .schema import ModelEntry

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

MAX_VIOLATIONS = 5
TEMPLATES = {
    "minimum": "{subject} must be at least {limit}.",
    "maximum": "{subject} must be at most {limit}.",
    "exclusiveMinimum": "{subject} must be more than {limit}.",
    "exclusiveMaximum": "{subject} must be less than {limit}.",
    "multipleOf": "{subject} must be a multiple of {limit}.",
    "minLength": "{subject} needs a length of at least {limit}.",
    "maxLength": "{subject} must have at most {limit} characters.",
    "minItems": "{subject} must have at least {limit} entries.",
    "maxItems": "{subject} must have at most {limit} entries.",
    "pattern": "{subject} must match the pattern {limit}.",
}


def violations(entry: ModelEntry, body: Mapping[str, Any]) -> tuple[str, ...]:
    """What the model's schema has against a request body, a sentence each; none for a good one."""
    try:
        errors = list(_validator(entry.schema_json).iter_errors(dict(body)))
    except (RecursionError, re.error):
        return ("Its own schema refers to itself without end, or holds a broken pattern.",)
    found = sorted(errors, key=lambda error: list(map(str, error.path)))
    return tuple(_sentence(error) for error in found[:MAX_VIOLATIONS])


@functools.lru_cache(maxsize=128)
def _validator(schema_json: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - importing the pack must not load it

    return Draft202012Validator(json.loads(schema_json))


def _sentence(error: ValidationError) -> str:
    path = ".".join(shown(str(part)) for part in error.absolute_path)
    subject = f"'{path}'" if path else "The request"
    keyword: str = str(error.validator)
    limit: Any = error.validator_value
    value: Any = error.instance
    if keyword == "required":
        missing = [str(name) for name in limit if name not in value]
        return f"{subject} lacks {_quoted(missing)}."
    if keyword == "additionalProperties":
        known = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
        unknown = [str(name) for name in value if name not in known]
        near = difflib.get_close_matches(unknown[0], list(known), n=1)
        return f"The model has no {_quoted(unknown)}" + (f"; did you mean '{near[0]}'?" if near else ".")
    words = shown(json.dumps(value, default=str))
    if keyword == "enum":
        return f"{subject} must be one of {', '.join(map(str, limit))}, and is {words}."
    if keyword == "type":
        types = " or ".join(limit) if isinstance(limit, list) else limit
        return f"{subject} must be of type {types}, and is {words}."
    if keyword in TEMPLATES:
        return TEMPLATES[keyword].format(subject=subject, limit=shown(str(limit)))
    return f"{subject} does not fit the model's schema ({keyword})."


def _quoted(names: list[str]) -> str:
    return ", ".join(f"'{shown(name)}'" for name in names)
