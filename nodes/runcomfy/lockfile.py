"""Files that only serve to be locked: closed in every forked child, so that a lock ends with the process that took it."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import final

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
        """Close it, which ends its lock. A file system that reports an error here has closed it all the same."""
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
