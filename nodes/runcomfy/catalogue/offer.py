"""A model with where its description is from, and which ids may be asked for at all. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import InvalidInputError
from ..foreign_text import shown
from ..generation import SchemaSource
from ..settings import MAX_MODEL_ID_CHARS
from .schema import ModelEntry


@dataclass(frozen=True, slots=True)
class Offer:
    """A model, and where its description is from.

    Attributes:
        entry: The description.
        note: A sentence for the report where the description is not RunComfy's of now; else empty.
        is_described: Whether anybody has described the model; else it is taken for one like any other.
        refusal: Why nothing new may be bought of it; what was bought before is still served.
        source: Where the description is from.
        earlier: The other descriptions that this machine, or one that shares its journal, has gone by, and the shipped one.
    """

    entry: ModelEntry
    note: str = ""
    is_described: bool = True
    refusal: InvalidInputError | None = None
    source: SchemaSource = SchemaSource.SHIPPED
    earlier: tuple[ModelEntry, ...] = ()


def check_model_id(model_id: str) -> None:
    """Refuse what cannot be the id of a model: it becomes a part of the address that is asked.

    Raises:
        InvalidInputError: It cannot be one.
    """
    parts = model_id.split("/")
    if (
        len(model_id) > MAX_MODEL_ID_CHARS
        or not model_id.isprintable()
        or not model_id.isascii()
        or any(part.strip() in ("", ".", "..") for part in parts)
        or set(model_id) & set("\\?#%")
    ):
        raise InvalidInputError(
            f"'{shown(model_id)}' is not the id of a model.",
            remedy="Write it as RunComfy does, such as kling/kling-3.0/pro/image-to-video.",
        )


def differences(used: ModelEntry, shipped: ModelEntry | None, names: set[str]) -> tuple[str, ...]:
    """The fields of a request that RunComfy describes differently from this pack."""
    if shipped is None or shipped.is_retired:
        return ()
    return tuple(sorted(name for name in names if used.field_named(name) != shipped.field_named(name)))
