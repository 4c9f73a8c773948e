"""The archive: clips under the SHA-256 of their content, in a folder or wherever else fsspec reaches.

fsspec, and what it needs for a storage, are optional requirements: nothing here is imported before an archive is used.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import RunComfyError
from .files import remove_stale
from .settings import shown_address

DIGEST = "sha256"
STALE_AFTER_S = 86_400.0
# Here an object appears when all of it has arrived, and not before; elsewhere a file is renamed into its place.
OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"})
PACKAGES = {
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("az", "abfs", "abfss"), "adlfs"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
    "smb": "smbprotocol",
}
S3_OPTIONS = {
    "skip_instance_cache": True,
    "config_kwargs": {"connect_timeout": 10, "read_timeout": 30, "retries": {"max_attempts": 2}},
}
NO_CREDENTIALS = frozenset({"NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError"})


class ArchiveError(RunComfyError):
    """The archive cannot be used, or does not have what it should have. The clip itself is not lost by it."""


class NotInArchiveError(ArchiveError):
    """The archive can be used, but has no such clip, or another one in its place."""


class Archive:
    """Clips in one folder or bucket. Every call may block for as long as the storage makes it.

    Args:
        url: A full path, or an address such as `s3://bucket/prefix`; see `settings`.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._protocol = url.partition("://")[0] if "://" in url else "file"
        self.shown = shown_address(url)

    def __repr__(self) -> str:
        """The address, without a password."""
        return f"Archive({self.shown!r})"

    def check_installed(self) -> None:
        """Load what the storage needs; nobody is asked.

        Raises:
            ArchiveError: A package is missing, or nothing is known of such an address.
        """
        with self._errors():
            self._class()

    def check(self) -> None:
        """Look whether the folder or bucket is there; nothing is written.

        Raises:
            ArchiveError: It is not, or may not be used.
        """
        with self._errors():
            self._check_is_there()
            if self._protocol == "file" and not os.access(self._url, os.R_OK | os.W_OK):
                raise PermissionError

    def store(self, path: Path, sha256: str) -> None:
        """Put a clip into the archive. Under its name there is all of it, or whatever was there before.

        Args:
            path: The clip.
            sha256: Of its content, in hexadecimal digits.

        Raises:
            ArchiveError: It could not be done.
        """
        with self._errors():
            self._check_is_there()
            storage, root = self._storage
            if self._protocol in OBJECT_STORES:
                storage.put_file(str(path), f"{root}/{sha256}")
            else:
                self._store_file(path, sha256)
            storage.invalidate_cache()
            stored_bytes = storage.info(f"{root}/{sha256}")["size"]
        if stored_bytes != path.stat().st_size:
            raise ArchiveError(
                f"The archive {self.shown} took {stored_bytes:,} of the {path.stat().st_size:,} bytes of the clip."
            )

    def take(self, sha256: str, file_bytes: int | None, part: Path) -> None:
        """Write a clip of the archive to a file, if it is the one that was stored.

        Args:
            sha256: Of its content.
            file_bytes: Its length, if it is known.
            part: The file; what is in it after an error is not the clip.

        Raises:
            NotInArchiveError: The archive has no such clip, or what is there was changed.
            ArchiveError: The archive cannot be used.
        """
        with self._errors():
            self._check_is_there()
            storage, root = self._storage
            storage.invalidate_cache()
            try:
                stored_bytes = storage.info(f"{root}/{sha256}")["size"]
            except FileNotFoundError:
                raise NotInArchiveError(f"The archive {self.shown} does not have the clip.") from None
            if file_bytes in (None, stored_bytes):
                storage.get_file(f"{root}/{sha256}", str(part))
                if digest_of(part) == sha256:
                    return
        raise NotInArchiveError(
            f"The archive {self.shown} has another file in the place of the clip: it was changed there."
        )

    @functools.cached_property
    def _storage(self) -> tuple[Any, str]:
        """The file system of fsspec, and the place of the archive in it."""
        options = S3_OPTIONS if self._protocol in ("s3", "s3a") else {}
        if self._protocol == "file":
            return self._class()(), Path(self._url).as_posix()
        from fsspec.core import url_to_fs  # noqa: PLC0415 - an optional requirement

        storage, root = url_to_fs(self._url, **options)
        return storage, root.rstrip("/")

    def _class(self) -> Any:  # noqa: ANN401 - fsspec has no types
        import fsspec  # noqa: PLC0415 - an optional requirement

        if self._protocol not in fsspec.available_protocols():
            raise ArchiveError(
                f"fsspec does not support addresses that begin with {self._protocol}://.",
                remedy="Change RUNCOMFY_ARCHIVE_URL to a folder, or to an address such as s3://bucket/prefix.",
            )
        return fsspec.get_filesystem_class(self._protocol)

    def _check_is_there(self) -> None:
        """Raise FileNotFoundError without the folder or bucket. Neither is made: a mount that is missing looks the same."""
        storage, root = self._storage
        if self._protocol in OBJECT_STORES:
            storage.info(root.partition("/")[0])
        elif not storage.isdir(root):
            raise FileNotFoundError(root)

    def _store_file(self, path: Path, sha256: str) -> None:
        storage, root = self._storage
        if self._protocol == "file":
            remove_stale(Path(root).glob(".*.part"), now_s=time.time(), after_s=STALE_AFTER_S)
        part = f"{root}/.{sha256}.{secrets.token_hex(4)}.part"
        try:
            with path.open("rb") as source, storage.open(part, "wb") as target:
                shutil.copyfileobj(source, target)
                if self._protocol == "file":
                    target.flush()
                    os.fsync(target.fileno())
            storage.mv(part, f"{root}/{sha256}")
        except BaseException:
            with contextlib.suppress(Exception):
                storage.rm_file(part)
            raise

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Say it in our own words: those of a storage may repeat keys and signed addresses."""
        try:
            yield
        except ArchiveError:
            raise
        except ImportError as error:
            package = "fsspec" if (error.name or "").partition(".")[0] == "fsspec" else PACKAGES.get(self._protocol)
            if package is None:
                raise ArchiveError(
                    f"The archive {self.shown} needs a Python package that is not installed or cannot be loaded.",
                    remedy="Find it in the documentation of fsspec and install it into ComfyUI's Python, then restart ComfyUI.",
                ) from None
            raise ArchiveError(
                f"The archive {self.shown} needs the Python package {package}, which is not installed or cannot be loaded.",
                remedy=f"Install it into ComfyUI's Python, with 'pip install {package}', then restart ComfyUI.",
            ) from None
        except PermissionError:
            raise ArchiveError(
                f"The archive {self.shown} refuses access.",
                remedy="Check its credentials and what they may do: read, write and list, and for a folder also rename.",
            ) from None
        except (FileNotFoundError, NotADirectoryError):
            raise ArchiveError(
                f"The archive {self.shown} does not exist, or is not mounted.",
                remedy="Create the folder or bucket, or mount it; the pack never creates it, so that clips never land elsewhere.",
            ) from None
        except Exception as error:  # noqa: BLE001 - which errors a storage has is known to its own package alone
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> ArchiveError:
        kind = type(error).__name__
        if kind in NO_CREDENTIALS:
            return ArchiveError(
                f"There are no credentials for the archive {self.shown}.",
                remedy="Set them as its own tools expect them, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for S3.",
            )
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else kind
        return ArchiveError(
            f"The archive {self.shown} cannot be used ({reason}).",
            remedy="Check that it can be reached from this machine and has room.",
        )


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, DIGEST).hexdigest()
