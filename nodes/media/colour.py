"""Decoded pictures to RGB: by the matrix and range of the clip, in floating point, chroma where H.264 puts it.

FFmpeg's own converter is not used for YUV. What it makes of matrix and range depends on its version, and it rounds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.plane import VideoPlane
    from numpy.typing import NDArray

# Matrix coefficients of ITU-T H.273: the weights of red and blue in luma.
_BT709, _BT601, _BT2020 = (0.2126, 0.0722), (0.299, 0.114), (0.2627, 0.0593)
_WEIGHTS = {1: _BT709, 4: (0.30, 0.11), 5: _BT601, 6: _BT601, 7: (0.212, 0.087), 9: _BT2020, 10: _BT2020}
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_HD_WIDTH, _SD_HEIGHT = 1280, 576
_PLANAR_YUV = re.compile(r"yuvj?4(?:20|22|44)p(?:9|10|12|14|16)?(?:le)?")
_BYTE = 8  # bits
_BAND_ROWS = 64  # converted at a time, so that what lies between stays in the processor's cache; even


def rgb_matrix(weights: tuple[float, float], bits: int, *, full_range: bool) -> NDArray[np.float64]:
    """Return the matrix [3, 4] that makes RGB 0..1 of the code values (Y, Cb, Cr, 1).

    Args:
        weights: Of red and blue in luma.
        bits: Of a code value.
        full_range: Whether black is 0 and white the largest code value.
    """
    unit = 1 << (bits - _BYTE)
    zero, luma_span, chroma_span = 16 * unit, 219 * unit, 224 * unit
    if full_range:
        zero, luma_span, chroma_span = 0, 256 * unit - 1, 256 * unit - 1
    in_red, in_blue = weights
    in_green = 1 - in_red - in_blue
    for_red, for_blue = 2 * (1 - in_red), 2 * (1 - in_blue)
    of_difference = np.array(
        [
            [1, 0, for_red],
            [1, -for_blue * in_blue / in_green, -for_red * in_red / in_green],
            [1, for_blue, 0],
        ]
    )
    of_code = of_difference / [luma_span, chroma_span, chroma_span]
    return np.column_stack([of_code, of_code @ [-zero, -128 * unit, -128 * unit]])


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
    bits = frame.format.components[0].bits
    matrix = rgb_matrix(weights_of(frame), bits, full_range=is_full_range(frame))
    luma, blue, red = (_samples(plane, "u1" if bits == _BYTE else "<u2") for plane in frame.planes)
    chroma = (_Chroma(blue, luma.shape), _Chroma(red, luma.shape))
    for top in range(0, frame.height, _BAND_ROWS):
        rows = slice(top, min(top + _BAND_ROWS, frame.height))
        parts = [luma[rows].astype(np.float32), *(plane.band(rows) for plane in chroma)]
        cv2.transform(cv2.merge(parts), matrix, dst=out[rows])
        np.clip(out[rows], 0, 1, out=out[rows])


def _samples(plane: VideoPlane, kind: str) -> NDArray[np.unsignedinteger]:
    values = np.frombuffer(memoryview(plane), kind)
    return values.reshape(plane.height, plane.line_size // values.itemsize)[:, : plane.width]


class _Chroma:
    """A chroma plane that can be asked for at the full size: sited left, bilinear in between."""

    def __init__(self, plane: NDArray[np.unsignedinteger], luma_shape: tuple[int, ...]) -> None:
        self._height, self._width = luma_shape
        self._has_half_rows = plane.shape[0] < self._height
        self._has_half_columns = plane.shape[1] < self._width
        # A border, so that the outermost samples have neighbours too: a row above and below, a column on the right.
        self._plane = cv2.copyMakeBorder(plane, 1, 1, 0, 1, cv2.BORDER_REPLICATE)

    def band(self, rows: slice) -> NDArray[np.float32]:
        """Return some rows, in the units of the plane."""
        if self._has_half_rows:
            half = self._plane[rows.start // 2 : (rows.stop + 1) // 2 + 2].astype(np.float32)
            above, near, below = half[:-2], half[1:-1], half[2:]
            band = np.empty((2 * len(near), near.shape[1]), np.float32)
            cv2.addWeighted(near, 0.75, above, 0.25, 0, dst=band[0::2])
            cv2.addWeighted(near, 0.75, below, 0.25, 0, dst=band[1::2])
            band = band[: rows.stop - rows.start]
        else:
            band = self._plane[rows.start + 1 : rows.stop + 1].astype(np.float32)
        here, right = band[:, :-1], band[:, 1:]
        if not self._has_half_columns:
            return here
        between = cv2.addWeighted(here, 0.5, right, 0.5, 0)
        return np.asarray(cv2.merge([here, between]), np.float32).reshape(len(here), -1)[:, : self._width]


def _write_other(frame: VideoFrame, out: NDArray[np.float32]) -> None:
    """RGB, grey and packed formats, which FFmpeg brings to RGB."""
    is_deep = max(component.bits for component in frame.format.components) > _BYTE
    values = frame.to_ndarray(format="rgb48le" if is_deep else "rgb24")
    np.multiply(values, np.float32(1 / (65535 if is_deep else 255)), out=out)
