"""The SQLite file below the journal: durable to the last commit, or a clear refusal."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import NullPool

from ...errors import JournalUnavailableError
from ..files import give_name, make_private_dir
from .locks import JobLock, JournalLock
from .salvage import salvage
from .schema import VERSION, migrate
from .spending import day_of
from .transactions import Moment

BUSY_TIMEOUT_S = 10.0
NEW = ".new-"  # begins the name of a folder in which a new journal is being made


class Database:
    """Transactions on one SQLite file. Safe to use from many threads and processes at once.

    Each transaction has a connection of its own: that costs a fraction of a millisecond beside the fsync of a commit, and
    leaves nothing that a thread, a fork or a moved file could spoil.

    Args:
        path: The file; its folder is made.
        clock: Seconds since the epoch, for the name of a file that is set aside.
        busy_timeout_s: How long to wait for another process.
    """

    machine: str | None = None

    def __init__(
        self, path: Path, *, clock: Callable[[], float] = time.time, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> None:
        self.path = path
        self._clock = clock
        self._busy_timeout_s = busy_timeout_s
        self._lock = JournalLock(path.with_suffix(".lock"), timeout_s=busy_timeout_s)
        self._check_lock = threading.Lock()
        self._is_checked = False
        self._engine = create_engine("sqlite://", creator=self._connect, poolclass=NullPool)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for queries."""
        with self._errors():
            if not self._is_checked:
                self._remove_leftovers()
            with self._lock.held(is_exclusive=False), self._engine.connect() as connection:
                yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that holds the write lock from its beginning; committed at the end, rolled back on an error."""
        with self.reading() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def right(self, fingerprint: str) -> JobLock:
        """The right to work on the job of a fingerprint."""
        return JobLock(self.path.parent / "locks", fingerprint)

    def check_right(self, _connection: Connection, _fingerprint: str) -> None:
        """A lock of the operating system cannot be lost while its file is open."""

    def requests_in_flight(self, _connection: Connection, _api_base: str, _account: str | None) -> int:
        """None but those that each process counts: there is no other machine."""
        return 0

    def workers(self, _connection: Connection, _job_ids: Sequence[int]) -> dict[int, str]:
        """Nobody tells: there is no other machine."""
        return {}

    def moment(self, _connection: Connection, clock: Callable[[], float]) -> Moment:
        """This machine's time: nobody else writes here."""
        now = clock()
        return Moment(now, day_of(now))

    def _connect(self) -> sqlite3.Connection:
        with self._check_lock:
            if not self._is_checked:
                self._check()
                self._is_checked = True
        return self._open()

    def _open(self) -> sqlite3.Connection:
        make_private_dir(self.path.parent)
        if not self.path.exists():
            # SQLite gives its side files the rights of the main file.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(self.path, timeout=self._busy_timeout_s, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            # DELETE with EXTRA survives a power cut after any commit; WAL does not, and fails on some shared folders.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA synchronous = EXTRA")
            # On macOS a plain fsync ends in the drive's cache; elsewhere this changes nothing.
            connection.execute("PRAGMA fullfsync = ON")
            self._bring_up_to_date(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self) -> None:
        """Is the file whole?

        Raises:
            sqlite3.DatabaseError: It is not.
        """
        with contextlib.closing(self._open()) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict.rpartition("\n")[2])  # before it stands which database it is of

    def _bring_up_to_date(self, connection: sqlite3.Connection) -> None:
        """At every opening: somebody may have put another file in the place of this one while ComfyUI ran."""
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise JournalUnavailableError(
                f"The journal {self.path} was written by a newer version of this node pack.",
                remedy="Update the pack, or point RUNCOMFY_STATE_DIR to another folder.",
            )
        if version < VERSION:
            migrate(connection)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with _as_sqlite_says():
                yield
        except (sqlite3.OperationalError, OSError) as error:
            raise JournalUnavailableError(
                f"The journal {self.path} cannot be used ({_plainly(error)}), and nothing is bought without a record.",
                remedy="Make room or change the folder's permissions, close other programs that hold the file, or point "
                "RUNCOMFY_STATE_DIR to a folder on a local disk; then run the node again.",
            ) from error
        except sqlite3.DatabaseError as error:
            raise self._set_aside(error) from error

    def _set_aside(self, error: sqlite3.DatabaseError) -> JournalUnavailableError:
        try:
            # In this order: whoever opens the file has its lock first, too.
            with self._lock.held(is_exclusive=True), self._check_lock:
                self._is_checked = False
                # Another thread, engine or process may have met the same damage and begun a new journal already.
                if not self._is_damaged():
                    return JournalUnavailableError(
                        f"The journal was found damaged ({error}), and another run has begun a new one.",
                        remedy="Run the node again.",
                    )
                aside, kept = self._begin_again()
        except (OSError, sqlite3.Error) as trouble:
            return JournalUnavailableError(
                f"The journal {self.path} is damaged ({error}) and could not be set aside ({_plainly(trouble)}).",
                money="Nothing was sent in this run.",
                remedy="Make room on the disk or change the folder's permissions, then run the node again. Do not delete the "
                "file: what can be read of it keeps earlier purchases from being made again.",
            )
        look = (
            "look in the output folder and under Generations on runcomfy.com: a clip that is there need not be bought again; "
            "the RunComfy Request Status node collects it by its request id."
        )
        if kept == 0:
            return JournalUnavailableError(
                f"The journal was damaged ({error}) and was set aside as {aside}.",
                money="Nothing was sent in this run. The next run starts an empty journal, which does not know earlier "
                "purchases.",
                remedy=f"Before you run a graph again, {look}",
            )
        return JournalUnavailableError(
            f"The journal was damaged ({error}) and was set aside as {aside}. What could be read of it, "
            f"{kept} job{'' if kept == 1 else 's'}, is in a new one.",
            money="Nothing was sent in this run. The jobs that could be read are not bought again; others are no longer known.",
            remedy=f"Look at the list of jobs. Before you run a graph whose job is missing there, {look}",
        )

    def _begin_again(self) -> tuple[Path, int]:
        """Put a new journal into the place of the damaged one, in one step: nobody ever meets an empty one in between.

        The caller holds the lock alone. What takes room comes first, in a folder of its own: where that fails, all is as it
        was.

        Returns:
            Where the damaged file is now, and how many of its jobs could be taken over.

        Raises:
            OSError: It cannot be done, or the file was changed in the meantime by a program that does not know the lock.
            sqlite3.Error: The same; `sqlite3.OperationalError` where another program is writing to the file.
        """
        aside, damaged = self._unused_name(), self._state_of_file()
        with tempfile.TemporaryDirectory(dir=self.path.parent, prefix=NEW) as folder:
            new = Database(Path(folder) / "new.sqlite3")
            # Not by `writing`: what goes wrong is told of the damaged journal, not of a file that nobody knows.
            with contextlib.closing(new._open()) as connection:
                connection.execute("BEGIN IMMEDIATE")
                kept = salvage(self.path, connection)
                connection.commit()
            copies = [
                (Path(shutil.copy2(source, folder)), aside.with_name(aside.name + suffix))
                for suffix in ("", "-journal")
                if (source := self.path.with_name(self.path.name + suffix)).exists()
            ]
            for copy, name in copies:
                give_name(copy, name)
            self._check_unused()
            if self._state_of_file() != damaged:
                raise OSError(errno.EBUSY, "another program changed it at this moment")
            # SQLite would roll it back into the new file.
            self.path.with_name(f"{self.path.name}-journal").unlink(missing_ok=True)
            give_name(new.path, self.path)
        return aside, kept

    def _state_of_file(self) -> tuple[int, ...]:
        """Which file it is, and its content as far as that shows from outside."""
        found = self.path.stat()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def _check_unused(self) -> None:
        """Refuse while a program that does not know our lock has a transaction in the file.

        Raises:
            sqlite3.OperationalError: It has.
        """
        with contextlib.closing(sqlite3.connect(self.path, timeout=0, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.rollback()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                pass  # a file that is damaged so far that nobody can begin a transaction in it

    def _remove_leftovers(self) -> None:
        """Delete what a process left that was killed while it made a new journal."""
        leftovers = list(self.path.parent.glob(f"{NEW}*"))
        if leftovers:
            # Whoever holds the lock is making one right now.
            with (
                contextlib.suppress(BlockingIOError, PermissionError),
                self._lock.held(is_exclusive=True, is_patient=False),
            ):
                for folder in leftovers:
                    shutil.rmtree(folder, ignore_errors=True)

    def _unused_name(self) -> Path:
        name = f"{self.path.stem}.damaged-{int(self._clock())}"
        number = sum(1 for _ in self.path.parent.glob(f"{name}*{self.path.suffix}"))
        return self.path.with_name(f"{name}{f'-{number}' if number else ''}{self.path.suffix}")

    def _is_damaged(self) -> bool:
        try:
            self._check()
        except sqlite3.DatabaseError as error:
            return not isinstance(error, sqlite3.OperationalError)
        return False


@contextlib.contextmanager
def _as_sqlite_says() -> Iterator[None]:
    """Take SQLAlchemy's wrapping off an error, but not off a value that the tables refuse."""
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise (error.orig or error) from None


def _plainly(error: sqlite3.Error | OSError) -> str:
    if isinstance(error, BlockingIOError):
        return "other runs are using it"
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
