"""Where the documentation is silent or contradicts itself, a switch: which RunComfy is this one?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .models import SORA_2_PRO, Model

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Options:
    """Everything about RunComfy that is not certain; the defaults follow its documentation.

    Attributes:
        model: What the model on offer takes.
        model_id: Another id for it; None for its own.
        other_model_ids: Models that take the same body but are not in the catalogue.
        foreign_ids: Request ids that belong to another account: 403001.
        accept_data_uri: Whether `input_reference` may be a data URI; else https only, 422.
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
        model_retired: How a withdrawn model shows: refused with 400001 or 404, or accepted and failed.
        failure: Every request ends as failed with this `error` (a string or an object), a moderation text for example.
        refund_failed: Whether a failed request is given back. Not documented.
        cancel_reply: "documented", "odd" (the documentation's own sample: status completed, outcome cancelled),
            "requested" (outcome cancellation_requested) or "bare" (no outcome at all).
        echo_model_id: The `model_id` of the request in the result.
        echo_input: The request's body in the result, with a decoy URL in it.
        ahead_in_queue: Other people's requests before ours; one leaves the queue with each look.
        url_lifetime_s: How long a clip's URL is good for; a new /result gives a new one.
    """

    model: Model = SORA_2_PRO
    model_id: str | None = None
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
    model_retired: Literal["no", "400001", "404", "failed"] = "no"
    failure: Any = None
    refund_failed: bool = False
    cancel_reply: Literal["documented", "odd", "requested", "bare"] = "documented"
    echo_model_id: bool = False
    echo_input: bool = False
    ahead_in_queue: int = 0
    url_lifetime_s: float = 7 * 86400.0

    @property
    def offered_id(self) -> str:
        """The id of the model on offer."""
        return self.model_id or self.model.model_id

    def price_usd(self, seconds: int) -> float:
        """What one request of so many seconds costs."""
        base_usd = self.base_price_usd or 0.0
        return round(base_usd * seconds, 6) if self.price_unit == "second" else base_usd
