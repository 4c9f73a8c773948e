"""The picture that is sent: checked, brought to the exact size, rounded, encoded."""

from __future__ import annotations

import base64
import hashlib
import io
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from PIL import Image

from ..errors import InvalidInputError
from . import FITS, memory
from .light import to_eight_bit, to_light

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

MAX_PICTURE_BYTES = 6 * 1024 * 1024
_JPEG_QUALITY = 95
_PREVIEW_QUALITY = 85
_PNG_FRAME_BYTES = 4096  # what stands around the rows, with room to spare
_CHANNELS = (1, 3, 4)
_SAME_SHAPE = 0.02  # log of the ratio of two aspect ratios: 16:9 and 7:4 look alike
_BLUR_SHRINK = 8  # the blurred ground is made at an eighth of the size
_BLUR_SIGMA = 1 / 24  # of its shorter side
_BAND_PIXELS = 1 << 18  # of a picture that are worked on at a time: a large one would not fit into memory several times
_WORKERS = min(4, os.cpu_count() or 1)  # bring bands to linear light
_REACH = 3  # of the wider of the two filters, in pixels of the smaller picture
_BYTES_PER_VALUE = 4  # float32
_UNPROVEN_BYTES = 256 * 1024**2  # what may be taken without asking for it
_FEED = "Connect the IMAGE output of a node such as Load Image."


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """A picture ready to be sent.

    Attributes:
        data: The bytes of the PNG or JPEG.
        media_type: "image/png" or "image/jpeg".
        width: Pixels.
        height: Pixels.
        pixels_sha256: Identity of the fitted 8-bit pixels and their shape, whatever the encoding.
    """

    data: bytes
    media_type: str
    width: int
    height: int
    pixels_sha256: str

    def data_uri(self) -> str:
        """Return it as one line of text."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode('ascii')}"


def check_batch(image: torch.Tensor, *, max_clips: int, name: str = "image") -> int:
    """Return the number of pictures in a ComfyUI IMAGE [B, H, W, C].

    Raises:
        InvalidInputError: It is not a usable IMAGE, or holds more than `max_clips` pictures.
    """
    if not isinstance(image, torch.Tensor):
        raise InvalidInputError(
            f"The input '{name}' is not a ComfyUI IMAGE: it is a {type(image).__name__}.", remedy=_FEED
        )
    if image.is_nested or image.layout != torch.strided or image.is_meta:
        raise InvalidInputError(
            f"The input '{name}' is not a ComfyUI IMAGE: it is a tensor without pixels in a grid "
            f"({image.layout}, on the device {image.device}).",
            remedy=_FEED,
        )
    shape = tuple(image.shape)
    if len(shape) != 4:  # noqa: PLR2004 - batch, height, width, channels
        raise InvalidInputError(
            f"The input '{name}' is not a ComfyUI IMAGE [batch, height, width, channels]: its shape is {list(shape)}.",
            remedy=_FEED,
        )
    if 0 in shape:
        raise InvalidInputError(
            f"The input '{name}' holds no pixels (its shape is {list(shape)}).",
            remedy="Look at the node that feeds it: it gave an empty picture.",
        )
    if shape[3] not in _CHANNELS:
        raise InvalidInputError(
            f"The input '{name}' has {shape[3]} channels; 1 (grey), 3 (RGB) and 4 (RGB with alpha) can be used.",
            remedy="Convert it to RGB first.",
        )
    if not image.is_floating_point():
        raise InvalidInputError(
            f"The input '{name}' holds {image.dtype} instead of numbers between 0 and 1.",
            remedy="Divide the values by their maximum first, as ComfyUI's own nodes do.",
        )
    if not _is_finite(image, name):
        raise InvalidInputError(
            f"The input '{name}' holds values that are not numbers (NaN or infinity).",
            remedy="Look at the node that feeds it: a black preview is a common sign of a failed VAE decode.",
        )
    if shape[0] > max_clips:
        raise InvalidInputError(
            f"The input '{name}' holds {shape[0]} pictures: {shape[0]} clips and, unless you rehearse, {shape[0]} charges. But "
            f"'max_clips' is {max_clips}.",
            remedy="Raise 'max_clips' to have one clip of each, or pick one picture from the batch.",
        )
    return int(shape[0])


def _is_finite(image: torch.Tensor, name: str) -> bool:
    """Return whether every value of a batch is a number.

    Raises:
        InvalidInputError: PyTorch cannot read the values.
    """
    try:
        return all(
            math.isfinite(extreme)
            for picture in image
            for rows in _bands(picture)
            for extreme in _extremes(picture[rows])
        )
    except (RuntimeError, TypeError, ValueError) as error:
        raise InvalidInputError(
            f"The values of the input '{name}' cannot be read ({image.dtype} on the device {image.device}).",
            remedy="Convert it to float32 on the CPU first.",
        ) from error


def _bands(picture: torch.Tensor) -> Iterator[slice]:
    """Yield slices of rows that make up a picture [H, W, C]."""
    height, width = picture.shape[:2]
    count = max(1, _BAND_PIXELS // width)
    for top in range(0, height, count):
        yield slice(top, min(top + count, height))


def _extremes(values: torch.Tensor) -> tuple[float, float]:
    """Return the least and the largest of some values; both are NaN if one of them is."""
    # Not every kind of number can be compared; in float32 all can, but only float64 holds every float64.
    values = values.detach() if values.dtype == torch.float64 else values.detach().float()
    least, most = values.aminmax()
    return float(least), float(most)


def nearest_size(image: torch.Tensor, sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the (width, height) out of `sizes` that changes the picture least.

    The shape decides first; among sizes of about the same shape, the number of pixels.

    Args:
        image: A picture [H, W, C] or a batch [B, H, W, C].
        sizes: The sizes to choose from, not empty.
    """
    height, width = image.shape[-3:-1]

    def distortion(size: tuple[int, int]) -> float:
        return abs(math.log(size[0] * height / (size[1] * width)))

    def enlargement(size: tuple[int, int]) -> float:
        return abs(math.log(size[0] * size[1] / (width * height)))

    least = min(map(distortion, sizes))
    return min((size for size in sizes if distortion(size) <= least + _SAME_SHAPE), key=enlargement)


