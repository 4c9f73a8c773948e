"""What a clip is expected to cost. A price that cannot be read never blocks."""

from __future__ import annotations

import itertools
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import MissingTokenError, RunComfyError
from .generation import ClipRequest
from .jobs import LEAST_USD
from .models import ModelSpec, Scalar
from .progress import PriceBound, StopSignal

if TYPE_CHECKING:
    from .api.answers import CatalogueEntry
    from .api.client import Client, Connect
    from .store.history import History

OPEN_LENGTH = frozenset({PriceBound.AT_MOST, PriceBound.AT_LEAST_FOR_THE_LONGEST})
FRESH_S = 3600.0
FAILURE_FRESH_S = 60.0
# For the answer to another run's question: without it, a batch under a spend cap would count the list price.
PATIENCE_S = 1.0
LOOK_INTERVAL_S = 0.1  # at whether the run was asked to end
logger = logging.getLogger("runcomfy.sora2pro.pricing")


@dataclass(frozen=True, slots=True)
class PriceRange:
    """What one clip is expected to cost, in US dollars; both None where nobody can say, `max_usd` alone for a price "from".

    Attributes:
        is_about: Whether it is the public list price, because RunComfy cannot be asked without a token.
    """

    min_usd: float | None
    max_usd: float | None
    is_about: bool = False


class Pricing:
    """Prices by the user's own history and RunComfy's catalogue, which is asked at most once an hour.

    Args:
        history: What the user paid before.
        clock: Monotonic seconds.
    """

    def __init__(self, *, history: History, clock: Callable[[], float] = time.monotonic) -> None:
        self._history = history
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, CatalogueEntry | None]] = {}
        self._questions: dict[str, threading.Event] = {}

    def __repr__(self) -> str:
        """The models whose price is known; no token."""
        return f"Pricing(known={sorted(self._known)!r})"

    def range_usd(self, connect: Connect, model: ModelSpec, choices: Mapping[str, Sequence[Scalar]]) -> PriceRange:
        """The prices of a model's clips, where each input that sets the price has one of some values."""
        kinds = [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]
        is_about = False
        known: list[float | None] = []
        for kind in kinds:
            try:
                known.append(self._known_usd(connect, model, kind))
            except MissingTokenError:
                is_about = True
                known.append(model.public_usd(kind))
        prices = [usd for usd in known if usd is not None]
        if not prices or len(prices) < len(known):
            return PriceRange(None, None)
        # RunComfy's base price knows nothing of sizes, so for the larger ones it is the least.
        is_from = not is_about and any(model.costs_more(kind) and self._paid_usd(model, kind) is None for kind in kinds)
        return PriceRange(min(prices), None if is_from else max(prices), is_about)

    def expected_usd(self, client: Client, model: ModelSpec, inputs: Mapping[str, Scalar]) -> float | None:
        """US dollars for one clip, or None where nobody can say."""
        last_usd = self._paid_usd(model, inputs)
        if last_usd is not None:
            return last_usd
        return expected_usd(self._entry(client, model.model_id, StopSignal()), model.length_s(inputs))

    def expected(self, client: Client, request: ClipRequest, stop: StopSignal) -> tuple[float | None, PriceBound]:
        """The same for a request of a run, with what it says of the real price.

        Raises:
            Stopped: The run was asked to end.
        """
        last_usd = self._history.last_cost_usd(request.model_id, request.kind)
        # Where the model decides the length, the last clip may have been a short one.
        if last_usd is not None and request.price_bound not in OPEN_LENGTH:
            return last_usd, PriceBound.ABOUT
        usd = request.expected_usd(
            lambda model_id, length_s: expected_usd(self._entry(client, model_id, stop), length_s)
        )
        if usd is None:
            return last_usd, PriceBound.ABOUT
        return (usd if last_usd is None else max(usd, last_usd)), request.price_bound

    def _known_usd(self, connect: Connect, model: ModelSpec, inputs: Mapping[str, Scalar]) -> float | None:
        """The price of one kind of clip; raises `MissingTokenError` where only RunComfy could say it."""
        try:
            with connect() as client:
                return self.expected_usd(client, model, inputs)
        except RunComfyError as error:
            # Where RunComfy cannot be asked, the user's own past can.
            last_usd = self._paid_usd(model, inputs)
            if last_usd is None and isinstance(error, MissingTokenError):
                raise
            return last_usd

    def _paid_usd(self, model: ModelSpec, inputs: Mapping[str, Scalar]) -> float | None:
        """What the user last paid for such a clip."""
        return self._history.last_cost_usd(model.model_id, model.kind(inputs))

    def _entry(self, client: Client, model_id: str, stop: StopSignal) -> CatalogueEntry | None:
        """The catalogue's word on a model. While one run asks, the others wait for a moment and then go on without it."""
        with self._lock:
            fresh_until, known = self._known.get(model_id, (-math.inf, None))
            if self._clock() < fresh_until:
                return known
            answered = self._questions.get(model_id)
            if answered is None:
                asking = self._questions[model_id] = threading.Event()
        if answered is not None:
            if known is None:
                _wait_for(answered, stop)
            with self._lock:
                return self._known.get(model_id, (0.0, None))[1]
        try:
            entry, fresh_s = _ask(client, model_id)
            with self._lock:
                self._known[model_id] = (self._clock() + fresh_s, entry)
            return entry
        finally:
            with self._lock:
                del self._questions[model_id]
            asking.set()


def _wait_for(answered: threading.Event, stop: StopSignal) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while not answered.wait(LOOK_INTERVAL_S) and time.monotonic() < give_up_at:
        stop.check()


def _ask(client: Client, model_id: str) -> tuple[CatalogueEntry | None, float]:
    """What the catalogue says, and for how many seconds to believe it."""
    try:
        return client.catalogue_entry(model_id), FRESH_S
    except RunComfyError as error:
        logger.info("The price of %s cannot be read: %s", model_id, error.what)
        return None, FAILURE_FRESH_S


def expected_usd(entry: CatalogueEntry | None, length_s: float) -> float | None:
    """What a clip of so many seconds costs by the catalogue's base price, or None where it cannot say.

    The base price knows nothing of sizes: what the user last paid for the same kind of clip is the better guide.
    """
    if entry is None or entry.base_price_usd is None or entry.base_price_usd < LEAST_USD:
        return None
    if entry.price_unit == "second":
        return entry.base_price_usd * length_s if length_s else None
    return entry.base_price_usd if entry.price_unit in ("output", "video") else None
