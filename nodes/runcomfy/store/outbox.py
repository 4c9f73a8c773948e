"""Request ids that could not be recorded because the database went away: kept on this disk until it takes them."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ...errors import RunComfyError
from ..files import sync_folder, write_private
from ..jobs import Job
from .journal import JobChangedError, Journal, RequestTakenError
from .rows import job_of, row_of
from .salvage import LATER_COLUMNS

RETRY_S = (1.0, 2.0, 5.0, 10.0, 30.0)
logger = logging.getLogger("runcomfy.sora2pro.outbox")


class Outbox:
    """A folder with one file for each id.

    Args:
        folder: Made when it is needed; on this machine's disk.
        journal: Takes them.
        sleep: Waits between two attempts.
    """

    def __init__(self, folder: Path, journal: Journal, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.folder = folder
        self._journal = journal
        self._sleep = sleep
        self._lock = threading.Lock()
        self._is_delivering = False
        if self._files():
            self._deliver_in_background()

    def keep(self, job: Job, request_id: str) -> None:
        """Keep the id of a job's request, durably, and go on trying to record it.

        Args:
            job: As it was when the request was sent.
            request_id: RunComfy's.

        Raises:
            OSError: It cannot be kept.
        """
        write_private(self.folder / f"{request_id}.json", json.dumps({"request_id": request_id, "job": row_of(job)}))
        with contextlib.suppress(OSError):
            sync_folder(self.folder)
        self._deliver_in_background()

    def deliver(self) -> bool:
        """Record what is kept, as far as the database takes it; whether nothing is left."""
        outcomes = [self._record(file) for file in self._files()]
        return all(outcomes)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.json"))

    def _record(self, file: Path) -> bool:
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            job, request_id = job_of({**LATER_COLUMNS, **kept["job"]}), kept["request_id"]
        except FileNotFoundError:
            return True  # another ComfyUI on this folder was faster
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.warning("The file %s cannot be read: %s", file, error)
            return False
        try:
            with contextlib.suppress(RequestTakenError):  # the journal knows it by another job
                self._record_request(job, request_id)
        except RunComfyError as error:
            logger.info("The request %s is not recorded yet: %s", request_id, error.what)
            return False
        file.unlink(missing_ok=True)
        logger.info("The request %s of %s is recorded now.", request_id, job.name)
        return True

    def _record_request(self, job: Job, request_id: str) -> None:
        try:
            self._journal.record_submitted(job, request_id)
        except JobChangedError:
            # Somebody decided otherwise about the job in between: the request gets a row of its own.
            self._journal.import_request(request_id, job.model_id)

    def _deliver_in_background(self) -> None:
        with self._lock:
            if self._is_delivering:
                return
            self._is_delivering = True
        threading.Thread(target=self._deliver_until_empty, name="runcomfy-outbox", daemon=True).start()

    def _deliver_until_empty(self) -> None:
        attempt = 0
        while True:
            self._sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
            attempt += 1
            is_empty = self.deliver()
            with self._lock:
                # What is kept from here on begins a thread of its own.
                if is_empty and not self._files():
                    self._is_delivering = False
                    return