def fit(picture: torch.Tensor, size: tuple[int, int], fit: str) -> NDArray[np.uint8]:
    """Bring one picture to exactly `size`.

    Scaling is done in linear light, so that fine patterns keep their brightness, and with a filter as wide as the
    reduction, so that they leave no moire. A picture that has the size already is only rounded to 8 bits.

    Args:
        picture: [H, W, C], floating, 0..1; one channel is repeated, alpha is composited on black.
        size: (width, height).
        fit: One of `FITS`.

    Returns:
        [height, width, 3] uint8 RGB.

    Raises:
        InvalidInputError: `fit` is not one of `FITS`.
    """
    if fit not in FITS:
        raise InvalidInputError(f"'{fit}' is not a way to fit a picture.", remedy=f"Choose one of: {', '.join(FITS)}.")
    if tuple(picture.shape[:2]) == size[::-1]:
        return np.rint(_rgb(picture) * 255).astype(np.uint8)
    _check_room(picture)
    light = _light_of(picture)
    if fit == "stretch":
        fitted = _scaled(light, size)
    elif fit == "crop":
        fitted = _covering(light, size)
    else:
        fitted = np.zeros((*size[::-1], 3), np.float32) if fit == "pad" else _blurred(light, size)
        _place_inside(light, fitted)
    return to_eight_bit(fitted)


