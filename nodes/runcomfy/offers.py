"""How RunComfy describes a model now, else as it last did, else as this pack knows it.

Nothing here spends, and nothing that was bought needs it: collecting, adopting and cancelling go by the request id.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import (
    APIConnectionError,
    ConfigurationError,
    InvalidInputError,
    JournalUnavailableError,
    ModelUnavailableError,
    RunComfyError,
)
from .api.client import Connect
from .catalogue.estimate import PriceEstimate
from .catalogue.facts import priced_wishes
from .catalogue.offer import Offer, check_model_id
from .catalogue.request import CatalogueRequest
from .catalogue.schema import ModelEntry, parse_entry
from .catalogue.shipped import check_offer, shipped_catalogue, unknown_model
from .catalogue.translate import translate
from .catalogue.wishes import Wishes
from .files import read_text, write_private
from .foreign_text import shown
from .generation import SchemaSource
from .progress import Slots, StopSignal
from .store.descriptions import Descriptions

KEPT_KEYS = (
    "model_id",
    "display_name",
    "kind",
    "categories",
    "base_price_usd",
    "price_unit",
    "pricing_note",
    "input_schema",
)
FRESH_S = 3600.0  # then the price and the limits of a model are asked for again
FAILURE_FRESH_S = 60.0
EARLIER_KEPT = 15  # descriptions of a model, besides the last one
# What a model is taken for that only a rehearsal asks for and that nobody has described yet.
UNDESCRIBED = {
    "kind": "model",
    "categories": ["image-to-video"],
    "input_schema": {
        "properties": {
            "prompt": {"type": "string"},
            "negative_prompt": {"type": "string"},
            "image": {"type": "string", "format": "image_uri"},
            "end_image": {"type": "string", "format": "image_uri"},
            "duration": {"type": "integer", "minimum": 1, "maximum": 60, "default": 5},
            "resolution": {"type": "string"},
            "aspect_ratio": {"type": "string"},
            "generate_audio": {"type": "boolean"},
            "seed": {"type": "integer", "minimum": 0},
        }
    },
}
logger = logging.getLogger("runcomfy.sora2pro.offers")


class Offers:
    """Descriptions of models; each is asked for once an hour.

    Args:
        folder: Where the descriptions are kept.
        shared: Those of all machines that share the journal.
        connect: Opens a conversation with the API; raises `MissingTokenError`.
        api_base: The address of the API: each has its own models.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        folder: Path,
        shared: Descriptions,
        connect: Connect,
        api_base: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._shared = shared
        self._connect = connect
        self._api_base = api_base
        self._clock = clock
        # One run at a time asks for a description, and whoever waits for it can be stopped; other models are not held up.
        self._turns: dict[str, Slots] = {}
        self._live: dict[str, tuple[float, Offer]] = {}
        self._failed: dict[str, tuple[float, str]] = {}

    def __repr__(self) -> str:
        """The folder; no token."""
        return f"Offers(folder={str(self._folder)!r})"

    def find(self, model_id: str, stop: StopSignal) -> Offer:
        """The description of a model, asked for at RunComfy where that was not done lately.

        Raises:
            InvalidInputError: There is no such model, or its description is not known.
            JournalUnavailableError: Other machines' descriptions of it cannot be read.
        """
        check_model_id(model_id)
        offer = self._fresh(model_id)
        if offer is None:
            with self._turns.setdefault(model_id, Slots(lambda: 1)).held(stop, on_wait=lambda: None):
                offer = self._fresh(model_id) or self._found(model_id, stop)
        # Another machine may have been told of a newer one since.
        return self._with_earlier(offer, self._shared_records(model_id))

    def _fresh(self, model_id: str) -> Offer | None:
        fresh_until, offer = self._live.get(model_id, (0.0, None))
        return offer if self._clock() < fresh_until else None

    def _found(self, model_id: str, stop: StopSignal) -> Offer:
        failed_until, trouble = self._failed.get(model_id, (0.0, ""))
        if self._clock() < failed_until:
            return self._known(model_id, trouble)
        try:
            return self._ask(model_id, stop)
        except ModelUnavailableError:
            refusal = unknown_model(model_id, shipped_catalogue())
            known = self._last_known(model_id)
            if known is None or not known.fields:
                raise refusal from None
            return Offer(known, refusal=refusal)
        except JournalUnavailableError:
            raise  # what is bought by a description that other machines do not know could be bought twice
        except ConfigurationError:
            # Without a token, say: what was bought is still served, and buying says what is missing.
            if self._last_known(model_id) is None:
                raise
            return self._known(model_id, "it was not asked for")
        except RunComfyError as error:
            if isinstance(error, APIConnectionError):
                self._failed[model_id] = (self._clock() + FAILURE_FRESH_S, error.what)
            return self._known(model_id, error.what)

    def find_offline(self, model_id: str) -> Offer:
        """The description of a model as far as it is known here, and by what others something may have been bought.

        Raises:
            InvalidInputError: This cannot be the id of a model.
            JournalUnavailableError: Other machines' descriptions of it cannot be read.
        """
        offer = self.describe(model_id)
        return self._with_earlier(offer, self._shared_records(model_id)) if offer.is_described else offer

    def describe(self, model_id: str) -> Offer:
        """The description of a model as far as it is known here; that of a model like any other where it is not."""
        check_model_id(model_id)
        known = self._last_known(model_id)
        if known is not None and known.fields:
            return Offer(known)
        note = "RunComfy has not been asked about this model yet, so its own limits are not checked."
        return Offer(parse_entry({"model_id": model_id, **UNDESCRIBED}), note=note, is_described=False)

    def estimate(
        self, model_id: str, wishes: Wishes, last_cost_usd: Callable[[str, str], float | None]
    ) -> PriceEstimate:
        """What a clip is expected to cost, as far as this machine knows: what the last one of its kind cost counts most.

        Args:
            model_id: The model.
            wishes: Those that move money count.
            last_cost_usd: What the last clip of a model and kind cost, or None.

        Raises:
            InvalidInputError: The model cannot fulfil a wish.
        """
        entry, catalogue = self.describe(model_id).entry, shipped_catalogue()
        translation = translate(entry, priced_wishes(entry, wishes), catalogue=catalogue, is_strict=False)
        request = CatalogueRequest(entry, translation, pictures=(), take=0)
        expected = replace(translation.price, usd=request.list_usd)
        paid_usd = last_cost_usd(model_id, request.kind)
        if paid_usd is None:
            return expected
        if expected.shortest_usd is None:
            return PriceEstimate(paid_usd, is_total=True)
        # The last clip may have been a short one.
        most_usd = max(paid_usd, expected.usd or 0.0)
        return replace(expected, usd=most_usd, shortest_usd=min(paid_usd, expected.shortest_usd))

    def _ask(self, model_id: str, stop: StopSignal) -> Offer:
        with self._connect(stop=stop) as client:
            document = client.model_document(model_id)
        shipped = shipped_catalogue().find(model_id)
        entry = parse_entry(document, shipped)
        try:
            check_offer(entry, model_id, shipped_catalogue())
        except InvalidInputError as refusal:
            return Offer(entry if entry.model_id == model_id else self._last_known(model_id) or entry, refusal=refusal)
        self._keep(model_id, entry, document)
        offer = Offer(entry, source=SchemaSource.LIVE)
        self._live[model_id] = (self._clock() + FRESH_S, offer)
        return offer

    def _with_earlier(self, offer: Offer, shared: list[dict[str, Any]]) -> Offer:
        """With the other descriptions by which something may have been bought, here or on another machine."""
        model_id, now = offer.entry.model_id, offer.entry.schema_hash
        shipped = shipped_catalogue().find(model_id)
        by_hash: dict[str, ModelEntry] = {}
        kept = (_entry_of(model_id, one) for one in (*self._records(model_id), *shared))
        for one in (*kept, shipped):
            if one is not None and one.schema_hash != now:
                by_hash.setdefault(one.schema_hash, one)
        return replace(offer, earlier=tuple(by_hash.values()))

    def _known(self, model_id: str, trouble: str) -> Offer:
        """The last description that is at hand.

        Raises:
            InvalidInputError: There is none.
        """
        kept = self._kept(model_id)
        entry = kept or shipped_catalogue().find(model_id)
        if entry is None:
            raise InvalidInputError(
                f"This pack does not know the model '{shown(model_id)}', and RunComfy's description of it cannot be read: "
                f"{trouble}",
                remedy="Choose a model from the list of the node, or try again later.",
            )
        if entry.is_retired:
            raise unknown_model(model_id, shipped_catalogue())
        logger.info("RunComfy's description of %s cannot be read: %s", model_id, trouble)
        return Offer(
            entry,
            note="RunComfy's description of the model could not be read, so the last known one was used.",
            source=SchemaSource.SHIPPED if kept is None else SchemaSource.KEPT,
        )

    def _last_known(self, model_id: str) -> ModelEntry | None:
        return self._kept(model_id) or shipped_catalogue().find(model_id)

    def _path(self, model_id: str) -> Path:
        digest = hashlib.sha256(f"{self._api_base} {model_id}".encode()).hexdigest()
        return self._folder / f"{digest[:32]}.json"

    def _keep(self, model_id: str, entry: ModelEntry, document: dict[str, Any]) -> None:
        kept = {key: document[key] for key in KEPT_KEYS if key in document}
        now = {"schema_hash": entry.schema_hash, "model": kept}
        # What was bought by an earlier one is to be known again.
        earlier = [one for one in self._records(model_id) if one.get("schema_hash") != entry.schema_hash]
        self._shared.keep(model_id, {str(one.get("schema_hash")): json.dumps(one) for one in (now, *earlier)})
        try:
            write_private(self._path(model_id), json.dumps({**now, "earlier": earlier[:EARLIER_KEPT]}))
        except OSError as error:
            logger.info("The description of %s cannot be kept: %s", shown(model_id), error)

    def _kept(self, model_id: str) -> ModelEntry | None:
        """The last description from RunComfy."""
        for record in self._records(model_id)[:1]:
            entry = _entry_of(model_id, record)
            if entry is not None and entry.schema_hash == record.get("schema_hash"):
                return entry
        return None

    def _shared_records(self, model_id: str) -> list[dict[str, Any]]:
        """All that any machine was told; raises `JournalUnavailableError`."""
        found: list[dict[str, Any]] = []
        for document in self._shared.of(model_id).values():
            with suppress(ValueError, RecursionError):
                found.append(json.loads(document))
        return found

    def _records(self, model_id: str) -> list[dict[str, Any]]:
        """All descriptions from RunComfy that are kept here, the latest first."""
        try:
            last = json.loads(read_text(self._path(model_id)))
        except (OSError, ValueError, RecursionError):
            return []
        if not isinstance(last, dict):
            return []
        earlier = last.pop("earlier", [])
        return [one for one in (last, *(earlier if isinstance(earlier, list) else [])) if isinstance(one, dict)]


def _entry_of(model_id: str, record: dict[str, Any]) -> ModelEntry | None:
    """A kept description; None where it is damaged."""
    with suppress(TypeError, KeyError, RecursionError, InvalidInputError):
        entry = parse_entry(record["model"], shipped_catalogue().find(model_id))
        if entry.model_id == model_id:
            return entry
    return None
