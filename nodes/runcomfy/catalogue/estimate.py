"""What a request will come to, as far as it can be said before it is bought: seconds, pixels, frames a second, dollars. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..models import Size
from ..progress import PriceBound
from .quirks import is_number
from .roles import Roles
from .schema import ModelEntry, Role
from .spelling import ratio_of, seconds_of, shorter_side, size_of

SHORTEST_S = 1.0  # where the schema names no shortest clip
LONGEST_S = 60.0  # where the schema names no longest clip: the longest that the node lets anybody ask for
ASSUMED_FPS = 24
ASSUMED_SHORTER_SIDE = 1080
ASSUMED_RATIO = Fraction(16, 9)
RESOLUTION_PART = re.compile(r"\d{3,4}p|\dk", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PriceEstimate:
    """What one clip is expected to cost.

    Attributes:
        usd: US dollars, where the length is open those of the longest clip; None where the catalogue states no price.
        is_total: Whether no more than that is charged; else it is the price "from".
        shortest_usd: What the shortest clip costs, at least; None where the length is not open.
    """

    usd: float | None
    is_total: bool
    shortest_usd: float | None = None

    @property
    def least_usd(self) -> float | None:
        """The least that a clip costs."""
        return self.usd if self.shortest_usd is None else self.shortest_usd

    @property
    def bound(self) -> PriceBound:
        """What `usd` says of the real price."""
        if self.shortest_usd is None:
            return PriceBound.ABOUT if self.is_total else PriceBound.AT_LEAST
        return PriceBound.AT_MOST if self.is_total else PriceBound.AT_LEAST_FOR_THE_LONGEST

    def __str__(self) -> str:
        """Such as `$4.40`, `from $0.56`, or where the length is open and the rate is known, `up to $17.60`."""
        if self.usd is None or self.least_usd is None:
            return "unknown"
        if not self.is_total:
            return f"from {_dollars(self.least_usd)}"
        return f"{'' if self.shortest_usd is None else 'up to '}{_dollars(self.usd)}"

    @property
    def usd_words(self) -> str:
        """Such as `from $2.00`: of the longest clip, where the length is open."""
        at_most = PriceBound.AT_MOST if self.is_total else PriceBound.AT_LEAST
        return "" if self.usd is None else at_most.words(self.usd)


def _dollars(usd: float) -> str:
    return f"${usd:.{2 if round(usd, 2) == round(usd, 4) else 4}f}"


def resolution_in_id(model_id: str) -> str | None:
    """The resolution that is part of a model's id, as it stands there."""
    return next((part for part in reversed(model_id.split("/")) if RESOLUTION_PART.fullmatch(part)), None)


def clip_length_s(roles: Roles, body: Mapping[str, Any]) -> float | None:
    """The length that a request asks for; None where it leaves that open."""
    one = roles.field_for(Role.LENGTH)
    if one is None:
        return None
    if one.name in body:
        return seconds_of(body[one.name])
    return None if one.default is None else seconds_of(one.default)


def longest_s(roles: Roles) -> float:
    """The longest clip that a model makes, in seconds; a guess on the safe side where that is not known."""
    return _lengths_s(roles)[1] or LONGEST_S


def _lengths_s(roles: Roles) -> tuple[float | None, float | None]:
    """The shortest and the longest clip that a model makes, as far as the schema says."""
    one = roles.field_for(Role.LENGTH)
    if one is None:
        return None, None
    lengths = [length for length in map(seconds_of, one.choices) if length is not None]
    return min(lengths, default=one.minimum), max(lengths, default=one.maximum)


def clip_fps(entry: ModelEntry, roles: Roles, body: Mapping[str, Any]) -> float:
    """Frames a second, at most."""
    one = roles.field_for(Role.FPS)
    if one is not None:
        stated = body.get(one.name, one.default)
        if is_number(stated):
            return float(stated)
        rates = [rate for rate in one.choices if is_number(rate)]
        return max(map(float, rates), default=float(ASSUMED_FPS))
    return float(entry.exceptions.fps or ASSUMED_FPS)


def frame_size(entry: ModelEntry, roles: Roles, body: Mapping[str, Any], picture: Size | None) -> Size:
    """The frames of the clip: by its resolution, and the ratio asked for or the picture's. Larger where that is open."""
    shorter, ratio = ASSUMED_SHORTER_SIDE, ASSUMED_RATIO if picture is None else Fraction(*picture)
    one, in_id = roles.field_for(Role.RESOLUTION), resolution_in_id(entry.model_id)
    if one is not None:
        stated = body.get(one.name, one.default)
        exact = size_of(stated)
        if exact is not None:
            return exact
        sides = [side for side in map(shorter_side, one.choices) if side is not None]
        shorter = shorter_side(stated) or max(sides, default=shorter)
    elif in_id is not None:
        shorter = shorter_side(in_id) or shorter
    shape = roles.field_for(Role.ASPECT_RATIO)
    if shape is not None:
        ratio = ratio_of(body.get(shape.name, shape.default)) or ratio
    longer = int(shorter * max(ratio, 1 / ratio)) // 2 * 2
    return Size(longer, shorter) if ratio >= 1 else Size(shorter, longer)


def price(entry: ModelEntry, roles: Roles, body: Mapping[str, Any], *, has_sound: bool | None) -> PriceEstimate:
    """The price of one clip."""
    if entry.base_price_usd is None:
        return PriceEstimate(None, is_total=False)
    if entry.price_unit != "second":
        return PriceEstimate(entry.base_price_usd, is_total=False)
    length_s = clip_length_s(roles, body)
    factor = 1.0 if has_sound is False else entry.exceptions.sound_factor
    rate, is_total = entry.base_price_usd * factor, entry.exceptions.is_total
    if length_s is not None:
        return PriceEstimate(round(rate * length_s, 6), is_total)
    shortest_s, known_longest_s = _lengths_s(roles)
    return PriceEstimate(
        usd=round(rate * longest_s(roles), 6),
        is_total=is_total and known_longest_s is not None,
        shortest_usd=round(rate * (shortest_s or SHORTEST_S), 6),
    )
