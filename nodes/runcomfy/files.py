"""Files: small ones read as any editor saves them and written for their owner alone, all given their name when they are whole."""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

NAMING_ATTEMPTS = 10
NAMING_WAIT_S = 0.1
UNFINISHED_AT_MOST_S = 3600.0
# The mark of UTF-32 begins with that of UTF-16.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def make_private_dir(path: Path) -> None:
    """Create a folder for this user alone; a folder that is there already keeps its rights."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def read_text(path: Path) -> str:
    """A small file that a person may have edited: UTF-8, or what its byte order mark says.

    Notepad and PowerShell write such marks, `>` in Windows PowerShell even UTF-16:
    https://learn.microsoft.com/en-us/powershell/module/microsoft.powershell.core/about/about_character_encoding.

    Raises:
        OSError: It cannot be read.
        UnicodeDecodeError: It is not text.
    """
    content = path.read_bytes()
    encoding = next((name for mark, name in BYTE_ORDER_MARKS if content.startswith(mark)), "utf-8-sig")
    return content.decode(encoding)


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically; it is readable by its owner alone from the first byte (mode 0600).

    What earlier writes that were killed have left is removed.
    """
    content = text.encode()
    make_private_dir(path.parent)
    for left in unfinished(path):
        with contextlib.suppress(OSError):
            left.unlink()
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    _fill(os.fdopen(descriptor, "wb"), Path(temporary), path, content)


def write_whole(path: Path, text: str) -> None:
    """Replace a file atomically; it may be read by whoever may read what the user saves otherwise. Its folder is there.

    What earlier writes that were killed have left is removed. Broken characters are written as JSON escapes them.
    """
    content = text.encode("utf-8", "backslashreplace")
    remove_stale(unfinished(path), now_s=time.time(), after_s=UNFINISHED_AT_MOST_S)
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    _fill(temporary.open("xb"), temporary, path, content)


def _fill(stream: IO[bytes], temporary: Path, path: Path, content: bytes) -> None:
    """Write a new file to the disk and give it its name; without its name it does not stay."""
    try:
        with stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        give_name(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def unfinished(path: Path) -> list[Path]:
    """What is on the disk of writes of this file that are under way, or were killed."""
    return list(path.parent.glob(f".{path.name}-*"))


def remove_stale(found: Iterable[Path], *, now_s: float, after_s: float) -> None:
    """Delete temporary files and folders that nobody has changed for so long that their process must be gone."""
    for path in found:
        with contextlib.suppress(OSError):
            if abs(now_s - path.lstat().st_mtime) < after_s:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


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


def put_in_place(part: Path, path: Path) -> int:
    """Make a whole file durable, then give it its name; returns its length in bytes."""
    with part.open("rb+") as stream:
        os.fsync(stream.fileno())
        file_bytes = os.fstat(stream.fileno()).st_size
    give_name(part, path)
    sync_folder(path.parent)
    return file_bytes


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable, where its file system can: those of some shared folders refuse.

    Windows opens no folder, and keeps names by itself.

    Raises:
        OSError: It cannot be done now.
    """
    if os.name != "posix":
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.ENOSYS):
            raise
    finally:
        os.close(folder)
