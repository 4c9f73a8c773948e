"""Linear light: what is proportional to the light that a colour value stands for. Scaling is done in it.

Source of the curve: IEC 61966-2-1 (sRGB).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEPS = 65535


def to_light(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring colour values [H, W] to linear light; what lies outside of 0..1 is clipped.

    Where all of them come from 8 bits, as those of a file do, a table has the results of the same formula: the exponential is
    what takes long.
    """
    levels = cv2.convertScaleAbs(values, alpha=255)
    if np.array_equal(cv2.LUT(levels, _EIGHT_BIT_VALUES), values):
        return np.asarray(cv2.LUT(levels, _EIGHT_BIT_LIGHT), np.float32)
    return _by_formula(values.clip(0, 1))


def to_eight_bit(light: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Bring linear light to the nearest of 256 levels; what lies outside of 0..1 is clipped.

    The exponential is not calculated again: of each level it is known from which number on the formula gives it.
    """
    light = light.clip(0, 1)
    levels = np.asarray(_LEVELS_BELOW.take((light * _STEPS).astype(np.uint16)), np.uint8)
    np.add(levels, light >= _LEVEL_ENDS.take(levels), out=levels)
    return levels


def _by_formula(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004 - of the standard


def _eight_bit_by_formula(light: NDArray[np.float32]) -> NDArray[np.uint8]:
    display: NDArray[np.float32] = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)  # noqa: PLR2004 - as above
    return np.rint(display * 255).astype(np.uint8)


def _level_ends() -> NDArray[np.float32]:
    """Return for each level the least light of the next one, found by halving: positive floats are in the order of their bits."""
    nexts = np.arange(1, 256)
    least, most = np.zeros(255, np.uint32), np.full(255, np.float32(1).view(np.uint32))
    while (least < most).any():
        middle = (least + most) // 2
        is_reached = _eight_bit_by_formula(middle.view(np.float32)) >= nexts
        least, most = np.where(is_reached, least, middle + 1), np.where(is_reached, middle, most)
    return np.append(most.view(np.float32), np.float32(np.inf))


_EIGHT_BIT_VALUES = np.arange(256, dtype=np.float32) / np.float32(255)
_EIGHT_BIT_LIGHT = _by_formula(_EIGHT_BIT_VALUES)
_LEVEL_ENDS = _level_ends()
# By steps of light: the level a step before, for the rounding of the step. No two levels end within two steps.
_LEVELS_BELOW = np.searchsorted(_LEVEL_ENDS, np.arange(-1, _STEPS) / _STEPS, side="right").astype(np.uint8)
