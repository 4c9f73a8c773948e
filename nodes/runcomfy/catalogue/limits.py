"""What a model accepts as a picture: the limits of `validations`, and those that its description states in prose. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..models import Size
from .schema import Field, ModelEntry

BYTES_PER_MB = 1_000_000  # the smaller of the two meanings: what fits this fits the other too
RULE = re.compile(r"(file_size_mb|width/height|width_pixels|height_pixels|width|height)(<=|>=|<|>)(\d+(?:\.\d+)?)")
SUBJECTS = {"width": "width_pixels", "height": "height_pixels"}
WORDS = {
    "file_size_mb": "size in MB",
    "width/height": "width divided by height",
    "width_pixels": "width in pixels",
    "height_pixels": "height in pixels",
}
COMPARISONS = {"<": "below", "<=": "at most", ">": "above", ">=": "at least"}


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of a picture.

    Attributes:
        subject: `file_size_mb`, `width/height`, `width_pixels` or `height_pixels`.
        comparison: How the subject stands to the bound: `<`, `<=`, `>` or `>=`.
        bound: The bound, in the subject's unit.
    """

    subject: str
    comparison: str
    bound: float

    def __str__(self) -> str:
        """Such as `width in pixels at least 300`."""
        return f"{WORDS[self.subject]} {COMPARISONS[self.comparison]} {self.bound:g}"

    def accepts(self, size: Size, file_bytes: int) -> bool:
        """Whether a picture keeps to it."""
        measured = {
            "file_size_mb": file_bytes / BYTES_PER_MB,
            "width/height": size.width / size.height,
            "width_pixels": size.width,
            "height_pixels": size.height,
        }[self.subject]
        return {
            "<": measured < self.bound,
            "<=": measured <= self.bound,
            ">": measured > self.bound,
            ">=": measured >= self.bound,
        }[self.comparison]


def picture_limits(entry: ModelEntry, one: Field) -> tuple[Limit, ...]:
    """All limits of a picture's field; a rule in words that are not known is left to RunComfy."""
    rules = [*one.validations, *(rule for name, known in entry.exceptions.limits if name == one.name for rule in known)]
    matches = filter(None, map(RULE.fullmatch, dict.fromkeys(rules)))
    return tuple(Limit(SUBJECTS.get(match[1], match[1]), match[2], float(match[3])) for match in matches)


def broken_limits(limits: tuple[Limit, ...], size: Size, file_bytes: int) -> tuple[Limit, ...]:
    """The limits that a picture does not keep to."""
    return tuple(limit for limit in limits if not limit.accepts(size, file_bytes))
