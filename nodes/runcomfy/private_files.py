"""Small files that only their owner may read, and names given to files that are whole."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

NAMING_ATTEMPTS = 10
NAMING_WAIT_S = 0.1


def make_private_dir(path: Path) -> None:
    """Create a folder for this user alone; a folder that is there already keeps its rights."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically; it is readable by its owner alone from the first byte (mode 0600)."""
    make_private_dir(path.parent)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        give_name(Path(temporary), path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def give_name(part: Path, path: Path, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Put a whole file into its place, atomically.

    Windows refuses while another program has the old file open, which for a reader is soon over.

    Raises:
        OSError: It stays refused.
    """
    for _ in range(NAMING_ATTEMPTS - 1):
        try:
            part.replace(path)
        except PermissionError:
            sleep(NAMING_WAIT_S)
        else:
            return
    part.replace(path)
