"""What the journal teaches: how long clips take, what they cost, what there is. Reads only."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, func, or_, select
from sqlalchemy import text as sql

from ..clip_urls import canonical_base
from ..jobs import LEAST_USD, Job, JobQuery, JobState, Page, Totals
from ..settings import PRODUCTION_API
from .rows import job_of
from .spending import ALL_TIME, spent
from .tables import jobs
from .transactions import Transactions

SAMPLES = 20
NAME = re.compile(r"job-(\d{1,15})")
SEED = re.compile(r"(?:seed )?(\d+)")
# The inputs' values are searched and not their names, which all jobs of a model share.
INPUTS_MATCH = {
    "sqlite": sql(
        "CASE WHEN json_valid(inputs) THEN EXISTS "
        "(SELECT 1 FROM json_each(inputs) WHERE value LIKE :input ESCAPE '\\') ELSE 0 END"
    ),
    # PostgreSQL's JSON has no character 0, and to unfold it would be an error.
    "postgresql": sql(
        "CASE WHEN position('\\u0000' IN inputs) = 0 THEN EXISTS "
        "(SELECT 1 FROM json_each_text(inputs::json) WHERE value ILIKE :input ESCAPE '\\') ELSE false END"
    ),
}


class History:
    """Questions to the journal.

    Args:
        database: Where it is.
        clock: Seconds since the epoch.
        api_base: The address in use: prices and times of another one, such as an emulator's, say nothing of it.
    """

    def __init__(
        self, database: Transactions, *, clock: Callable[[], float] = time.time, api_base: str = PRODUCTION_API
    ) -> None:
        self._database = database
        self._api_base = canonical_base(api_base)
        self._clock = clock

    def render_times_s(self, like: Job) -> list[float]:
        """How long the user's last clips of a job's kind took from leaving the queue to being ready, newest first."""
        with self._database.reading() as connection:
            of_kind = self._of_kind(jobs.c.render_s, like.model_id, like.kind)
            return list(connection.execute(of_kind.where(jobs.c.render_s.is_not(None)).limit(SAMPLES)).scalars())

    def last_cost_usd(self, model_id: str, kind: str) -> float | None:
        """What the user last paid for a clip of this kind."""
        with self._database.reading() as connection:
            ready = jobs.c.state.in_((JobState.COMPLETED.value, JobState.DOWNLOADED.value))
            of_kind = self._of_kind(jobs.c.cost_usd, model_id, kind)
            return connection.execute(of_kind.where(jobs.c.cost_usd >= LEAST_USD, ready).limit(1)).scalar()

    def totals(self) -> Totals:
        """What was spent today and in all."""
        with self._database.reading() as connection:
            return Totals(
                today_usd=spent(connection, self._database.moment(connection, self._clock).day).usd,
                all_time_usd=spent(connection, ALL_TIME).usd,
                job_count=connection.execute(select(func.count()).select_from(jobs)).scalar_one(),
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
            return sorted(connection.execute(select(jobs.c.model_id).distinct()).scalars())

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
        conditions: list[ColumnElement[bool]] = []
        if before_id is not None:
            conditions.append(jobs.c.id < before_id)
        if states:
            conditions.append(jobs.c.state.in_([state.value for state in states]))
        if model_id:
            conditions.append(jobs.c.model_id == model_id)
        with self._database.reading() as connection:
            if text:
                conditions.append(_matches(text, connection.dialect.name))
            rows = connection.execute(select(jobs).where(*conditions).order_by(jobs.c.id.desc()).limit(limit))
            return [job_of(row) for row in rows.mappings()]

    def _of_kind(self, column: Column[Any], model_id: str, kind: str) -> Select[Any]:
        is_here = or_(jobs.c.api_base.is_(None), jobs.c.api_base == self._api_base)
        of_kind = select(column).where(jobs.c.model_id == model_id, jobs.c.kind == kind, is_here)
        return of_kind.order_by(jobs.c.id.desc())


def _matches(text: str, dialect: str) -> ColumnElement[bool]:
    pattern = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    named, seed = _number(NAME, text), _number(SEED, text)
    searched = (jobs.c.prompt, jobs.c.request_id, jobs.c.state, jobs.c.model_id)
    return or_(
        *(column.ilike(pattern, escape="\\") for column in searched),
        jobs.c.id == (None if named is None else int(named)),
        jobs.c.seed == seed,
        # A row shows a size with the sign for times.
        INPUTS_MATCH[dialect].bindparams(input=pattern.replace("\N{MULTIPLICATION SIGN}", "x")),
    )


def _number(form: re.Pattern[str], text: str) -> str | None:
    named = form.fullmatch(text.strip().lower())
    return None if named is None else named[1]
