"""A look at the journal and its locks that changes nothing: no folder is made, no journal is begun, repaired or migrated."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ...errors import JournalUnavailableError
from .locks import LockFile
from .schema import VERSION

BUSY_TIMEOUT_S = 3.0
FREE_DISK = "Make room or change the folder's permissions, or point RUNCOMFY_STATE_DIR to another folder."


@dataclass(frozen=True, slots=True)
class JournalFacts:
    """What a journal is like.

    Attributes:
        version: Of its tables.
        newest_version: The one that this pack writes.
        job_count: How many jobs it has; None where the last write was interrupted: the next run completes or undoes it.
    """

    version: int
    newest_version: int
    job_count: int | None


def look_at_journal(state_dir: Path) -> JournalFacts | None:
    """The journal of a state folder, read from its first page to its last; None where there is none yet.

    Raises:
        JournalUnavailableError: It is damaged, or cannot be read.
    """
    path = state_dir / "journal.sqlite3"
    try:
        if not path.exists():
            return None
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S)) as connection:
            return _facts(connection)
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_READONLY_ROLLBACK":
            return JournalFacts(VERSION, VERSION, None)
        raise JournalUnavailableError(
            f"The journal {path} cannot be read ({error}).",
            remedy="Close other programs that hold the file, change its permissions, or point RUNCOMFY_STATE_DIR to a folder on "
            "a local disk.",
        ) from error
    except OSError as error:
        raise JournalUnavailableError(
            f"The journal {path} cannot be read ({error.strerror}).", remedy=FREE_DISK
        ) from error
    except sqlite3.DatabaseError as error:
        raise JournalUnavailableError(
            f"The journal {path} is damaged ({error}).",
            remedy="Run any node: the pack then sets the file aside and takes over the jobs that can be read. Do not delete it.",
        ) from error


def check_locks(state_dir: Path) -> None:
    """Take a lock in the state folder, see that nobody else gets it, and let go of it. Its file is gone afterwards.

    Raises:
        JournalUnavailableError: No file can be made there, or locks do not work there.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=state_dir, prefix=".lock-check-")
    except OSError as error:
        raise JournalUnavailableError(
            f"The state folder {state_dir} cannot be written ({error.strerror}), so nothing can be bought.",
            remedy=FREE_DISK,
        ) from error
    os.close(descriptor)
    path = Path(name)
    try:
        with contextlib.closing(LockFile(path)) as first, contextlib.closing(LockFile(path)) as second:
            first.lock()
            if _is_granted(second):
                raise _no_locks(state_dir, "gives one lock to two owners")
            first.close()
            second.lock()
    except OSError as error:
        raise _no_locks(state_dir, f"refuses locks ({error.strerror})") from error
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def _facts(connection: sqlite3.Connection) -> JournalFacts:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict.rpartition("\n")[2])
    (job_count,) = connection.execute("SELECT COUNT(*) FROM jobs").fetchone() if version else (0,)
    return JournalFacts(version, VERSION, job_count)


def _is_granted(file: LockFile) -> bool:
    try:
        file.lock()
    except (BlockingIOError, PermissionError):
        return False
    return True


def _no_locks(state_dir: Path, what: str) -> JournalUnavailableError:
    return JournalUnavailableError(
        f"The file system of the state folder {state_dir} {what}, so a double purchase could not be ruled out.",
        remedy="Point RUNCOMFY_STATE_DIR to a folder on a local disk.",
    )
