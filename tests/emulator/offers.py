"""What is for sale: each model under its id, with its quirk and its price. Pure functions of the options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .models import Model, is_price, with_fields
from .quirks import Quirk
from .rendering import Form

if TYPE_CHECKING:
    from .options import Options

PRICE = ("base_price_usd", "price_unit")


@dataclass(frozen=True, slots=True)
class Offer:
    """One model for sale.

    Attributes:
        model: What takes a submission, and what it is charged by.
        answer: What the catalogue says.
        quirk: What is odd about it.
        is_listed: Whether the catalogue knows it.
    """

    model: Model
    answer: Mapping[str, Any]
    quirk: Quirk
    is_listed: bool = True

    def usd(self, body: Mapping[str, Any]) -> float:
        """What one request costs, by a body without faults."""
        return round(self.model.usd(body) * self.quirk.usd_factor, 6)

    def form(self, body: Mapping[str, Any]) -> Form:
        """The form of the clip, by a body without faults."""
        quirk, own = self.quirk, 2 if self.model.sounds(body) else 0
        return Form(
            kind=quirk.clip,
            fps=quirk.fps or self.model.rate(body),
            channels=own if quirk.channels is None else quirk.channels,
        )


def find_offer(model_id: str, options: Options) -> Offer | None:
    """The offer under an id; None if there is none."""
    if model_id in (options.offered_id, *options.other_model_ids):
        return replace(main_offer(options), is_listed=model_id == options.offered_id)
    found = next((model for model in options.models if model.model_id == model_id), None)
    return None if found is None else _offer(found, options.quirk_of(model_id))


def every_offer(options: Options) -> list[Offer]:
    """All that the catalogue lists, the main model first."""
    others = [model for model in options.models if model.model_id != options.offered_id]
    return [main_offer(options), *(_offer(model, options.quirk_of(model.model_id)) for model in others)]


def main_offer(options: Options) -> Offer:
    """The model whose id and price the options say."""
    price = {"base_price_usd": options.base_price_usd or 0.0, "price_unit": options.price_unit}
    model = replace(options.model, entry={**options.model.entry, "model_id": options.offered_id, **price})
    quirk = options.quirk_of(options.offered_id)
    if options.model_retired != "no":
        quirk = replace(quirk, retired=options.model_retired)
    if options.base_price_usd is None:
        quirk = replace(quirk, leaves_out=(*quirk.leaves_out, *PRICE))
    return _offer(model, quirk)


def _offer(model: Model, quirk: Quirk) -> Offer:
    schema = with_fields(model.entry["input_schema"], quirk.fields)
    true_entry = {**model.entry, "input_schema": schema}
    said = {**true_entry, "inputs": sorted(schema["properties"]), "required_inputs": schema["required"], **quirk.entry}
    asked = {key: said[key] for key in PRICE}
    price = asked if is_price(*asked.values()) else {}
    changed = replace(
        model,
        entry={**true_entry, **price},
        accepted_schema=with_fields(schema, quirk.accepted_fields),
        takes_unknown=model.takes_unknown if quirk.takes_unknown is None else quirk.takes_unknown,
    )
    return Offer(changed, {key: value for key, value in said.items() if key not in quirk.leaves_out}, quirk)
