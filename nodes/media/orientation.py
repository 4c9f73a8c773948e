"""How a stored picture has to be turned and mirrored to stand as it should.

The matrix of a track maps stored to shown places: x' = a x + c y, y' = b x + d y (ISO/IEC 14496-12, 6.2.2 and 8.3.2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

_EXACT_DEGREES = 1.0  # so far from a right angle FFmpeg still takes it for one
_IDENTITY = (1 << 16, 0, 0, 1 << 16)


@dataclass(frozen=True, slots=True)
class Orientation:
    """What is done to a stored picture, in this order.

    Attributes:
        is_turned: Rows become columns.
        is_mirrored: Left and right are exchanged.
        is_flipped: Up and down are exchanged.
        odd_degrees: An angle that is none of these, by which players would turn it further; it is left as it is.
    """

    is_turned: bool = False
    is_mirrored: bool = False
    is_flipped: bool = False
    odd_degrees: int = 0

    @property
    def is_changing(self) -> bool:
        """Whether anything is done at all."""
        return self.is_turned or self.is_mirrored or self.is_flipped

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the (width, height) in which a picture is shown, in pixels."""
        return (height, width) if self.is_turned else (width, height)

    def shown(self, picture: NDArray[Any]) -> NDArray[Any]:
        """Return a view of a stored picture [H, W, C] as it is shown."""
        view = picture.swapaxes(0, 1) if self.is_turned else picture
        return view[:: -1 if self.is_flipped else 1, :: -1 if self.is_mirrored else 1]


def combined(track: tuple[int, ...], movie: tuple[int, ...]) -> tuple[int, ...]:
    """Return (a, b, c, d) of a track's matrix followed by the movie's, both as nine numbers of a header."""
    (a, b), (c, d) = track[0:2], track[3:5]
    (e, f), (g, h) = movie[0:2], movie[3:5]
    if (e, f, g, h) in {_IDENTITY, (0, 0, 0, 0)}:
        return a, b, c, d
    return tuple(value >> 16 for value in (a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h))


def orientation(matrix: tuple[int, ...]) -> Orientation:
    """Return what a matrix (a, b, c, d) asks for; a matrix that maps all to one line asks for nothing."""
    a, b, c, d = matrix
    across, down = math.hypot(a, c), math.hypot(b, d)
    if not across or not down:
        return Orientation()
    degrees = math.degrees(math.atan2(b / down, a / across))
    quarters = round(degrees / 90)
    if abs(degrees - 90 * quarters) >= _EXACT_DEGREES:
        return Orientation(odd_degrees=round(degrees))
    if quarters % 2:
        return Orientation(is_turned=True, is_mirrored=c < 0, is_flipped=b < 0)
    return Orientation(is_mirrored=a < 0, is_flipped=d < 0)
