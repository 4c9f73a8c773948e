"""What a clip is expected to cost. A price that cannot be read never blocks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from ..errors import RunComfyError
from .answers import CatalogueEntry
from .client import Client
from .history import History
from .models import ModelSpec, Scalar
from .spending import expected_usd

FRESH_S = 3600.0
FAILURE_FRESH_S = 60.0
logger = logging.getLogger("runcomfy.sora2pro.pricing")


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

    def expected_usd(self, client: Client, model: ModelSpec, inputs: Mapping[str, Scalar]) -> float | None:
        """US dollars for one clip, or None where nobody can say."""
        last_usd = self._history.last_cost_usd(model.model_id, model.kind(inputs))
        if last_usd is not None:
            return last_usd
        return expected_usd(self._entry(client, model.model_id), model.length_s(inputs))

    def _entry(self, client: Client, model_id: str) -> CatalogueEntry | None:
        with self._lock:
            if model_id in self._known and self._clock() < self._known[model_id][0]:
                return self._known[model_id][1]
            entry: CatalogueEntry | None
            try:
                entry, fresh_s = client.catalogue_entry(model_id), FRESH_S
            except RunComfyError as error:
                logger.info("The price of %s cannot be read: %s", model_id, error.what)
                entry, fresh_s = None, FAILURE_FRESH_S
            self._known[model_id] = (self._clock() + fresh_s, entry)
            return entry
