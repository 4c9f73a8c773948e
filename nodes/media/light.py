"""Linear light: what is proportional to the light that a colour value stands for. Scaling is done in it.

Source of the curve: IEC 61966-2-1 (sRGB).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def to_light(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring values 0..1 of one colour [H, W] to linear light.

    Where all of them come from 8 bits, as those of a file do, a table has the results of the same formula: the exponential is
    what takes long.
    """
    levels = cv2.convertScaleAbs(values, alpha=255)
    if np.array_equal(cv2.LUT(levels, _EIGHT_BIT_VALUES), values):
        return np.asarray(cv2.LUT(levels, _EIGHT_BIT_LIGHT), np.float32)
    return _by_formula(values)


def to_display(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring linear light back to values 0..1; what lies outside is clipped."""
    light = light.clip(0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)  # noqa: PLR2004 - of the standard


def _by_formula(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004 - as above


_EIGHT_BIT_VALUES = np.arange(256, dtype=np.float32) / np.float32(255)
_EIGHT_BIT_LIGHT = _by_formula(_EIGHT_BIT_VALUES)
