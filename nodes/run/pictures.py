"""A picture in its own shape, within what a model accepts: reduced where a limit in pixels or bytes asks for it."""

from __future__ import annotations

import logging
import math
import sys
from typing import TYPE_CHECKING

from ..errors import InvalidInputError
from ..runcomfy import Limit, Picture, Size, broken_limits

if TYPE_CHECKING:
    import torch

    from ..media.picture import EncodedImage

REDUCTIONS = 12  # at most; each takes at least a tenth off
LEAST_REDUCTION = 0.9
UPPER = frozenset({"<", "<="})
BYTES_PER_MB = 1_000_000
logger = logging.getLogger("runcomfy.sora2pro.pictures")


def size_within(size: Size, limits: tuple[Limit, ...], widget: str) -> Size:
    """The largest size of the same shape that keeps to all limits but that in bytes.

    Raises:
        InvalidInputError: There is none.
    """
    factors = [1.0]
    for one in limits:
        side = {"width_pixels": size.width, "height_pixels": size.height}.get(one.subject)
        if side is not None and one.comparison in UPPER:
            most = math.ceil(one.bound) - 1 if one.comparison == "<" else math.floor(one.bound)
            factors.append(most / side)
    smaller = size if min(factors) >= 1 else scaled(size, min(factors))
    broken = broken_limits(limits, smaller, 0)
    if broken:
        raise InvalidInputError(
            f"The model does not accept the picture of '{widget}', which has {size} pixels. It asks for: "
            f"{', '.join(map(str, broken))}.",
            remedy="Crop or scale the picture first.",
        )
    return smaller


def scaled(size: Size, factor: float) -> Size:
    """A size of the same shape, rounded down."""
    return Size(max(1, int(size.width * factor)), max(1, int(size.height * factor)))


def encoded(picture: torch.Tensor, limits: tuple[Limit, ...], widget: str) -> Picture:
    """One picture [H, W, C] as a PNG in a data URI; raises what `reduced` does."""
    image = reduced(picture, limits, widget)
    return Picture(value=image.data_uri(), identity=image.pixels_sha256)


def reduced(picture: torch.Tensor, limits: tuple[Limit, ...], widget: str) -> EncodedImage:
    """One picture [H, W, C] as a PNG that the model accepts.

    Raises:
        InvalidInputError: The model does not accept it at any size.
    """
    from ..media.picture import encode, fit  # noqa: PLC0415 - OpenCV and Pillow are loaded when a node runs

    own = Size(picture.shape[1], picture.shape[0])
    size = size_within(own, limits, widget)
    for _ in range(REDUCTIONS):
        image = encode(fit(picture, size, "stretch"), max_bytes=sys.maxsize)
        broken = broken_limits(limits, size, len(image.data))
        if not broken:
            if size != own:
                logger.info("The picture of '%s' was reduced from %s to %s pixels for the model.", widget, own, size)
            return image
        most_bytes = min(one.bound for one in broken) * BYTES_PER_MB
        factor = min(LEAST_REDUCTION, LEAST_REDUCTION * math.sqrt(most_bytes / len(image.data)))
        size = size_within(scaled(size, factor), limits, widget)
    raise InvalidInputError(
        f"The picture of '{widget}' cannot be made small enough for the model: it asks for "
        f"{', '.join(map(str, broken))}.",
        remedy="Use a picture with fewer pixels.",
    )
