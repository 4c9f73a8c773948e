"""A picture in its own shape, within what a model accepts: reduced where a limit in pixels or bytes asks for it."""

from __future__ import annotations

import logging
import math
import sys
import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import InvalidInputError
from ..runcomfy import Limit, Size, broken_limits

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from ..media.picture import EncodedImage

REDUCTIONS = 12  # at most; each takes at least a tenth off
LEAST_REDUCTION = 0.9
UPPER = frozenset({"<", "<="})
BYTES_PER_MB = 1_000_000
SIZES_KEPT = 256
logger = logging.getLogger("runcomfy.sora2pro.pictures")


@dataclass(frozen=True, slots=True)
class FittedPicture:
    """A picture as a model gets it. It is encoded when it is sent: most runs are served from the journal and send nothing.

    Attributes:
        identity: The SHA-256 of the 8-bit pixels.
        size: Of these pixels.
        held: The pixels [H, W, 3] RGB, which nobody changes; or the encoded picture, where that had to be made already.
        max_bytes: A PNG larger than this gives way to a JPEG.
    """

    identity: str
    size: Size
    held: NDArray[np.uint8] | EncodedImage = field(repr=False, compare=False)
    max_bytes: int = sys.maxsize

    @classmethod
    def of(cls, pixels: NDArray[np.uint8], *, max_bytes: int = sys.maxsize) -> FittedPicture:
        """The picture that has these pixels."""
        from ..media.picture import pixels_sha256  # noqa: PLC0415 - OpenCV and Pillow are loaded when a node runs

        return cls(pixels_sha256(pixels), Size(pixels.shape[1], pixels.shape[0]), pixels, max_bytes)

    @property
    def value(self) -> str:
        """What is sent: a data URI, made now."""
        from ..media.picture import EncodedImage, encode  # noqa: PLC0415 - as above

        held = self.held
        return (held if isinstance(held, EncodedImage) else encode(held, max_bytes=self.max_bytes)).data_uri()

    def pixels(self) -> NDArray[np.uint8]:
        """The pixels [H, W, 3]."""
        from ..media.picture import EncodedImage, rgb_of  # noqa: PLC0415 - as above

        return rgb_of(self.held.data) if isinstance(self.held, EncodedImage) else self.held


class KnownSizes:
    """The sizes at which pictures were found to keep to a limit in bytes: to find one out takes an encoding or more.

    Args:
        kept: How many are remembered.
    """

    def __init__(self, kept: int = SIZES_KEPT) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._sizes: OrderedDict[Hashable, Size] = OrderedDict()

    def find(self, key: Hashable) -> Size | None:
        """The size of a picture; None where it is not remembered."""
        with self._lock:
            return self._sizes.get(key)

    def remember(self, key: Hashable, size: Size) -> None:
        """Keep the size of a picture, and forget the oldest where there are too many."""
        with self._lock:
            self._sizes[key] = size
            while len(self._sizes) > self._kept:
                self._sizes.popitem(last=False)


SIZES = KnownSizes()


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


def fit_to_limits(picture: torch.Tensor, limits: tuple[Limit, ...], widget: str) -> FittedPicture:
    """One picture [H, W, C] that the model accepts as a PNG.

    Raises:
        InvalidInputError: The model does not accept it at any size.
    """
    own = Size(picture.shape[1], picture.shape[0])
    found = _within(picture, limits, widget, size_within(own, limits, widget))
    if found.size != own:
        logger.info("The picture of '%s' was reduced from %s to %s pixels for the model.", widget, own, found.size)
    return found


def _within(picture: torch.Tensor, limits: tuple[Limit, ...], widget: str, size: Size) -> FittedPicture:
    """The picture at a size or, where its bytes are too many, at the next smaller one at which they are not."""
    from ..media.picture import encode, fit, most_png_bytes  # noqa: PLC0415 - OpenCV and Pillow are loaded when a node runs

    fitted = FittedPicture.of(fit(picture, size, "stretch"))
    if not broken_limits(limits, size, most_png_bytes(size)):
        return fitted
    key = (picture.shape, fitted.identity, limits)
    known = SIZES.find(key)
    if known is not None:
        return fitted if known == size else FittedPicture.of(fit(picture, known, "stretch"))
    pixels = fitted.pixels()
    for _ in range(REDUCTIONS):
        image = encode(pixels, max_bytes=sys.maxsize)
        broken = broken_limits(limits, size, len(image.data))
        if not broken:
            SIZES.remember(key, size)
            return FittedPicture(image.pixels_sha256, size, image)
        most_bytes = min(one.bound for one in broken) * BYTES_PER_MB
        factor = min(LEAST_REDUCTION, LEAST_REDUCTION * math.sqrt(most_bytes / len(image.data)))
        size = size_within(scaled(size, factor), limits, widget)
        pixels = fit(picture, size, "stretch")
    raise InvalidInputError(
        f"The picture of '{widget}' cannot be made small enough for the model: it asks for "
        f"{', '.join(map(str, broken))}.",
        remedy="Use a picture with fewer pixels.",
    )
