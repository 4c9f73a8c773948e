"""Locks of the operating system, over threads and processes: for a job, and for the journal's file.

A file lock is the only owner record that cannot go stale: it is gone the moment its process is, and a process number that
was given out again cannot fake it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import final

from ...errors import JournalUnavailableError
from ..files import make_private_dir

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, *, is_exclusive: bool) -> None:
        # There are no shared locks here, and no need for them: Windows does not replace a file that anybody has open.
        if is_exclusive:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int, *, is_exclusive: bool) -> None:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if is_exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)


_open_files: set[LockFile] = set()


@final
class LockFile:
    """An open file that the operating system's locks are put on.

    `flock(2)` belongs to the open file, which a forked child shares: without closing it there, a child that outlives a
    killed parent would keep the parent's lock. A program that the process starts does not get it: Python opens every file
    with O_CLOEXEC (PEP 446).

    Args:
        path: The file; made if it is not there.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        _open_files.add(self)

    @property
    def is_open(self) -> bool:
        """Whether it is open in this process; in a forked child it is not."""
        return self.descriptor is not None

    def fileno(self) -> int:
        """The descriptor.

        Raises:
            ValueError: It is closed.
        """
        if self.descriptor is None:
            raise ValueError("the lock file is closed")
        return self.descriptor

    def lock(self, *, is_exclusive: bool = True) -> None:
        """Put the system's lock on it, which ends when it is closed.

        Raises:
            OSError: Somebody else has it (`BlockingIOError` or `PermissionError`), or the file system refuses locks.
        """
        _lock(self.fileno(), is_exclusive=is_exclusive)

    def close(self) -> None:
        """Close it, which ends its lock. A file system that reports an error here has closed it anyway."""
        descriptor, self.descriptor = self.descriptor, None
        _open_files.discard(self)
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _close_all() -> None:
    for file in list(_open_files):
        file.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_all)

if sys.platform == "win32":

    def _let_go(file: LockFile, path: Path) -> None:
        """Close, then delete: Windows refuses to delete what anybody has open, so a new owner's file is safe."""
        file.close()
        with contextlib.suppress(OSError):
            path.unlink()

else:

    def _let_go(file: LockFile, path: Path) -> None:
        """Delete while it is still locked: closed first, it could be a new owner's file by then."""
        with contextlib.suppress(OSError):
            path.unlink()
        file.close()


@final
class JobLock:
    """The right to work on the job of a fingerprint. A context manager; hold it from one thread.

    Args:
        folder: Where lock files live; it must be on a local disk, as the journal.
        fingerprint: Of the job.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._path = folder / f"{fingerprint}.lock"
        self._file: LockFile | None = None

    def __enter__(self) -> JobLock:
        """Return this lock; `try_acquire` takes it."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Let go."""
        self.release()

    def try_acquire(self) -> bool:
        """Take the lock, or return False if another thread or process has it.

        Raises:
            JournalUnavailableError: No lock file can be made there, or locks do not work there.
        """
        try:
            make_private_dir(self._path.parent)
            file = LockFile(self._path)
        except OSError as error:
            raise JournalUnavailableError(
                f"The state folder {self._path.parent.parent} cannot be written ({error.strerror}).",
                remedy="Make room or change its permissions, or point RUNCOMFY_STATE_DIR to another folder.",
            ) from error
        try:
            if not (_is_locked_now(file) and self._is_current(file)):
                file.close()
                return False
            self._check_exclusion()
        except OSError as error:
            file.close()
            raise JournalUnavailableError(
                f"The file system of {self._path.parent.parent} refuses locks ({error.strerror}), so a double purchase could "
                "not be ruled out.",
                remedy="Point RUNCOMFY_STATE_DIR to a folder on a local disk.",
            ) from error
        except BaseException:
            file.close()
            raise
        self._file = file
        return True

    def release(self) -> None:
        """Let go and tidy up; does nothing if the lock is not held, or was inherited by a forked child."""
        file, self._file = self._file, None
        if file is not None and file.is_open:
            _let_go(file, self._path)

    def _check_exclusion(self) -> None:
        """Some network file systems grant every lock: ask for the one that is held, by another opening of its file.

        Raises:
            JournalUnavailableError: It was granted twice.
            OSError: It could not be asked for.
        """
        with contextlib.closing(LockFile(self._path)) as second:
            if _is_locked_now(second):
                raise JournalUnavailableError(
                    f"The file system of {self._path.parent.parent} gives one lock to two owners, so a double purchase could "
                    "not be ruled out.",
                    remedy="Point RUNCOMFY_STATE_DIR to a folder on a local disk.",
                )

    def _is_current(self, file: LockFile) -> bool:
        """Whether the locked file is still the one with the name: its last owner may have deleted it in between."""
        with contextlib.suppress(OSError):
            return os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        return False


def _is_locked_now(file: LockFile) -> bool:
    """Take the lock of a file, or return False if somebody else has it."""
    try:
        file.lock()
    except (BlockingIOError, PermissionError):
        return False
    return True


INTERVAL_S = 0.01


class JournalLock:
    """Every connection holds it shared for as long as it is open; whoever replaces the file holds it alone.

    SQLite's own locks cannot do this: they belong to the file that goes, not to its name, and a damaged file takes none. A
    transaction that was begun in the old file would be committed into it after the new one took its place.

    The file stays where it is: were it deleted, two could each hold the lock of a file of that name.

    Args:
        path: The file to lock; its folder is made.
        timeout_s: How long to wait for the others.
        sleep: Waits between two attempts.
    """

    def __init__(self, path: Path, *, timeout_s: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._sleep = sleep

    @contextlib.contextmanager
    def held(self, *, is_exclusive: bool, is_patient: bool = True) -> Iterator[None]:
        """Hold the lock, together with other users of the file or alone.

        Args:
            is_exclusive: Alone.
            is_patient: Wait for the others.

        Raises:
            OSError: It cannot be had: `BlockingIOError` or `PermissionError` if others kept it for too long.
        """
        make_private_dir(self._path.parent)
        with contextlib.closing(LockFile(self._path)) as file:
            attempts = int(self._timeout_s / INTERVAL_S) if is_patient else 0
            for _ in range(attempts):
                try:
                    file.lock(is_exclusive=is_exclusive)
                    break
                except (BlockingIOError, PermissionError):
                    self._sleep(INTERVAL_S)
            else:
                file.lock(is_exclusive=is_exclusive)
            yield
