"""Bought clips go into the archive and come back from it. Whatever the archive does, a purchase goes on and a clip is kept."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ConfigurationError, RunComfyError, VideoDecodeError
from .archive import Archive, ArchiveError, NotInArchiveError, digest_of
from .clip_files import clip_kind
from .files import put_in_place
from .jobs import Job, JobState
from .progress import Downloading, Run, StopSignal
from .store.journal import Journal

KEEP_WAIT_S = 20.0
RETRY_WAITS_S = (30.0, 300.0)
STALL_S = 60.0
LOOK_INTERVAL_S = 0.1
logger = logging.getLogger("runcomfy.sora2pro.archive")


@dataclass(slots=True)
class _Storing:
    """A clip that is being stored. `ended` is set between two attempts; `wake` makes the next one begin."""

    ended: threading.Event = field(default_factory=threading.Event)
    wake: threading.Event = field(default_factory=threading.Event)


class Archiving:
    """Keeps clips in the archive, too, and takes them from there.

    Args:
        archive_url: See `Settings`; empty for no archive.
        journal: Knows what is in the archive.
        verify: Raises `VideoDecodeError` if a file cannot be read as a whole clip: such a one is not archived.
        keep_wait_s: How long a run waits for its clip to be stored; it goes on in the background.
        retry_waits_s: Before each further attempt in the background. After the last, the next delivery tries again.
        stall_s: How long the archive may send nothing before the clip is asked of RunComfy.
    """

    def __init__(
        self,
        archive_url: str,
        journal: Journal,
        verify: Callable[[Path], object],
        *,
        keep_wait_s: float = KEEP_WAIT_S,
        retry_waits_s: Sequence[float] = RETRY_WAITS_S,
        stall_s: float = STALL_S,
    ) -> None:
        self._archive = Archive(archive_url) if archive_url else None
        self._journal = journal
        self._verify = verify
        self._keep_wait_s = keep_wait_s
        self._retry_waits_s = tuple(retry_waits_s)
        self._stall_s = stall_s
        self._lock = threading.Lock()
        self._storing: dict[int, _Storing] = {}
        self._not_stored: dict[int, str] = {}
        self._not_taken: dict[int, str] = {}

    def __repr__(self) -> str:
        """The archive, without a password."""
        return f"Archiving({self._archive!r})"

    def check_usable(self) -> None:
        """Prove before money that a clip can be archived, as far as this machine can tell.

        Raises:
            ConfigurationError: A package is missing, or it is not known what such an address means.
        """
        if self._archive is not None:
            try:
                self._archive.check_installed()
            except ArchiveError as error:
                raise ConfigurationError(error.what, remedy=error.remedy) from error

    def keep(self, job: Job, stop: StopSignal | None = None) -> None:
        """Store the clip of a downloaded job, unless it is in the archive; never raises.

        Args:
            job: Its clip is on this disk.
            stop: Of the run, which waits for it a little; None for not waiting at all.
        """
        if self._archive is None or job.archived_sha256 is not None or not job.has_whole_file:
            return
        with self._lock:
            storing = self._storing.get(job.id)
            if storing is None:
                storing = _Storing()
                thread = threading.Thread(
                    target=self._store, args=(self._archive, job, storing), name="sora2pro-archive", daemon=True
                )
                try:
                    thread.start()
                except RuntimeError:  # this machine has no room for another thread; the next delivery tries again
                    return
                self._storing[job.id] = storing
            else:
                storing.ended.clear()
                storing.wake.set()
        if stop is not None:
            with stop.ending(storing.ended.set):
                if not storing.ended.wait(self._keep_wait_s):
                    self._not_stored[job.id] = (
                        "Storing the clip in the archive is taking a long time and continues in the background."
                    )

    def take(self, job: Job, path: Path, run: Run) -> Job:
        """The clip of a bought job from the archive.

        Args:
            job: Completed or downloaded; its file is not on this disk.
            path: Where the clip is to be, but for its ending, which is that of what arrives.
            run: Ends and watches it.

        Returns:
            The job, downloaded if the clip is on this disk now.

        Raises:
            Stopped: The run was asked to end.
            JournalUnavailableError: It could not be recorded.
        """
        if self._archive is None or job.archived_sha256 is None:
            return job
        try:
            path, file_bytes = self._bring(self._archive, job, path, run)
        except (RunComfyError, OSError) as error:
            reason = error.what if isinstance(error, RunComfyError) else str(error.strerror or type(error).__name__)
            self._not_taken[job.id] = f"The clip was downloaded from RunComfy again, at no charge: {reason}"
            logger.warning("%s is asked of RunComfy again, at no charge: %s", job.name, reason)
            return self._journal.record_archived(job, None) if isinstance(error, NotInArchiveError) else job
        logger.info("%s came from the archive; there is no charge.", job.name)
        if job.state is JobState.DOWNLOADED:
            job = self._journal.record_file_gone(job)
        return self._journal.record_downloaded(job, path, file_bytes)

    def note(self, job: Job) -> str:
        """What the user is to know of a clip and the archive, in a sentence or two; empty where all is well."""
        return " ".join(filter(None, (self._not_taken.pop(job.id, ""), self._not_stored.get(job.id, ""))))

    def _store(self, archive: Archive, job: Job, storing: _Storing) -> None:
        for wait_s in (*self._retry_waits_s, None):
            storing.wake.clear()
            trouble = self._store_once(archive, job)
            with self._lock:
                if trouble is None:
                    self._not_stored.pop(job.id, None)
                else:
                    self._not_stored[job.id] = (
                        f"The clip is safe on this disk but not in the archive yet; storing it will be retried: {trouble}"
                    )
                if trouble is None or wait_s is None:
                    del self._storing[job.id]
                storing.ended.set()
            if trouble is None:
                return
            logger.warning("The clip of %s is not in the archive yet: %s", job.name, trouble)
            if wait_s is not None:
                storing.wake.wait(wait_s)

    def _store_once(self, archive: Archive, job: Job) -> str | None:
        """Why it could not be done, in words; None where there is nothing left to do."""
        if job.path is None:
            return None
        try:
            self._verify(job.path)
            sha256 = digest_of(job.path)
            archive.store(job.path, sha256)
            self._journal.record_archived(job, sha256)
        except VideoDecodeError as error:
            logger.info("The clip of %s cannot be read and is not archived: %s", job.name, error.what)
        except RunComfyError as error:
            return f"{error.what} {error.remedy}".strip()
        except OSError as error:
            return f"The clip cannot be read ({error.strerror or type(error).__name__})."
        except Exception as error:
            logger.exception("The clip of %s could not be archived.", job.name)
            return f"It failed unexpectedly ({type(error).__name__}); see the log."
        return None

    def _bring(self, archive: Archive, job: Job, path: Path, run: Run) -> tuple[Path, int]:
        """Bring the clip to its place, for as long as more of it arrives; returns the file and its length in bytes.

        Raises:
            ArchiveError: It did not arrive.
            OSError: It could not be written.
            Stopped: The run was asked to end.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        errors: list[BaseException] = []
        ended, is_left = threading.Event(), threading.Event()

        def work() -> None:
            try:
                archive.take(job.archived_sha256 or "", job.file_bytes, part)
            except BaseException as error:  # noqa: BLE001 - it is raised to who waits
                errors.append(error)
            finally:
                ended.set()
                if is_left.is_set():
                    part.unlink(missing_ok=True)

        threading.Thread(target=work, name="sora2pro-archive", daemon=True).start()
        try:
            have_bytes, moved_at = -1, time.monotonic()
            while not ended.wait(LOOK_INTERVAL_S):
                run.stop.check()
                received = part.stat().st_size if part.exists() else 0
                if received != have_bytes:
                    have_bytes, moved_at = received, time.monotonic()
                    run.report(Downloading(job.request_id or "", received, job.file_bytes))
                if time.monotonic() - moved_at > self._stall_s:
                    raise ArchiveError(f"The archive {archive.shown} is not sending any data.")
            if errors:
                raise errors[0]
            path = path.with_suffix(clip_kind(part).ending)
            return path, put_in_place(part, path)
        finally:
            is_left.set()
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
