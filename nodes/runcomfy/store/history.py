"""What the journal teaches: how long clips take, what they cost, what there is. Reads only."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection

from ..clip_urls import canonical_base
from ..jobs import LEAST_USD, Job, JobQuery, JobState, Page, Totals
from ..settings import PRODUCTION_API
from .database import Database
from .rows import job_of
from .spending import ALL_TIME, day_of, spent

SAMPLES = 20
NAME = re.compile(r"job-(\d{1,15})")
SEED = re.compile(r"(?:seed )?(\d+)")
# The inputs' values are searched and not their names, which all jobs of a model share.
MATCHES = """(:before IS NULL OR id < :before)
    AND (:states = '' OR instr(:states, ',' || state || ',') > 0)
    AND (:model = '' OR model_id = :model)
    AND (:text = '' OR prompt LIKE :pattern ESCAPE '\\' OR request_id LIKE :pattern ESCAPE '\\'
        OR state LIKE :pattern ESCAPE '\\' OR model_id LIKE :pattern ESCAPE '\\'
        OR id = CAST(:number AS INTEGER) OR seed = :seed
        OR CASE WHEN json_valid(inputs)
            THEN EXISTS (SELECT 1 FROM json_each(inputs) WHERE value LIKE :input ESCAPE '\\') ELSE 0 END)"""


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

    def page(self, query: JobQuery) -> Page:
        """A page of jobs, and what was spent in all."""
        found = self.search(
            query.text,
            limit=query.limit + 1,
            before_id=query.before_id,
            states=query.states,
            model_id=query.model_id,
        )
        return Page(tuple(found[: query.limit]), len(found) > query.limit, self.totals(), tuple(self.models()))

    def models(self) -> list[str]:
        """The ids of the models that jobs are of, in order."""
        with self._database.reading() as connection:
            return [row[0] for row in connection.execute("SELECT DISTINCT model_id FROM jobs ORDER BY model_id")]

    def search(
        self,
        text: str,
        *,
        limit: int,
        before_id: int | None = None,
        states: Collection[JobState] = (),
        model_id: str = "",
    ) -> list[Job]:
        """Jobs, newest first; a page begins below `before_id`.

        Args:
            text: A part of the prompt, the request id, the model's id, the state or an input such as `1280x720`; or a whole
                seed or name (`job-7`), as a row of the panel shows it.
            limit: How many.
            before_id: Only jobs with a smaller number.
            states: Only jobs in one of these; empty for all.
            model_id: Only jobs of this model; empty for all.
        """
        pattern = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT * FROM jobs WHERE {MATCHES} ORDER BY id DESC LIMIT :limit",  # noqa: S608 - a constant
                {
                    "before": before_id,
                    "states": f",{','.join(state.value for state in states)}," if states else "",
                    "model": model_id,
                    "text": text,
                    "pattern": pattern,
                    # A row shows a size with the sign for times.
                    "input": pattern.replace("\N{MULTIPLICATION SIGN}", "x"),
                    "number": _number(NAME, text),
                    "seed": _number(SEED, text),
                    "limit": limit,
                },
            )
            return [job_of(row) for row in rows]


def _number(form: re.Pattern[str], text: str) -> str | None:
    named = form.fullmatch(text.strip().lower())
    return None if named is None else named[1]
