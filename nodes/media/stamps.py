"""What is drawn onto the frames of a made clip: a mark for eyes, a frame number for eyes and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BLACK, WHITE, GREY = 16, 235, 128  # limited-range luma; GREY also is chroma without colour
COLUMNS, ROWS = 8, 2  # blocks of a frame number: the first 12 are its bits, highest first, the last 4 their checksum
NUMBER_BITS = 12
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_PX = 22  # height of a capital letter of this font at scale 1


def block_size(width: int, height: int) -> int:
    """Edge of one block of a frame number, in pixels; even, so that blocks also fit the chroma planes."""
    return max(8, min(width, height) // 40 * 2)


def checksum(number: int) -> int:
    """Four bits that a frame number read wrongly, a blank or an inverted picture will not have."""
    return (number ^ (number >> 4) ^ (number >> 8) ^ 0b1010) & 0b1111


class Mark:
    """A word in the lower right corner: small, half transparent, readable on any ground."""

    def __init__(self, text: str, width: int, height: int) -> None:
        scale = max(min(width, height) / 40, 8) / _FONT_PX
        thickness = max(1, round(2 * scale))
        (text_width, text_height), baseline = cv2.getTextSize(text, _FONT, scale, thickness)
        pad = max(2, text_height // 2)
        box = np.zeros((min(text_height + baseline + pad, height), min(text_width + 2 * pad, width)), np.uint8)
        cv2.putText(box, text, (pad, text_height + pad // 2), _FONT, scale, 255, thickness, cv2.LINE_AA)
        letters = box.astype(np.float32) / 255
        self._keep = 0.65 * (1 - 0.8 * letters)
        self._add = BLACK * 0.35 * (1 - 0.8 * letters) + WHITE * 0.8 * letters
        margin = max(0, min(pad, height - box.shape[0], width - box.shape[1]))
        self._rows = slice(height - margin - box.shape[0], height - margin)
        self._columns = slice(width - margin - box.shape[1], width - margin)
        self._chroma_rows, self._chroma_columns = (
            slice(place.start // 2, place.stop // 2) for place in (self._rows, self._columns)
        )

    def draw(self, planes: Sequence[NDArray[np.uint8]]) -> None:
        """Draw it into the planes (Y, U, V) of a yuv420p frame of limited range."""
        corner = planes[0][self._rows, self._columns]
        corner[:] = np.rint(corner * self._keep + self._add)
        for chroma in planes[1:]:
            chroma[self._chroma_rows, self._chroma_columns] = GREY


class FrameNumber:
    """The number of a frame in the upper left corner: 16 black or white blocks, and digits where there is room.

    Works from 64 x 64 pixels on. `tests/clips.py` reads the blocks.
    """

    def __init__(self, width: int, height: int) -> None:
        self._block = block_size(width, height)
        self._has_room_for_digits = width >= 2 * COLUMNS * self._block

    def draw(self, planes: Sequence[NDArray[np.uint8]], number: int) -> None:
        """Draw it into the planes (Y, U, V) of a yuv420p frame of limited range."""
        bits = number % (1 << NUMBER_BITS) << 4 | checksum(number % (1 << NUMBER_BITS))
        values = [WHITE if bits >> (COLUMNS * ROWS - 1 - place) & 1 else BLACK for place in range(COLUMNS * ROWS)]
        blocks = np.array(values, np.uint8).reshape(ROWS, COLUMNS)
        height, width = self._block * ROWS, self._block * COLUMNS
        planes[0][:height, :width] = blocks.repeat(self._block, axis=0).repeat(self._block, axis=1)
        if self._has_room_for_digits:
            self._draw_digits(planes[0][:height, width : 2 * width], number)
        for chroma in planes[1:]:
            chroma[: height // 2, : width * (1 + self._has_room_for_digits) // 2] = GREY

    def _draw_digits(self, luma: NDArray[np.uint8], number: int) -> None:
        canvas = np.full(luma.shape, BLACK, np.uint8)
        scale = self._block / _FONT_PX
        thickness = max(1, round(2 * scale))
        where = (self._block // 2, self._block * 3 // 2)
        cv2.putText(canvas, f"{number:04d}", where, _FONT, scale, WHITE, thickness, cv2.LINE_AA)
        luma[:] = canvas
