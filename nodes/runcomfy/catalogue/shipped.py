"""The models that this pack knows without asking, what may be bought, and what to say of a model that may not."""

from __future__ import annotations

import difflib
import functools
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import InvalidInputError
from ..foreign_text import shown
from .estimate import resolution_in_id
from .roles import find_roles
from .schema import ModelEntry, Role, parse_entry
from .spelling import FOLLOW_PICTURE, ratio_of, resolution_key, shorter_side

FILE = Path(__file__).with_name("models.json")
PRICE_UNITS = frozenset({"second", "output"})
CATEGORY_WORDS = ("image-to-video", "first-last-frame")
MAX_NEAREST = 3
logger = logging.getLogger("runcomfy.sora2pro.catalogue")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The shipped models.

    Attributes:
        models: Those that can be chosen, in the order of the widget.
        retired: Those that RunComfy no longer offers.
    """

    models: tuple[ModelEntry, ...]
    retired: tuple[ModelEntry, ...] = ()

    def find(self, model_id: str) -> ModelEntry | None:
        """The model of exactly this id, retired or not."""
        return next((one for one in (*self.models, *self.retired) if one.model_id == model_id), None)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids that can be chosen."""
        return tuple(one.model_id for one in self.models)

    def resolutions(self) -> tuple[str, ...]:
        """All resolutions of the models, the smallest first, in small letters."""
        found: dict[str, None] = {}
        for entry in self.models:
            one, in_id = find_roles(entry).field_for(Role.RESOLUTION), resolution_in_id(entry.model_id)
            values = one.choices if one is not None else () if in_id is None else (in_id,)
            found |= dict.fromkeys(map(resolution_key, values))
        return tuple(sorted(found, key=lambda name: (shorter_side(name) or 0, name)))

    def aspect_ratios(self) -> tuple[str, ...]:
        """All aspect ratios of the models, the most common first, without the words for "as the picture"."""
        counts: dict[str, int] = {}
        for entry in self.models:
            one = find_roles(entry).field_for(Role.ASPECT_RATIO)
            for choice in () if one is None else one.choices:
                if str(choice).casefold() not in FOLLOW_PICTURE and ratio_of(choice) is not None:
                    counts[str(choice)] = counts.get(str(choice), 0) + 1
        return tuple(sorted(counts, key=lambda name: -counts[name]))


def parse_catalogue_file(text: str) -> Catalogue:
    """The models of a file; one that cannot be understood is left out and logged.

    Raises:
        ValueError: The text is not JSON, or holds no list of models.
    """
    models: list[ModelEntry] = []
    retired: list[ModelEntry] = []
    document = json.loads(text)
    if not isinstance(document, Mapping) or not isinstance(document.get("models"), list):
        raise ValueError("the file holds no list of models")  # noqa: TRY004 - the file is wrong, not the argument's type
    for row in document["models"]:
        try:
            entry = parse_entry(row)
        except InvalidInputError as error:
            logger.warning("A model of the shipped catalogue is left out: %s", error.what)
            continue
        (retired if entry.is_retired else models).append(entry)
    return Catalogue(tuple(models), tuple(retired))


@functools.lru_cache(maxsize=1)
def shipped_catalogue() -> Catalogue:
    """The models that came with this pack; none, and a word in the log, where the file is damaged."""
    try:
        return parse_catalogue_file(FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        logger.warning("The shipped catalogue cannot be read: %s. Update the pack or install it again.", error)
        return Catalogue(())


def check_offer(entry: ModelEntry, model_id: str, catalogue: Catalogue) -> None:
    """Refuse a live entry that this node must not buy from.

    Raises:
        InvalidInputError: It is another model, a workflow, not image-to-video, or without a usable price.
    """
    name = shown(model_id)
    if entry.model_id != model_id:
        raise InvalidInputError(
            f"RunComfy describes '{shown(entry.model_id)}' when asked for '{name}'.",
            remedy="Write the id exactly as RunComfy does, capitals, dots and spaces included.",
        )
    if entry.kind != "model":
        raise InvalidInputError(
            f"'{name}' is of the kind '{shown(entry.kind)}' at RunComfy, not a model.", remedy="Choose a model."
        )
    is_for_pictures = any(word in category for category in entry.categories for word in CATEGORY_WORDS)
    if not is_for_pictures and model_id not in catalogue.ids:
        listed = ", ".join(map(shown, entry.categories)) or "none"
        raise InvalidInputError(
            f"'{name}' does not make a video from a picture: its categories at RunComfy are {listed}.",
            remedy="Choose a model of the category image-to-video.",
        )
    if entry.base_price_usd is None or entry.price_unit not in PRICE_UNITS:
        raise InvalidInputError(
            f"RunComfy states no usable price for '{name}'.",
            remedy="Choose another model, or try again later.",
        )


def unknown_model(model_id: str, catalogue: Catalogue) -> InvalidInputError:
    """The refusal for a model that RunComfy does not offer, with those that come nearest."""
    known = catalogue.find(model_id)
    if known is not None and known.is_retired:
        successors = _of_the_same_family(known, catalogue)
        words = ", ".join(f"'{one}'" for one in successors or catalogue.ids[:MAX_NEAREST])
        kind = "Successors of the same family" if successors else "There is no successor of the same family; others"
        return InvalidInputError(
            f"RunComfy no longer offers '{shown(model_id)}'. {known.retired_reason}".strip(), remedy=f"{kind}: {words}."
        )
    by_plain_id = {one.casefold(): one for one in catalogue.ids if one != model_id}
    near = difflib.get_close_matches(model_id.strip().casefold(), by_plain_id, n=MAX_NEAREST)
    words = ", ".join(f"'{by_plain_id[one]}'" for one in near)
    remedy = f"The nearest that this pack knows: {words}." if near else "Choose one from the list of the node."
    lost = "no longer offers this model" if model_id in catalogue.ids else "does not offer this model"
    return InvalidInputError(f"RunComfy {lost}: '{shown(model_id)}'.", remedy=remedy)


def _of_the_same_family(retired: ModelEntry, catalogue: Catalogue) -> tuple[str, ...]:
    """Models of the family's name without its version, such as `Kling`."""
    word = retired.family.partition(" ")[0].casefold()
    family = [one.model_id for one in catalogue.models if word and one.family.casefold().partition(" ")[0] == word]
    return tuple(family[:MAX_NEAREST])
