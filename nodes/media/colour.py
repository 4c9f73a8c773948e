"""Decoded pictures to RGB, by the matrix and range of the clip and in exact arithmetic.

FFmpeg's own converter is not used for YUV: what it makes of matrix and range depends on its version, and it rounds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from av import VideoFrame
    from numpy.typing import NDArray

# ITU-T H.273, matrix coefficients: the weights of red and blue in luma.
_BT709, _BT601 = (0.2126, 0.0722), (0.299, 0.114)
_WEIGHTS = {
    1: _BT709,
    4: (0.30, 0.11),
    5: _BT601,
    6: _BT601,
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_HD_WIDTH, _SD_HEIGHT = 1280, 576
_PLANAR_YUV = re.compile(r"yuvj?4(?:20|22|44)p(?:9|10|12|14|16)?(?:le)?")
_BYTE = 8
_BAND_ROWS = 64  # rows converted at a time, so that the intermediate values stay in the processor's cache; even


@dataclass(frozen=True, slots=True)
class Coefficients:
    """How to get from the code values of a picture to RGB 0..1.

    Attributes:
        luma: RGB per unit of Y.
        blue: RGB per unit of Cb.
        red: RGB per unit of Cr.
        offset: RGB where all three are 0.
    """

    luma: float
    blue: tuple[float, float, float]
    red: tuple[float, float, float]
    offset: tuple[float, float, float]


def coefficients(weights: tuple[float, float], bits: int, *, is_full_range: bool) -> Coefficients:
    """Return the coefficients for the weights of red and blue in luma, and the bits of a sample."""
    step = 1 << (bits - 8)
    luma_zero, luma_span, chroma_span = (
        (0, 256 * step - 1, 256 * step - 1) if is_full_range else (16 * step, 219 * step, 224 * step)
    )
    kr, kb = weights
    kg = 1 - kr - kb
    blue = (0.0, -2 * kb * (1 - kb) / kg / chroma_span, 2 * (1 - kb) / chroma_span)
    red = (2 * (1 - kr) / chroma_span, -2 * kr * (1 - kr) / kg / chroma_span, 0.0)
    offset = [-luma_zero / luma_span - 128 * step * (b + r) for b, r in zip(blue, red, strict=True)]
    return Coefficients(1 / luma_span, blue, red, (offset[0], offset[1], offset[2]))


def weights_of(frame: VideoFrame) -> tuple[float, float]:
    """Return the weights of red and blue in luma: by the frame's tag, else by its size, as players do."""
    untagged = _BT709 if frame.width >= _HD_WIDTH or frame.height > _SD_HEIGHT else _BT601
    return _WEIGHTS.get(int(frame.colorspace), untagged)


def is_full_range(frame: VideoFrame) -> bool:
    """Return whether black is 0 and white the largest code value."""
    return int(frame.color_range) == _FULL_RANGE or frame.format.name.startswith("yuvj")


def write_rgb(frame: VideoFrame, out: NDArray[np.float32]) -> None:
    """Write a decoded picture into `out`: [H, W, 3] float32, 0..1."""
    if not _PLANAR_YUV.fullmatch(frame.format.name):
        _write_other(frame, out)
        return
    luma, blue, red = _planes(frame)
    values = coefficients(weights_of(frame), frame.format.components[0].bits, is_full_range=is_full_range(frame))
    for top in range(0, frame.height, _BAND_ROWS):
        bottom = min(top + _BAND_ROWS, frame.height)
        _write_band(
            luma[top:bottom],
            _chroma_band(blue, luma.shape, top, bottom),
            _chroma_band(red, luma.shape, top, bottom),
            values,
            out[top:bottom],
        )


def _planes(frame: VideoFrame) -> list[NDArray[np.unsignedinteger]]:
    kind = np.dtype("u1" if frame.format.components[0].bits == _BYTE else "<u2")
    return [
        np.frombuffer(memoryview(plane), kind).reshape(plane.height, plane.line_size // kind.itemsize)[:, : plane.width]
        for plane in frame.planes
    ]


def _chroma_band(
    plane: NDArray[np.unsignedinteger], shape: tuple[int, ...], top: int, bottom: int
) -> NDArray[np.float32]:
    """Return the chroma of the rows `top` to `bottom` at full size: sited left, bilinear in between."""
    height, width = shape
    band: NDArray[np.float32]
    if plane.shape[0] < height:
        rows = (np.arange(top, bottom) - 0.5) / 2
        above = np.floor(rows).astype(int)
        share = (rows - above).astype(np.float32)[:, None]
        band = plane[above.clip(0)] * (1 - share) + plane[(above + 1).clip(max=plane.shape[0] - 1)] * share
    else:
        band = plane[top:bottom].astype(np.float32)
    if plane.shape[1] < width:
        wide = np.empty((bottom - top, 2 * band.shape[1]), np.float32)
        wide[:, 0::2] = band
        wide[:, 1:-1:2] = (band[:, :-1] + band[:, 1:]) / 2
        wide[:, -1] = band[:, -1]
        return wide[:, :width]
    return band


def _write_band(
    luma: NDArray[np.unsignedinteger],
    blue: NDArray[np.float32],
    red: NDArray[np.float32],
    values: Coefficients,
    out: NDArray[np.float32],
) -> None:
    grey = luma * np.float32(values.luma)
    for channel in range(3):
        colour = grey + values.offset[channel]
        if values.blue[channel]:
            colour += np.float32(values.blue[channel]) * blue
        if values.red[channel]:
            colour += np.float32(values.red[channel]) * red
        np.clip(colour, 0, 1, out=out[..., channel])


def _write_other(frame: VideoFrame, out: NDArray[np.float32]) -> None:
    """RGB formats, and the rare packed ones."""
    deep = max(component.bits for component in frame.format.components) > _BYTE
    array = frame.to_ndarray(format="rgb48le" if deep else "rgb24")
    np.multiply(array, np.float32(1 / (65535 if deep else 255)), out=out)
