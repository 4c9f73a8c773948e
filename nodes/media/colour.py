"""Decoded pictures to RGB: by the matrix and range of the clip, in floating point, chroma where H.264 puts it.

FFmpeg's own converter is not used for YUV. What it makes of matrix and range depends on its version, and it rounds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Coefficients:
    """How RGB 0..1 follows from code values: luma * Y + blue * Cb + red * Cr + offset, per channel.

    Attributes:
        luma: The same for red, green and blue.
        blue: For red, green and blue.
        red: For red, green and blue.
        offset: For red, green and blue.
    """

    luma: float
    blue: tuple[float, float, float]
    red: tuple[float, float, float]
    offset: tuple[float, float, float]


def coefficients(weights: tuple[float, float], bits: int, *, full_range: bool) -> Coefficients:
    """Return the coefficients for the weights of red and blue in luma and the bits of a code value."""
    unit = 1 << (bits - _BYTE)
    zero, luma_span, chroma_span = 16 * unit, 219 * unit, 224 * unit
    if full_range:
        zero, luma_span, chroma_span = 0, 256 * unit - 1, 256 * unit - 1
    in_red, in_blue = weights
    in_green = 1 - in_red - in_blue
    for_red, for_blue = 2 * (1 - in_red) / chroma_span, 2 * (1 - in_blue) / chroma_span
    blue = (0.0, -for_blue * in_blue / in_green, for_blue)
    red = (for_red, -for_red * in_red / in_green, 0.0)
    offset = tuple(-zero / luma_span - 128 * unit * (b + r) for b, r in zip(blue, red, strict=True))
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
    bits = frame.format.components[0].bits
    values = coefficients(weights_of(frame), bits, full_range=is_full_range(frame))
    luma, blue, red = (_samples(plane, "u1" if bits == _BYTE else "<u2") for plane in frame.planes)
    chroma = (_Chroma(blue, luma.shape), _Chroma(red, luma.shape))
    for top in range(0, frame.height, _BAND_ROWS):
        rows = slice(top, min(top + _BAND_ROWS, frame.height))
        _write_band(luma[rows], [plane.band(rows) for plane in chroma], values, out[rows])


def _samples(plane: VideoPlane, kind: str) -> NDArray[np.unsignedinteger]:
    values = np.frombuffer(memoryview(plane), kind)
    return values.reshape(plane.height, plane.line_size // values.itemsize)[:, : plane.width]


class _Chroma:
    """A chroma plane that can be asked for at the full size: sited left, bilinear in between."""

    def __init__(self, plane: NDArray[np.unsignedinteger], luma_shape: tuple[int, ...]) -> None:
        self._has_half_rows = plane.shape[0] < luma_shape[0]
        self._has_half_columns = plane.shape[1] < luma_shape[1]
        # A border, so that the outermost samples have neighbours too: a row above and below, a column on the right.
        self._plane = cv2.copyMakeBorder(plane, 1, 1, 0, 1, cv2.BORDER_REPLICATE)

    def band(self, rows: slice) -> list[NDArray[np.float32]]:
        """Return some rows as float32; of halved columns, the even ones and the odd ones apart."""
        if self._has_half_rows:
            half = self._plane[rows.start // 2 : (rows.stop + 1) // 2 + 2].astype(np.float32)
            twice = cv2.resize(half, (half.shape[1], 2 * half.shape[0]), interpolation=cv2.INTER_LINEAR)
            band = np.asarray(twice[2 : 2 + rows.stop - rows.start], np.float32)
        else:
            band = self._plane[rows.start + 1 : rows.stop + 1].astype(np.float32)
        here, right = band[:, :-1], band[:, 1:]
        if not self._has_half_columns:
            return [here]
        return [here, np.asarray(cv2.addWeighted(here, 0.5, right, 0.5, 0), np.float32)]


def _write_band(
    luma: NDArray[np.unsignedinteger],
    chroma: list[list[NDArray[np.float32]]],
    values: Coefficients,
    out: NDArray[np.float32],
) -> None:
    grey = luma * np.float32(values.luma)
    channels = []
    for channel in range(3):
        in_blue, in_red, offset = values.blue[channel], values.red[channel], values.offset[channel]
        columns = [cv2.addWeighted(blue, in_blue, red, in_red, offset) for blue, red in zip(*chroma, strict=True)]
        colour = cv2.merge(columns).reshape(len(luma), -1)[:, : luma.shape[1]]
        channels.append(np.add(colour, grey, out=colour))
    cv2.merge(channels, dst=out)
    np.clip(out, 0, 1, out=out)


def _write_other(frame: VideoFrame, out: NDArray[np.float32]) -> None:
    """RGB, grey and packed formats, which FFmpeg brings to RGB."""
    is_deep = max(component.bits for component in frame.format.components) > _BYTE
    values = frame.to_ndarray(format="rgb48le" if is_deep else "rgb24")
    np.multiply(values, np.float32(1 / (65535 if is_deep else 255)), out=out)
