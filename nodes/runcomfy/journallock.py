"""Who may use the journal's file, and who may put another file in its place: over threads, engines and processes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .lockfile import LockFile
from .private_files import make_private_dir

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
