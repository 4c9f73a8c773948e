"""What may be submitted: refused at once, or accepted and failed later. Pure functions of the body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .library import picture_size
from .options import DEFAULT_SECONDS, DEFAULT_SIZE, SECONDS, SIZES

if TYPE_CHECKING:
    from .options import Options

MAX_PROMPT_CHARS = 32_000
RETIRED = "The model is no longer available."
WRONG_PIXELS = "Inpaint image must match the requested width and height"


def faults_of(body: object, options: Options) -> list[dict[str, Any]]:
    """Why a body is refused, as the `detail` of a 422; empty if it is accepted."""
    if not isinstance(body, dict):
        return [_fault(None, "Input should be an object")]
    missing = [_fault(key, "Field required") for key in ("prompt", "input_reference") if key not in body]
    if missing:
        return missing
    faults = _reference_faults(body["input_reference"], options)
    return faults + (_value_faults(body) if options.strict else [])


def doom(body: dict[str, Any], options: Options) -> Any:
    """The `error` an accepted request will end with; None if it will succeed."""
    if options.model_retired == "failed":
        return RETIRED
    if options.failure is not None:
        return options.failure
    if _value_faults(body):
        return "Invalid input"
    pixels = picture_size(body["input_reference"])
    if pixels is not None and "{}x{}".format(*pixels) != body.get("size", DEFAULT_SIZE):
        return WRONG_PIXELS
    return None


def _fault(key: str | None, message: str) -> dict[str, Any]:
    return {"loc": ["body", key] if key else ["body"], "msg": message, "type": "value_error"}


def _reference_faults(reference: object, options: Options) -> list[dict[str, Any]]:
    if not isinstance(reference, str):
        return [_fault("input_reference", "Input should be a valid string")]
    if reference.startswith("https://"):
        return []
    if not options.accept_data_uri or not reference.startswith("data:"):
        return [_fault("input_reference", "File inputs must be public HTTPS URLs")]
    try:
        picture_size(reference)
    except ValueError as error:
        return [_fault("input_reference", str(error))]
    return []


def _value_faults(body: dict[str, Any]) -> list[dict[str, Any]]:
    prompt, size, seconds = body["prompt"], body.get("size", DEFAULT_SIZE), body.get("seconds", DEFAULT_SECONDS)
    faults = []
    if not isinstance(prompt, str) or not 0 < len(prompt) <= MAX_PROMPT_CHARS:
        faults.append(_fault("prompt", f"Input should have 1 to {MAX_PROMPT_CHARS} characters"))
    if size not in SIZES:
        faults.append(_fault("size", f"Input should be one of {', '.join(SIZES)}"))
    if type(seconds) is not int or seconds not in SECONDS:
        faults.append(_fault("seconds", "Input should be the integer 4, 8 or 12"))
    return faults
