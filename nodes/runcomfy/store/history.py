"""What the journal teaches: how long clips take, what they cost, what there is. Reads only."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..clip_urls import canonical_base
from ..jobs import LEAST_USD, Job, Totals
from ..settings import PRODUCTION_API
from .database import Database
from .rows import job_of
from .spending import ALL_TIME, day_of, spent

SAMPLES = 20


class History:
    """Questions to the journal's file.

    Args:
        database: The file.
        clock: Seconds since the epoch.
        api_base: The address in use: prices and times of another one, such as an emulator's, say nothing of it.
    """

    def __init__(
        self, database: Database, *, clock: Callable[[], float] = time.time, api_base: str = PRODUCTION_API
    ) -> None:
        self._database = database
        self._api_base = canonical_base(api_base)
        self._clock = clock

    def render_times_s(self, like: Job) -> list[float]:
        """How long the user's last clips of a job's kind took from leaving the queue to being ready, newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT render_s FROM jobs WHERE model_id = ? AND kind = ? AND render_s IS NOT NULL "
                "AND (api_base IS NULL OR api_base = ?) ORDER BY id DESC LIMIT ?",
                (like.model_id, like.kind, self._api_base, SAMPLES),
            )
            return [row[0] for row in rows]

    def last_cost_usd(self, model_id: str, kind: str) -> float | None:
        """What the user last paid for a clip of this kind."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT cost_usd FROM jobs WHERE model_id = ? AND kind = ? AND cost_usd >= ? "
                "AND state IN ('completed', 'downloaded') AND (api_base IS NULL OR api_base = ?) ORDER BY id DESC LIMIT 1",
                (model_id, kind, LEAST_USD, self._api_base),
            ).fetchone()
            return None if row is None else float(row[0])

    def totals(self) -> Totals:
        """What was spent today and in all."""
        with self._database.reading() as connection:
            (count,) = connection.execute("SELECT COUNT(*) FROM jobs").fetchone()
            return Totals(
                today_usd=spent(connection, day_of(self._clock())).usd,
                all_time_usd=spent(connection, ALL_TIME).usd,
                job_count=count,
            )

    def search(self, text: str, *, limit: int, before_id: int | None = None) -> list[Job]:
        """Jobs whose prompt, request id or state holds a text, newest first; a page begins below `before_id`."""
        pattern = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM jobs WHERE (:before IS NULL OR id < :before) AND (:text = '' OR prompt LIKE :pattern ESCAPE '\\' "
                "OR request_id LIKE :pattern ESCAPE '\\' OR state LIKE :pattern ESCAPE '\\') ORDER BY id DESC LIMIT :limit",
                {"before": before_id, "text": text, "pattern": pattern, "limit": limit},
            )
            return [job_of(row) for row in rows]
