"""The right to work on a job, over machines: PostgreSQL's advisory locks, on a connection of their own.

Such a lock belongs to its session, and the server takes it back when that ends
(https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS): no owner record can go stale. So a lost
connection is a lost right, which `check` finds out in the very transaction that would begin to spend.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from ...errors import JournalUnavailableError

TRY = text("SELECT pg_try_advisory_lock(hashtextextended(:fingerprint, 0))")
UNLOCK = text("SELECT pg_advisory_unlock(hashtextextended(:fingerprint, 0))")
# How pg_locks shows a key of 64 bits: https://www.postgresql.org/docs/current/view-pg-locks.html
IS_OF = """
    locktype = 'advisory' AND granted AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND ((classid::bigint << 32) | objid::bigint) = hashtextextended({fingerprint}, 0)
"""
HELD = f"SELECT 1 FROM pg_locks WHERE {IS_OF}"  # noqa: S608 - constants
IS_HELD = text(f"SELECT EXISTS ({HELD.format(fingerprint=':fingerprint')} AND pid = :pid)")
AT_WORK = text(
    "SELECT count(*) FROM jobs WHERE state IN ('submitting', 'submitted') AND is_imported = 0 AND api_base = :api_base "  # noqa: S608 - constants
    f"AND account IS NOT DISTINCT FROM :account AND EXISTS ({HELD.format(fingerprint='jobs.fingerprint')})"
)
# A session is called by its machine; see `postgres`.
WORKERS = text(
    f"SELECT jobs.id, application_name FROM jobs JOIN pg_locks ON {IS_OF.format(fingerprint='jobs.fingerprint')} "  # noqa: S608 - constants
    "JOIN pg_stat_activity USING (pid) WHERE jobs.id = ANY(:job_ids) AND application_name LIKE :is_named"
)
LOST = "The connection to the journal was lost, and with it the right to work on this job: another machine may have it now."


@final
class AdvisoryLocks:
    """The locks that this process holds, all on one session.

    A session may take its own lock twice, so what is held is known here, too.

    Args:
        connect: Opens a connection.
        errors: Tells an error of the database in words.
    """

    def __init__(self, connect: Callable[[], Connection], errors: Callable[[], AbstractContextManager[None]]) -> None:
        self._connect = connect
        self._errors = errors
        self._lock = threading.Lock()
        self._session: Connection | None = None
        self._pid = 0
        self._held: dict[str, int] = {}
        self._inherited: list[Connection] = []

    def take(self, fingerprint: str) -> bool:
        """Take a lock, or return False if anybody has it.

        Raises:
            JournalUnavailableError: The database cannot be asked.
        """
        with self._lock, self._errors():
            if fingerprint in self._held:
                return False
            try:
                is_taken = self._ask(fingerprint)
            except DBAPIError:
                # The session may have ended long ago. What was held on it is lost; a new one says who has this lock now.
                self._end_session()
                is_taken = self._ask(fingerprint)
            if is_taken:
                self._held[fingerprint] = self._pid
            return is_taken

    def let_go(self, fingerprint: str) -> None:
        """Give a lock back; one that was lost is nobody's already."""
        with self._lock:
            pid = self._held.pop(fingerprint, None)
            if self._session is None or pid != self._pid:
                return
            try:
                self._session.execute(UNLOCK, {"fingerprint": fingerprint})
            except DBAPIError:
                self._end_session()

    def check(self, connection: Connection, fingerprint: str) -> None:
        """Refuse where a lock that was taken here is not this session's any more.

        Raises:
            JournalUnavailableError: It is not.
        """
        pid = self._held.get(fingerprint)
        if pid is not None and not connection.execute(IS_HELD, {"fingerprint": fingerprint, "pid": pid}).scalar_one():
            raise JournalUnavailableError(LOST, remedy="Run the node again; it goes on from the job's present state.")

    def count_at_work(self, connection: Connection, api_base: str, account: str | None) -> int:
        """Jobs whose paid request is under way, and that somebody holds the lock of."""
        values = {"api_base": api_base, "account": account}
        return int(connection.execute(AT_WORK, values).scalar_one())

    def workers(self, connection: Connection, job_ids: Sequence[int], called: str) -> dict[int, str]:
        """Who holds the locks of jobs, by their numbers: of sessions whose name begins with `called`, the rest of it."""
        values = {"job_ids": list(job_ids), "is_named": f"{called}%"}
        return {job_id: name.removeprefix(called) for job_id, name in connection.execute(WORKERS, values)}

    def forget_parents_session(self) -> None:
        """In a forked child: the session and its locks are the parent's, and to close it would end it there, too."""
        if self._session is not None:
            self._inherited.append(self._session)
        self._lock, self._session = threading.Lock(), None
        self._held.clear()

    def _ask(self, fingerprint: str) -> bool:
        if self._session is None:
            self._begin_session()
        assert self._session is not None  # noqa: S101 - for the type checker
        return bool(self._session.execute(TRY, {"fingerprint": fingerprint}).scalar_one())

    def _begin_session(self) -> None:
        session = self._connect().execution_options(isolation_level="AUTOCOMMIT")
        driver: Any = session.connection.driver_connection
        session.detach()
        pid = int(session.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
        if pid != driver.info.backend_pid:
            session.close()
            raise JournalUnavailableError(
                "A connection pooler stands between this machine and PostgreSQL: it gives one session to several workers, so a "
                "double purchase could not be ruled out.",
                remedy="Point RUNCOMFY_JOURNAL_URL to the server itself, or let the pooler work by session.",
            )
        self._session, self._pid = session, pid

    def _end_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(DBAPIError):
                session.close()


@final
class AdvisoryLock:
    """The right to work on the job of a fingerprint. A context manager; hold it from one thread.

    Args:
        locks: Those of this process.
        fingerprint: Of the job.
    """

    def __init__(self, locks: AdvisoryLocks, fingerprint: str) -> None:
        self._locks = locks
        self._fingerprint = fingerprint
        self._is_held = False

    def __enter__(self) -> AdvisoryLock:
        """Return this lock; `try_acquire` takes it."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Let go."""
        self.release()

    def try_acquire(self) -> bool:
        """Take the lock, or return False if anybody has it, on this machine or on another.

        Raises:
            JournalUnavailableError: The database cannot be asked.
        """
        self._is_held = self._locks.take(self._fingerprint)
        return self._is_held

    def release(self) -> None:
        """Let go; does nothing if the lock is not held."""
        if self._is_held:
            self._is_held = False
            self._locks.let_go(self._fingerprint)
