"""`extra_json`: further fields of a model, as the user wrote them. Pure."""

from __future__ import annotations

import json
import math
from typing import Any

from ...errors import InvalidInputError
from ..foreign_text import shown

REMEDY = "Write 'extra_json' as one JSON object of further fields of the model, or leave it empty."


def parse_extra_json(text: str) -> dict[str, Any]:
    """The further fields; none for an empty text.

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
            f"'extra_json' is not valid JSON (line {error.lineno}, column {error.colno}).", remedy=REMEDY
        ) from None
    except InvalidInputError:
        raise
    except (RecursionError, ValueError):
        raise InvalidInputError(
            "'extra_json' cannot be read: it is nested too deeply, or holds too long a number.", remedy=REMEDY
        ) from None
    if not isinstance(value, dict):
        raise InvalidInputError("'extra_json' is not a JSON object.", remedy=REMEDY)
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