def encode(pixels: NDArray[np.uint8], *, max_bytes: int = MAX_PICTURE_BYTES) -> EncodedImage:
    """Encode a picture [H, W, 3] that has the size already: the same pixels give the same bytes.

    Args:
        pixels: RGB, as `fit` returns them.
        max_bytes: A PNG larger than this gives way to a JPEG of quality 95 without chroma subsampling.
    """
    data, media_type = _encoded(pixels, "PNG"), "image/png"
    if len(data) > max_bytes:
        data = _encoded(pixels, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
        media_type = "image/jpeg"
    return EncodedImage(data, media_type, pixels.shape[1], pixels.shape[0], pixels_sha256(pixels))


def pixels_sha256(pixels: NDArray[np.uint8]) -> str:
    """Return the identity of a fitted picture [H, W, 3]: that of its pixels and their shape."""
    digest = hashlib.sha256(repr(pixels.shape).encode("ascii"))
    digest.update(np.ascontiguousarray(pixels).reshape(-1).data)
    return digest.hexdigest()


def most_png_bytes(size: tuple[int, int]) -> int:
    """Return what no PNG of a picture of `size` (width, height) is larger than, whatever it shows.

    Before deflating, a row has a byte for its filter and three for each pixel (https://www.w3.org/TR/png-3/#7Scanline). The
    worst deflate can make of a byte are the 9 bits of its fixed codes (RFC 1951, 3.2.6).
    """
    width, height = size
    rows_bytes = height * (1 + 3 * width)
    return rows_bytes + rows_bytes // 8 + _PNG_FRAME_BYTES


def small_jpeg(pixels: NDArray[np.uint8], most_pixels: int) -> bytes:
    """Return a picture [H, W, 3] as a JPEG whose longer side has at most this many pixels."""
    small, buffer = Image.fromarray(pixels), io.BytesIO()
    small.thumbnail((most_pixels, most_pixels))
    small.save(buffer, "JPEG", quality=_PREVIEW_QUALITY)
    return buffer.getvalue()


def rgb_of(data: bytes) -> NDArray[np.uint8]:
    """Return the pixels [H, W, 3] of an encoded picture."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def _check_room(picture: torch.Tensor) -> None:
    """Refuse a picture that would end the process: one of its colours is held twice more, and Pillow scales it.

    Raises:
        NotEnoughRoomError: It does not fit into memory.
    """
    height, width = picture.shape[:2]
    needed_bytes = 2 * width * height * _BYTES_PER_VALUE
    if needed_bytes > _UNPROVEN_BYTES:
        memory.check_room(
            needed_bytes,
            refusal=f"Scaling the picture of {width} x {height} pixels takes {{needed}} GiB of memory, but only {{free}} GiB are "
            "free.",
            remedy="Make the picture smaller first, for instance with ComfyUI's Upscale Image node, or free memory.",
        )


def _encoded(pixels: NDArray[np.uint8], kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def _rgb(picture: torch.Tensor) -> NDArray[np.float32]:
    values: NDArray[np.float32] = picture.detach().float().cpu().clamp(0, 1).numpy()
    if values.shape[2] == 4:  # noqa: PLR2004 - red, green, blue, alpha
        return values[..., :3] * values[..., 3:]
    return np.broadcast_to(values, (*values.shape[:2], 3))


def _colour(picture: torch.Tensor, number: int) -> NDArray[np.float32]:
    """Return one colour of a picture [H, W, C]: [H, W], where values outside of 0..1 may be left."""
    if picture.shape[2] == 4:  # noqa: PLR2004 - as above
        return np.ascontiguousarray(_rgb(picture)[..., number])
    values = picture[..., number if picture.shape[2] > 1 else 0]
    return np.ascontiguousarray(values.detach().float().cpu().numpy())


@dataclass(frozen=True, slots=True)
class _Light:
    """A picture in linear light: an image of floats for each colour, made when it is asked for, to hold one at a time.

    Attributes:
        size: (width, height).
        channel: Returns red, green or blue (0, 1 or 2), of which only the given rows are needed.
    """

    size: tuple[int, int]
    channel: Callable[[int, range], Image.Image]


def _light_of(picture: torch.Tensor) -> _Light:
    size = (picture.shape[1], picture.shape[0])
    band_rows = max(1, _BAND_PIXELS // size[0])

    def channel(number: int, rows: range) -> Image.Image:
        light = Image.new("F", size, None)

        def fill(top: int) -> None:
            band = picture[top : min(top + band_rows, rows.stop)]
            light.paste(Image.fromarray(to_light(_colour(band, number))), (0, top))

        with ThreadPoolExecutor(_WORKERS, "sora2pro-light") as pool:
            list(pool.map(fill, rows[::band_rows]))
        return light

    return _Light(size, channel)


def _scaled(
    light: _Light, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> NDArray[np.float32]:
    """Scale the part of the picture inside `box` (left, top, right, bottom; all of it by default) to `size`.

    Pillow scales a whole colour at once: which direction it scales first depends on its version and the sizes, and the last
    bits, so that the pixels that bought clips are found by, on that.
    """
    left, top, right, bottom = box or (0, 0, *light.size)
    shrinks = size[0] < right - left or size[1] < bottom - top
    kernel = Image.Resampling.LANCZOS if shrinks else Image.Resampling.BICUBIC
    reach = math.ceil(_REACH * max(1.0, (bottom - top) / size[1])) + 1
    rows = range(max(0, int(top) - reach), min(light.size[1], math.ceil(bottom) + reach))
    return np.stack([np.asarray(light.channel(number, rows).resize(size, kernel, box)) for number in range(3)], axis=2)


def _covering(light: _Light, size: tuple[int, int]) -> NDArray[np.float32]:
    """Scale the largest centred part of the picture that has the shape of `size`."""
    width, height = light.size
    scale = max(size[0] / width, size[1] / height)
    inner_width, inner_height = min(size[0] / scale, width), min(size[1] / scale, height)
    left, top = (width - inner_width) / 2, (height - inner_height) / 2
    return _scaled(light, size, (left, top, left + inner_width, top + inner_height))


def _blurred(light: _Light, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return the ground of 'blur pad': the picture, covering all of `size`, far out of focus."""
    small = (max(1, size[0] // _BLUR_SHRINK), max(1, size[1] // _BLUR_SHRINK))
    ground = _covering(light, small)
    soft = np.asarray(
        cv2.GaussianBlur(ground, (0, 0), min(small) * _BLUR_SIGMA, borderType=cv2.BORDER_REPLICATE), np.float32
    )
    return _scaled(_Light(small, lambda number, _rows: Image.fromarray(np.ascontiguousarray(soft[..., number]))), size)


def _place_inside(light: _Light, ground: NDArray[np.float32]) -> None:
    """Scale the whole picture to the largest size inside `ground`, and put it into the middle."""
    height, width = ground.shape[:2]
    scale = min(width / light.size[0], height / light.size[1])
    inner_width = max(1, min(width, round(light.size[0] * scale)))
    inner_height = max(1, min(height, round(light.size[1] * scale)))
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    ground[top : top + inner_height, left : left + inner_width] = _scaled(light, (inner_width, inner_height))
