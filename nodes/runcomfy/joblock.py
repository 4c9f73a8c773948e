"""One driver for a job, over threads and processes, that ends with its process however that dies.

The operating system's file lock is the only owner record that cannot go stale: it is gone the moment the process is, and a
process number that was given out again cannot fake it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import final

from ..errors import JournalUnavailableError
from .lockfile import LockFile
from .private_files import make_private_dir

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
                remedy="Make room or set its rights, or point RUNCOMFY_STATE_DIR to another folder.",
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
