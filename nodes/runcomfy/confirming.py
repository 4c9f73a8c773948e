"""How the engine asks the user before an expensive clip is bought, and what it says where nobody can be asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from ..errors import NotConfirmedError
from .progress import PriceBound

# Takes what a clip is expected to cost, None where nobody knows, what that says of the real price, and what a clip may cost
# without a question; raises if the clip is not to be bought.
Confirm = Callable[[float | None, PriceBound, float], None]


class Checks(TypedDict, total=False):
    """What has to be well before money; see `Buyer.buy`."""

    preflight: Callable[[], None]
    confirm: Confirm


def this_clip(price_usd: float | None, bound: PriceBound) -> str:
    """A clip that is to be bought, with its price as far as it is known."""
    return "This clip (its price is not known)" if price_usd is None else f"This clip ({bound.words(price_usd)})"


def nobody_to_ask(price_usd: float | None, bound: PriceBound, most_usd: float) -> None:
    """Refuse a clip that the user wants to be asked about.

    Raises:
        NotConfirmedError: Always.
    """
    raise NotConfirmedError(
        f"You asked to confirm any clip above ${most_usd:.2f}. {this_clip(price_usd, bound)} cannot be confirmed, because "
        "this run was not started in ComfyUI's page, or the page is closed."
    )
