"""Where the documentation is silent or contradicts itself, a switch: which RunComfy is this one?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .models import EVERY_MODEL, SORA_2_PRO, Model
from .quirks import EVERY, Quirk, Retired

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Options:
    """Everything about RunComfy that is not certain; the defaults follow its documentation.

    Attributes:
        model: The main model: the one whose id, price and withdrawal these options say.
        model_id: Another id for it; None for its own.
        models: What else is on offer, each at the price of its own catalogue entry.
        quirks: What is odd about a model, by its id; `"*"` is for every model that is not named.
        other_model_ids: Models that take the same body but are not in the catalogue.
        foreign_ids: Request ids that belong to another account: 403001.
        accept_data_uri: Whether media may be data URIs; else https only, 422.
        strict: Wrong input is refused with 422; without it, it is accepted, charged, and fails in the end.
        errors: "documented" answers 400 with 400001, 400002, 400004; "http" answers 404, 402, 401.
        submit_status: 200 as documented, or 202 with a `status` as in RunComfy's own tests.
        not_ready: /result before the end: the current state with 200, or 400 with 400005.
        words: Other words for the documented statuses: ``{"in_queue": "pending", "cancelled": "canceled"}``.
        success_word: What /result calls success.
        output_shape: Where the clip's URL is in `output`.
        cost: `cost` in the result: at once, from the second read on, or never (always only if asked for).
        base_price_usd: The catalogue's price per `price_unit`; None leaves it out of the catalogue.
        price_unit: "second" or "output".
        balance_usd: What is in the account before anything is charged.
        model_retired: How the main model shows that it is withdrawn: see `Quirk.retired`.
        failure: Every request ends as failed with this `error` (a string or an object), a moderation text for example.
        refund_failed: Whether a failed request is given back. Not documented.
        cancel_reply: "documented", "odd" (the documentation's own sample: status completed, outcome cancelled),
            "requested" (outcome cancellation_requested) or "bare" (no outcome at all).
        echo_model_id: The `model_id` of the request in the result.
        echo_input: The request's body in the result, with a decoy URL in it.
        ahead_in_queue: Other people's requests before ours; one leaves the queue with each look.
        url_lifetime_s: How long a clip's URL is good for; a new /result gives a new one.
        true_size: Whether clips larger than 1280 pixels are so large; else they are smaller, in the same shape. Never so
            for a model that takes its size in pixels.
    """

    model: Model = SORA_2_PRO
    model_id: str | None = None
    models: tuple[Model, ...] = EVERY_MODEL
    quirks: Mapping[str, Quirk] = field(default_factory=dict)
    other_model_ids: tuple[str, ...] = ()
    foreign_ids: frozenset[str] = frozenset()
    accept_data_uri: bool = True
    strict: bool = True
    errors: Literal["documented", "http"] = "documented"
    submit_status: int = 200
    not_ready: Literal["state", "400005"] = "state"
    words: Mapping[str, str] = field(default_factory=dict)
    success_word: Literal["succeeded", "completed"] = "succeeded"
    output_shape: Literal["video", "videos", "string", "list", "nested"] = "video"
    cost: Literal["included", "late", "absent"] = "included"
    base_price_usd: float | None = 0.3
    price_unit: str = "second"
    balance_usd: float = 1000.0
    model_retired: Retired = "no"
    failure: Any = None
    refund_failed: bool = False
    cancel_reply: Literal["documented", "odd", "requested", "bare"] = "documented"
    echo_model_id: bool = False
    echo_input: bool = False
    ahead_in_queue: int = 0
    url_lifetime_s: float = 7 * 86400.0
    true_size: bool = False

    @property
    def offered_id(self) -> str:
        """The id of the model on offer."""
        return self.model_id or self.model.model_id

    def quirk_of(self, model_id: str) -> Quirk:
        """What is odd about a model."""
        return self.quirks.get(model_id) or self.quirks.get(EVERY) or Quirk()
