"""What the journal knows: jobs by their inputs, number, request or state, and where they were bought. Reads only."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, or_, select, text

from ..clip_urls import canonical_base
from ..jobs import Elsewhere, Job, JobState
from ..settings import PRODUCTION_API
from .database import Database
from .rows import job_of, select_newest, select_one
from .tables import HOLDS_FINGERPRINT, account_key, jobs
from .transactions import Right, Transactions

HOLDER = select(jobs).where(
    jobs.c.fingerprint == bindparam("fingerprint"),
    text(HOLDS_FINGERPRINT),
    or_(jobs.c.api_base.is_(None), jobs.c.api_base == bindparam("api_base")),
)
LATEST = select(jobs).where(jobs.c.fingerprint == bindparam("fingerprint")).order_by(jobs.c.id.desc()).limit(1)
KEY = select(account_key.c.key)


def _no_account(_key: bytes) -> None:
    """The account where nobody says which it is."""


class Records:
    """Jobs in a state folder.

    Args:
        state_dir: The folder; made if it is not there.
        clock: Seconds since the epoch.
        database: Where the jobs are; by default the file `journal.sqlite3` in the folder.
        api_base: The address of the API at which jobs are bought now.
        account: What stands for the account in use, given the folder's secret key; None if there is no token.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        clock: Callable[[], float] = time.time,
        database: Transactions | None = None,
        api_base: str = PRODUCTION_API,
        account: Callable[[bytes], str | None] = _no_account,
    ) -> None:
        self._clock = clock
        self._account = account
        self.api_base = canonical_base(api_base)
        self.database: Transactions = database or Database(state_dir / "journal.sqlite3", clock=clock)

    def lock(self, fingerprint: str) -> Right:
        """The right to work on a job."""
        return self.database.right(fingerprint)

    def find(self, *fingerprints: str) -> Job | None:
        """The job that the same inputs lead to at this address of the API; of several spellings the first that has one."""
        with self.database.reading() as connection:
            return self._holder(connection, fingerprints)

    def latest(self, fingerprint: str) -> Job | None:
        """The job that was begun last for the same inputs, whatever became of it."""
        with self.database.reading() as connection:
            return select_one(connection, LATEST, fingerprint=fingerprint)

    def is_here(self, job: Job) -> bool:
        """Whether a job belongs to the address of the API in use.

        An older journal does not say where a job was bought: it counts as bought here, wherever that is. To believe so costs
        nothing; not to believe it would buy again what is paid for.
        """
        return job.api_base in (None, self.api_base)

    def is_base_proven(self, job: Job) -> bool:
        """Whether "not found" comes from the address at which a job was bought; one of an older journal was at RunComfy's."""
        return (job.api_base or PRODUCTION_API) == self.api_base

    def is_account_proven(self, job: Job) -> bool:
        """Whether the token in use is the one with which a job was bought; that of an older journal is not known."""
        with self.database.reading() as connection:
            return job.account in (None, self._account(_key(connection)))

    def get(self, job_id: int) -> Job | None:
        """A job by its number."""
        return self._one(jobs.c.id == job_id)

    def by_request_id(self, request_id: str) -> Job | None:
        """The job of a request."""
        return self._one(jobs.c.request_id == request_id)

    def newest(self) -> Job | None:
        """The job that was begun last."""
        with self.database.reading() as connection:
            return select_newest(connection)

    def in_state(self, state: JobState) -> list[Job]:
        """All jobs in a state that were not released, newest first."""
        with self.database.reading() as connection:
            wanted = select(jobs).where(jobs.c.state == state.value, jobs.c.is_released == 0)
            return [job_of(row) for row in connection.execute(wanted.order_by(jobs.c.id.desc())).mappings()]

    def elsewhere(self, found: Sequence[Job]) -> dict[int, Elsewhere]:
        """What other machines have of these jobs, by their numbers."""
        here = self.database.machine
        if here is None or not found:
            return {}
        with self.database.reading() as connection:
            workers = self.database.workers(connection, [job.id for job in found])
        files = {job.id: job.file_machine for job in found if job.state is JobState.DOWNLOADED}

        def other(machine: str | None) -> str:
            return "" if machine in (None, here) else str(machine)

        return {job.id: Elsewhere(other(workers.get(job.id)), other(files.get(job.id))) for job in found}

    def _holder(self, connection: Connection, fingerprints: Sequence[str]) -> Job | None:
        """The job that keeps inputs with one of these fingerprints from being bought here; the first that has one."""
        found = (select_one(connection, HOLDER, fingerprint=one, api_base=self.api_base) for one in fingerprints)
        return next((job for job in found if job is not None), None)

    def _origin(self, connection: Connection, account: Callable[[bytes], str | None] | None = None) -> dict[str, Any]:
        return {"api_base": self.api_base, "account": (account or self._account)(_key(connection))}

    def _one(self, condition: ColumnElement[bool]) -> Job | None:
        with self.database.reading() as connection:
            return select_one(connection, select(jobs).where(condition))

    def _now(self, connection: Connection) -> float:
        return self.database.moment(connection, self._clock).now


def _key(connection: Connection) -> bytes:
    return bytes(connection.execute(KEY).scalar_one())
