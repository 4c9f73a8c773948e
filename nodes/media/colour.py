"""Decoded pictures to RGB: by the matrix and range of the clip, to 16 bits, chroma where H.264 puts it.

FFmpeg's own converter is not used for YUV. What it makes of matrix and range depends on its version, and it rounds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.plane import VideoPlane
    from numpy.typing import NDArray

# Matrix coefficients of ITU-T H.273 (8.3, table 4: https://www.itu.int/rec/T-REC-H.273): weights of red and blue in luma.
_BT709, _BT601, _BT2020 = (0.2126, 0.0722), (0.299, 0.114), (0.2627, 0.0593)
_WEIGHTS = {1: _BT709, 4: (0.30, 0.11), 5: _BT601, 6: _BT601, 7: (0.212, 0.087), 9: _BT2020, 10: _BT2020}
_MATRIX_NAMES = {
    8: "YCgCo",
    11: "YDzDx",
    12: "chromaticity-derived",
    13: "chromaticity-derived",
    14: "ICtCp",
    15: "IPT-C2",
}
_RGB_MATRIX, _UNTAGGED = 0, 2
_TRANSFERS = {16: "PQ (HDR10)", 18: "HLG"}  # H.273, 8.2, table 3
_BT2020_PRIMARIES = 9  # H.273, 8.1, table 2
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_HD_WIDTH, _SD_HEIGHT = 1280, 576
_PLANAR_YUV = re.compile(r"yuv[aj]?4(?:20|22|44)p(?:9|10|12|14|16)?(?:le)?")  # a: a plane of opacity, which is left out
_GREY = re.compile(r"gray(?:9|10|12|14|16)?(?:le)?")
_BYTE = 8  # bits
_MOST_BITS = 13  # of a code value that is reckoned with: eight times it has to fit into 16 bits
_WHITE = 65535  # RGB passes through 16 bits: half a step is 0.002 of a level, and floats take a fifth longer
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
    """Return the weights of red and blue in luma: by the frame's tag, else by its size, as players do.

    A matrix that is not known is read as FFmpeg reads it.
    """
    tag = int(frame.colorspace)
    if tag == _UNTAGGED:
        return _BT709 if frame.width >= _HD_WIDTH or frame.height > _SD_HEIGHT else _BT601
    return _WEIGHTS.get(tag, _BT709 if tag == _RGB_MATRIX else _BT601)


def remarks(matrix: int, transfer: int, primaries: int) -> list[str]:
    """Return sentences on colours that are delivered without being converted; the numbers are those of H.273."""
    said = []
    if matrix not in {_UNTAGGED, _RGB_MATRIX, *_WEIGHTS}:
        said.append(
            f"Its colour matrix, {_MATRIX_NAMES.get(matrix, f'number {matrix}')}, is not known: its colours are read as BT.601."
        )
    if transfer in _TRANSFERS:
        said.append(
            f"Its brightness is coded as {_TRANSFERS[transfer]}, and the code values are delivered as they are."
        )
    if primaries == _BT2020_PRIMARIES:
        said.append("Its colours are those of BT.2020, and are delivered without conversion to a smaller gamut.")
    return said


def is_full_range(frame: VideoFrame) -> bool:
    """Return whether black is 0 and white the largest code value."""
    return int(frame.color_range) == _FULL_RANGE or frame.format.name.startswith("yuvj")


def write_rgb(frame: VideoFrame, out: NDArray[np.float32]) -> None:
    """Write a decoded picture into `out`: [H, W, 3] float32, 0..1."""
    if _GREY.fullmatch(frame.format.name):
        _write_grey(frame, out)
        return
    if not _PLANAR_YUV.fullmatch(frame.format.name):
        _write_other(frame, out)
        return
    bits = frame.format.components[0].bits
    luma, blue, red = (_samples(plane, bits) for plane in frame.planes[:3])
    if int(frame.colorspace) == _RGB_MATRIX and blue.shape == luma.shape:
        for channel, plane in enumerate((red, luma, blue)):  # H.273, 8.3: Y is green, Cb is blue, Cr is red
            _write_scaled(plane, min(bits, _MOST_BITS), out[..., channel], full_range=is_full_range(frame))
        return
    chroma = (_Chroma(blue, luma.shape), _Chroma(red, luma.shape))
    matrix = rgb_matrix(weights_of(frame), min(bits, _MOST_BITS), full_range=is_full_range(frame)) * _WHITE
    matrix[:, 1:3] /= [plane.unit for plane in chroma]
    full_luma, full_yuv, full_rgb = _scratch(frame.width), _scratch(frame.width, 3), _scratch(frame.width, 3)
    for top in range(0, frame.height, _BAND_ROWS):
        rows = slice(top, min(top + _BAND_ROWS, frame.height))
        yuv, rgb = full_yuv[: rows.stop - top], full_rgb[: rows.stop - top]
        cv2.merge([_widened(luma[rows], full_luma), *(plane.band(rows) for plane in chroma)], dst=yuv)
        cv2.transform(yuv, matrix, dst=rgb)  # in floating point, then rounded and cut off to 16 bits
        np.copyto(out[rows], rgb)
        np.multiply(out[rows], np.float32(1 / _WHITE), out=out[rows])


def _write_grey(frame: VideoFrame, out: NDArray[np.float32]) -> None:
    bits = frame.format.components[0].bits
    luma = _samples(frame.planes[0], bits)
    _write_scaled(luma, min(bits, _MOST_BITS), out[..., 0], full_range=is_full_range(frame))
    out[..., 1:] = out[..., :1]


def _write_scaled(codes: NDArray[Any], bits: int, out: NDArray[np.float32], *, full_range: bool) -> None:
    """Write code values of one colour into `out` [H, W], black to 0 and white to 1."""
    unit = 1 << (bits - _BYTE)
    black, white = (0, 256 * unit - 1) if full_range else (16 * unit, 235 * unit)
    levels = np.arange(1 << bits, dtype=np.float64)
    np.take(np.clip((levels - black) / (white - black), 0, 1).astype(np.float32), codes, out=out, mode="clip")


def _samples(plane: VideoPlane, bits: int) -> NDArray[np.unsignedinteger]:
    values: NDArray[np.unsignedinteger] = np.frombuffer(memoryview(plane), "u1" if bits == _BYTE else "<u2")
    samples = values.reshape(plane.height, plane.line_size // values.itemsize)[:, : plane.width]
    return np.right_shift(samples, bits - _MOST_BITS, dtype=np.uint16) if bits > _MOST_BITS else samples


def _scratch(width: int, *channels: int) -> NDArray[np.uint16]:
    """Return room for a band: made once per picture, for memory that is fresh for every band costs as much as the sums."""
    return np.empty((_BAND_ROWS, width, *channels), np.uint16)


def _widened(values: NDArray[np.unsignedinteger], scratch: NDArray[np.uint16]) -> NDArray[np.uint16]:
    rows = scratch[: len(values)]
    np.copyto(rows, values)
    return rows


class _Chroma:
    """A chroma plane that can be asked for at the full size: sited left, bilinear in between, in whole numbers.

    Attributes:
        unit: What is 1 in the plane is so much in a band.
    """

    def __init__(self, plane: NDArray[np.unsignedinteger], luma_shape: tuple[int, ...]) -> None:
        height, self._width = luma_shape
        self._has_half_rows = plane.shape[0] < height
        self._has_half_columns = plane.shape[1] < self._width
        self.unit = (4 if self._has_half_rows else 1) * (2 if self._has_half_columns else 1)
        # A border, so that the outermost samples have neighbours too: a row above and below, a column on the right.
        self._plane: NDArray[Any] = cv2.copyMakeBorder(plane, 1, 1, 0, 1, cv2.BORDER_REPLICATE)
        width = plane.shape[1]
        self._samples, self._weighted, self._rows = (_scratch(width + 1) for _ in range(3))
        self._here, self._between, self._band = _scratch(width), _scratch(width), _scratch(width, 2)

    def band(self, rows: slice) -> NDArray[np.uint16]:
        """Return some rows; they hold until the next call."""
        all_rows = self._all_rows(rows)
        here, right = all_rows[:, :-1], all_rows[:, 1:]
        if not self._has_half_columns:
            return here
        count = len(here)
        cv2.add(here, here, dst=self._here[:count])
        cv2.add(here, right, dst=self._between[:count])
        cv2.merge([self._here[:count], self._between[:count]], dst=self._band[:count])
        return self._band[:count].reshape(count, -1)[:, : self._width]

    def _all_rows(self, rows: slice) -> NDArray[np.uint16]:
        if not self._has_half_rows:
            return _widened(self._plane[rows.start + 1 : rows.stop + 1], self._samples)
        half = _widened(self._plane[rows.start // 2 : (rows.stop + 1) // 2 + 2], self._samples)
        above, near, below = half[:-2], half[1:-1], half[2:]
        weighted, band = self._weighted[: len(near)], self._rows[: 2 * len(near)]
        np.multiply(near, 3, out=weighted)
        cv2.add(weighted, above, dst=band[0::2])
        cv2.add(weighted, below, dst=band[1::2])
        return band[: rows.stop - rows.start]


def _write_other(frame: VideoFrame, out: NDArray[np.float32]) -> None:
    """RGB, grey and packed formats, which FFmpeg brings to RGB."""
    is_deep = max(component.bits for component in frame.format.components) > _BYTE
    values = frame.to_ndarray(format="rgb48le" if is_deep else "rgb24")
    np.multiply(values, np.float32(1 / (_WHITE if is_deep else 255)), out=out)
