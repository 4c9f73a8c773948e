"""What may be submitted: refused at once, or accepted and failed later. Pure functions of the body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .library import picture_size

if TYPE_CHECKING:
    from .options import Options

RETIRED = "The model is no longer available."
WRONG_PIXELS = "Inpaint image must match the requested width and height"


def faults_of(body: object, options: Options) -> list[dict[str, Any]]:
    """Why a body is refused, as the `detail` of a 422; empty if it is accepted."""
    if not isinstance(body, dict):
        return [_fault(None, "Input should be an object")]
    missing = [_fault(key, "Field required") for key in ("prompt", options.model.picture) if key not in body]
    if missing:
        return missing
    faults = _picture_faults(body[options.model.picture], options)
    return faults + (_value_faults(body, options) if options.strict else [])


def doom(body: dict[str, Any], options: Options) -> Any:
    """The `error` an accepted request will end with; None if it will succeed."""
    if options.model_retired == "failed":
        return RETIRED
    if options.failure is not None:
        return options.failure
    model = options.model
    if model.value_faults(body):
        return "Invalid input"
    pixels = picture_size(body[model.picture])
    if model.size is not None and pixels is not None and "{}x{}".format(*pixels) != model.pixels(body):
        return WRONG_PIXELS
    return None


def _fault(key: str | None, message: str) -> dict[str, Any]:
    return {"loc": ["body", key] if key else ["body"], "msg": message, "type": "value_error"}


def _picture_faults(reference: object, options: Options) -> list[dict[str, Any]]:
    if not isinstance(reference, str):
        return [_fault(options.model.picture, "Input should be a valid string")]
    if reference.startswith("https://"):
        return []
    if not options.accept_data_uri or not reference.startswith("data:"):
        return [_fault(options.model.picture, "File inputs must be public HTTPS URLs")]
    try:
        picture_size(reference)
    except ValueError as error:
        return [_fault(options.model.picture, str(error))]
    return []


def _value_faults(body: dict[str, Any], options: Options) -> list[dict[str, Any]]:
    return [_fault(key, message) for key, message in options.model.value_faults(body)]
