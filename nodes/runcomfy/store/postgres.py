"""PostgreSQL below the journal: one journal for many machines, durable to the last commit, or a clear refusal."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import re
import secrets
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ...errors import JournalUnavailableError, MissingDependencyError
from .advisory import AdvisoryLock, AdvisoryLocks
from .postgres_errors import BUSY, POOL, away, described, may_pass, unusable
from .schema import MIGRATIONS, VERSION, statements_of
from .spending import Period
from .tables import METADATA, account_key
from .transactions import Moment

OLDEST = 140_000  # as `server_version_num` counts: 14.0
POOL_TIMEOUT_S = 10.0
# A server that is started again is back within these.
PATIENCE_S = 3.0
CONNECT_INTERVAL_S = 0.2
KEY_BYTES = 32
# A machine that vanished without a word holds its locks no longer than a minute; one that hangs in a transaction, ten seconds.
SESSION = (
    "SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '10s'; "
    "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"
)
CONNECTION = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
}
CALLED = "runcomfy on "  # before the machine's name in that of a session, which has 63 bytes
MAX_NAME_CHARS = 48
# Two numbers: the locks of jobs have one (see `advisory`). The first spells "runc".
ALONE = text("SELECT pg_advisory_xact_lock(1920298595, 1)")
# By way of pg_class: to look it up there makes the session take note of what others have made.
FOUND = text("SELECT count(*) FROM pg_class WHERE oid = to_regclass('journal_version')")
STATE = text(
    "SELECT current_setting('synchronous_commit'), current_setting('transaction_read_only'), "
    "(SELECT version FROM journal_version)"
)
NOW = text(
    "SELECT extract(epoch FROM t)::float8, extract(epoch FROM date_trunc('day', t))::float8, "
    "extract(epoch FROM date_trunc('day', t) + interval '1 day')::float8 FROM clock_timestamp() AS t"
)
_databases: weakref.WeakSet[PostgresDatabase] = weakref.WeakSet()


class PostgresDatabase:
    """Transactions on one database of PostgreSQL 14 or newer. Safe to use from many threads, processes and machines at once.

    Whoever writes does so alone, as in SQLite: what was read in a transaction stays true until its commit.

    Args:
        url: `postgresql+psycopg://user@host/database`; the password may be in it, or where libpq looks for it
            (https://www.postgresql.org/docs/current/libpq-envars.html).
        machine: What this machine is called; by default as it calls itself.
        sleep: Waits between two attempts to connect.

    Raises:
        MissingDependencyError: The driver cannot be loaded.
    """

    def __init__(self, url: str, *, machine: str = "", sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep
        self.machine: str | None = session_name(machine or platform.node())
        address = make_url(url)
        self.where = f"{address.host or 'this machine'}{f':{address.port}' if address.port else ''}/{address.database}"
        own = {**CONNECTION, "application_name": f"{CALLED}{self.machine}"}
        try:
            self._engine: Engine = create_engine(
                address,
                isolation_level="READ COMMITTED",
                hide_parameters=True,
                pool_pre_ping=True,
                pool_timeout=POOL_TIMEOUT_S,
                max_overflow=20,
                connect_args={name: value for name, value in own.items() if name not in address.query},
            )
        except ImportError as error:
            raise MissingDependencyError(
                f"The journal is in PostgreSQL, and the Python package psycopg cannot be loaded: {error}.",
                remedy="Install it into ComfyUI's Python with \"pip install 'psycopg[binary]>=3.1.8'\", then restart ComfyUI.",
            ) from error
        event.listen(self._engine, "connect", _begin_session)
        self._is_ready = False
        self._locks = AdvisoryLocks(self._connect, self._errors)
        _databases.add(self)

    def __repr__(self) -> str:
        """The address without user and password."""
        return f"PostgresDatabase({self.where!r})"

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for queries."""
        with self._errors(), self._connect() as connection:
            if not self._is_ready:
                self._bring_up_to_date(connection)
                self._is_ready = True
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that nobody else writes beside; committed at the end, rolled back on an error."""
        with self.reading() as connection:
            connection.execute(ALONE)
            self._check_state(connection)
            yield connection
            connection.commit()

    def right(self, fingerprint: str) -> AdvisoryLock:
        """The right to work on the job of a fingerprint."""
        return AdvisoryLock(self._locks, fingerprint)

    def check_right(self, connection: Connection, fingerprint: str) -> None:
        """Refuse where the right to work on a job was lost with the connection that held it.

        Raises:
            JournalUnavailableError: It was.
        """
        self._locks.check(connection, fingerprint)

    def look(self) -> tuple[int, int] | None:
        """The version of the tables and the number of jobs; None where there is no journal yet. Nothing is changed.

        Raises:
            JournalUnavailableError: The database cannot be used for the journal.
        """
        with self._errors(), self._connect() as connection:
            self._check_server(connection)
            version = _version_in(connection)
            if version is None:
                return None
            self._check_state(connection)
            return version, int(connection.exec_driver_sql("SELECT count(*) FROM jobs").scalar_one())

    def check_locks(self) -> None:
        """Take a lock that nobody else knows, and give it back; raises `JournalUnavailableError`."""
        unique = secrets.token_hex(16)
        self._locks.take(unique)
        self._locks.let_go(unique)

    def requests_in_flight(self, connection: Connection, api_base: str, account: str | None) -> int:
        """Paid requests of an account that a worker, wherever it runs, sends or waits for."""
        return self._locks.count_at_work(connection, api_base, account)

    def workers(self, connection: Connection, job_ids: Sequence[int]) -> dict[int, str]:
        """The machines that work on jobs; one whose address sets an `application_name` of its own is not known."""
        return self._locks.workers(connection, job_ids, CALLED)

    def moment(self, connection: Connection, _clock: Callable[[], float]) -> Moment:
        """The server's time: the clocks of machines differ."""
        now, start, end = connection.execute(NOW).one()
        return Moment(now, Period(start, end))

    def forget_parents_connections(self) -> None:
        """In a forked child: they belong to the parent, which goes on using them."""
        self._engine.dispose(close=False)
        self._locks.forget_parents_session()

    def _connect(self) -> Connection:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self._engine.connect()
            except DBAPIError as error:
                if time.monotonic() > until or not may_pass(error):
                    raise
                self._sleep(CONNECT_INTERVAL_S)

    def _check_server(self, connection: Connection) -> None:
        number = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
        if number < OLDEST:
            raise unusable(
                self.where,
                f"it is PostgreSQL {number // 10_000}, and {OLDEST // 10_000} is the oldest that this node pack knows",
                "Update the server, or point RUNCOMFY_JOURNAL_URL to another one; then run the node again.",
            )

    def _bring_up_to_date(self, connection: Connection) -> None:
        self._check_server(connection)
        if _version_in(connection) != VERSION:
            connection.rollback()
            connection.execute(ALONE)
            self._migrate(connection)
        connection.commit()

    def _migrate(self, connection: Connection) -> None:
        """All of it or nothing, alone with the journal."""
        version = _version_in(connection)
        if version is None:
            METADATA.create_all(connection, checkfirst=False)
            connection.execute(account_key.insert().values(id=1, key=secrets.token_bytes(KEY_BYTES)))
            connection.exec_driver_sql("CREATE TABLE journal_version (version INTEGER NOT NULL)")
            connection.execute(text("INSERT INTO journal_version VALUES (:version)"), {"version": VERSION})
            return
        self._check_version(version)
        for script in MIGRATIONS[version:]:
            for statement in statements_of(script):
                connection.exec_driver_sql(statement)
        connection.execute(text("UPDATE journal_version SET version = :version"), {"version": VERSION})

    def _check_state(self, connection: Connection) -> None:
        """At every transaction: an administrator may change the server, and a newer pack the tables, while ComfyUI runs."""
        durability, is_read_only, version = connection.execute(STATE).one()
        self._check_version(version)
        if durability not in ("on", "remote_apply"):
            raise unusable(
                self.where,
                f"synchronous_commit is '{durability}' there, so a record could be lost after the purchase",
                "Set synchronous_commit to 'on' for the server, the database and the user, then run the node again.",
            )
        if is_read_only == "on":
            raise described("25006", "", self.where)

    def _check_version(self, version: int) -> None:
        if version > VERSION:
            raise JournalUnavailableError(
                f"The journal at {self.where} was written by a newer version of this node pack.",
                remedy="Update the pack on this machine, then run the node again.",
            )

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Tell an error of the database in words; its own may quote what is in the tables."""
        try:
            yield
        except IntegrityError:
            raise
        except PoolTimeoutError:
            raise unusable(self.where, POOL, BUSY) from None
        except DBAPIError as error:
            self._is_ready = False
            raise away(error, self.where) from None


def _version_in(connection: Connection) -> int | None:
    if not connection.execute(FOUND).scalar_one():
        return None
    return int(connection.exec_driver_sql("SELECT version FROM journal_version").scalar_one())


def _begin_session(connection: Any, _record: object) -> None:  # noqa: ANN401 - psycopg may be missing
    connection.autocommit = True
    connection.execute(SESSION)
    connection.autocommit = False


def session_name(machine: str) -> str:
    """A machine's name as far as PostgreSQL shows it among its sessions: printable ASCII, and not all of a long one.

    See https://www.postgresql.org/docs/current/runtime-config-logging.html#GUC-APPLICATION-NAME.
    """
    return re.sub(r"[^!-~]", "?", machine)[:MAX_NAME_CHARS]


@functools.cache
def database_at(url: str) -> PostgresDatabase:
    """The one database of an address in this process: engines for different settings share its connections."""
    return PostgresDatabase(url)


def _forget_parents_connections() -> None:
    for database in list(_databases):
        database.forget_parents_connections()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parents_connections)
