"""What may be submitted: refused at once, or accepted and failed later. Pure functions of the body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .library import picture_size
from .schemas import absent, media_faults, value_faults

if TYPE_CHECKING:
    from .models import Model
    from .offers import Offer
    from .options import Options

RETIRED = "The model is no longer available."
WRONG_PIXELS = "Inpaint image must match the requested width and height"


def faults_of(body: object, offer: Offer, options: Options) -> list[dict[str, Any]]:
    """Why a body is refused, as the `detail` of a 422; empty if it is accepted."""
    if not isinstance(body, dict):
        return [_fault(None, "Input should be an object")]
    faults = absent(offer.model, body)
    if not faults:
        takes_data_uri = options.accept_data_uri and offer.quirk.takes_data_uri
        faults = media_faults(offer.model, body, takes_data_uri=takes_data_uri)
        faults += value_faults(offer.model, body) if options.strict else []
    return [_fault(key, message) for key, message in faults]


def doom(body: dict[str, Any], offer: Offer, options: Options) -> Any:
    """The `error` an accepted request will end with; None if it will succeed."""
    if offer.quirk.retired == "failed":
        return RETIRED
    if options.failure is not None:
        return options.failure
    if value_faults(offer.model, body):
        return "Invalid input"
    return WRONG_PIXELS if _is_of_other_pixels(body, offer.model) else None


def _is_of_other_pixels(body: dict[str, Any], model: Model) -> bool:
    if "size" not in model.roles:
        return False
    pixels = picture_size(body[model.picture])
    return pixels is not None and "{}x{}".format(*pixels) != model.pixels(body)


def _fault(key: str | None, message: str) -> dict[str, Any]:
    return {"loc": ["body", key] if key else ["body"], "msg": message, "type": "value_error"}
