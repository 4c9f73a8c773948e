"""A known job becomes a file on disk. Nothing here can spend: there is no submit in reach."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import SAFE_TO_RERUN, DownloadError, NotFoundError, RunComfyError, Stopped, VideoDecodeError
from .api.answers import CancelOutcome, Phase
from .api.client import Client, Connect, RequestHandle
from .api.download import Downloader
from .api.storage import UnusableLinkError
from .archiving import Archiving
from .clip_files import ALL_KINDS
from .jobs import Job, JobState
from .progress import Retrying, Run, StopSignal
from .sentences import Cancellation, charge_sentence, describe_cancellation, failure_of, unknown_at_runcomfy, with_job
from .store.journal import Journal
from .waiting import Ending, Waiting, handle_of

# A storage can take some seconds to know a new file (404, or 403 where it does not show what is there).
FRESH_LINK_WAITS_S = (1.0, 2.0, 4.0)

logger = logging.getLogger("runcomfy.sora2pro.collect")


class Collector:
    """Waits for requests and downloads their clips.

    Args:
        journal: Where every step is recorded.
        waiting: Waits for requests.
        connect: Opens a conversation with the API; raises `MissingTokenError`.
        downloader: Downloads the clip.
        archiving: Keeps the clip elsewhere, too.
        output_dir: Where clips are kept.
        fresh_link_waits_s: Before each time that RunComfy is asked for a fresh address of a clip.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        waiting: Waiting,
        connect: Connect,
        downloader: Downloader,
        archiving: Archiving,
        output_dir: Path,
        verify: Callable[[Path], object],
        fresh_link_waits_s: Sequence[float] = FRESH_LINK_WAITS_S,
    ) -> None:
        self._journal = journal
        self._waiting = waiting
        self._connect = connect
        self._downloader = downloader
        self._archiving = archiving
        self._output_dir = output_dir
        self._verify = verify
        self._fresh_link_waits_s = fresh_link_waits_s

    def __repr__(self) -> str:
        """The folder of the clips; no token."""
        return f"Collector(output_dir={str(self._output_dir)!r})"

    def collect(self, job: Job, run: Run) -> Job:
        """Get the clip of a submitted, completed or downloaded job. The caller holds its lock.

        Returns:
            The job, downloaded.

        Raises:
            RunComfyError: It could not be done; the message says what that means for the money.
            Stopped: The run was asked to end; the message says what became of the request.
        """
        try:
            job = self._found_again(job)
            if not job.has_whole_file and job.state in (JobState.COMPLETED, JobState.DOWNLOADED):
                job = self._archiving.take(job, self._clip_path(job), run)
            if job.has_whole_file:
                self._archiving.keep(job)
                return job
            if job.state is JobState.DOWNLOADED:
                job = self._journal.record_file_gone(job)
            with self._connect(stop=run.stop) as client:
                try:
                    if job.state is JobState.SUBMITTED:
                        job = self._record_end(self._waiting.until_ended(client, job, run))
                    return self._download(client, job, run)
                except (UnusableLinkError, NotFoundError):
                    if (found := self._left_behind(job, run)) is None:
                        raise
                    return found
        except Stopped:
            raise self._on_stop(job, run.stop) from None
        except NotFoundError as error:
            raise unknown_at_runcomfy(error, job) from error.__cause__
        except RunComfyError as error:
            raise with_job(error, job) from error.__cause__

    def check_archive(self) -> None:
        """Prove before money that the clip can be archived, as far as this machine can tell; raises `ConfigurationError`."""
        self._archiving.check_usable()

    def archive_note(self, job: Job) -> str:
        """What the user is to know of a clip and the archive; empty where all is well."""
        return self._archiving.note(job)

    def delivered_again(self, job: Job) -> str:
        """Try again to archive a clip that is on this disk; nobody waits for it. Returns what is to be known until then."""
        self._archiving.keep(job)
        return self._archiving.note(job)

    def look_again(self, job: Job, run: Run) -> Job:
        """Ask again about a request that failed or was cancelled: if RunComfy has changed its mind, collect it.

        Raises:
            GenerationFailedError: It is still failed.
            GenerationCancelledError: It is still cancelled.
            RunComfyError: RunComfy could not be asked.
        """
        try:
            with self._connect(stop=run.stop) as client:
                result = self._waiting.result(client, job, run)
            phase = result.phase
        except NotFoundError:
            phase = Phase.UNKNOWN
        except RunComfyError as error:
            raise with_job(error, job) from error.__cause__
        if phase in (Phase.QUEUED, Phase.RUNNING) or (phase is Phase.COMPLETED and result.video_url):
            return self.collect(self._journal.reopen(job), run)
        raise failure_of(job)

    def cancel(self, job: Job) -> tuple[Job, Cancellation]:
        """Ask RunComfy to cancel a submitted request: one bounded attempt.

        Returns:
            The job as it is now, and what RunComfy said.
        """
        try:
            job = self._journal.record_cancel_requested(job)
            return self._cancel(job, handle_of(job))
        except RunComfyError as error:
            return job, Cancellation(trouble=error.what)

    def _cancel(self, job: Job, handle: RequestHandle) -> tuple[Job, Cancellation]:
        with self._connect() as client:
            outcome = client.cancel(handle)
            is_cancelled = outcome is not CancelOutcome.NOT_CANCELLABLE and _is_cancelled(client, handle)
        if is_cancelled:
            job = self._cancelled(job, "Cancelled from ComfyUI while it was queued.")
            return job, Cancellation(CancelOutcome.CANCELLED)
        if outcome is CancelOutcome.NOT_CANCELLABLE:
            return self._journal.record_cancel_requested(job, is_requested=False), Cancellation(outcome)
        return job, Cancellation(CancelOutcome.UNCLEAR)

    def _found_again(self, job: Job) -> Job:
        """The job, downloaded where its whole file is on this disk after all: its drive is back, or it moved with its folder."""
        length, is_ready = job.file_bytes, job.state in (JobState.COMPLETED, JobState.DOWNLOADED)
        if job.path is None or length is None or not is_ready or job.has_whole_file:
            return job
        for path in (job.path, self._output_dir / job.path.name):
            if _length_of(path) == length:
                if job.state is JobState.DOWNLOADED:
                    job = self._journal.record_file_gone(job)
                return self._journal.record_downloaded(job, path, length)
        return job

    def _left_behind(self, job: Job, run: Run) -> Job | None:
        """The job, downloaded, where a whole clip is in its place that the journal does not know of: None where there is none.

        A run died before it could record it, or its row gave way to another. One of another length than the clip had was
        changed by somebody.
        """
        for kind in ALL_KINDS:
            path = self._clip_path(job).with_suffix(kind.ending)
            with contextlib.suppress(OSError, VideoDecodeError):
                if job.file_bytes not in (None, path.stat().st_size):
                    continue
                self._verify(path)
                logger.info("%s is at RunComfy no more, but is whole at %s.", job.name, path)
                known = self._journal.get(job.id) or job
                if known.state is JobState.SUBMITTED:
                    known = self._journal.record_completed(known, video_url="", cost_usd=None)
                known = self._journal.record_downloaded(known, path, path.stat().st_size)
                self._archiving.keep(known, run.stop)
                return known
        return None

    def _record_end(self, ending: Ending) -> Job:
        """The job of a request that finished.

        Raises:
            GenerationFailedError: It failed.
            GenerationCancelledError: It was cancelled.
        """
        job, result = ending.job, ending.result
        if result.phase is Phase.FAILED:
            raise failure_of(self._journal.record_failed(job, result.reason, result.cost_usd))
        if result.phase is Phase.CANCELLED:
            raise failure_of(self._cancelled(job, result.reason, result.cost_usd))
        return self._journal.record_completed(
            job, video_url=result.video_url or "", cost_usd=result.cost_usd, render_s=ending.render_s
        )

    def _cancelled(self, job: Job, reason: str, cost_usd: float | None = None) -> Job:
        """Record it, unless whoever asked RunComfy to cancel has recorded it already."""
        current = self._journal.get(job.id) or job
        if current.state is not JobState.CANCELLED:
            return self._journal.record_cancelled(current, reason, cost_usd)
        return current if cost_usd is None else self._journal.record_cost(current, cost_usd)

    def _download(self, client: Client, job: Job, run: Run) -> Job:
        """Download the clip, with a fresh address where the old one does not work."""
        path = self._clip_path(job)
        waits_s = list(self._fresh_link_waits_s)
        while True:
            try:
                path, file_bytes = self._downloader.download(
                    job.video_url or "", path, run, request_id=job.request_id or ""
                )
                break
            except UnusableLinkError as error:
                if not waits_s:
                    raise
                wait_s = waits_s.pop(0)
                if error.may_pass:
                    run.report(Retrying(error.what, wait_s))
                    run.stop.sleep(wait_s)
                result = self._waiting.result(client, job, run)
                if not result.video_url:
                    raise UnusableLinkError("RunComfy no longer gives an address for the clip.") from None
                job = self._journal.record_completed(job, video_url=result.video_url, cost_usd=result.cost_usd)
        job = self._journal.record_downloaded(job, path, file_bytes)
        self._archiving.keep(job, run.stop)
        return self.note_late_cost(client, self._journal.get(job.id) or job)

    def _clip_path(self, job: Job) -> Path:
        """Where the clip of a job is kept, but for its ending, which is that of what arrives.

        Raises:
            DownloadError: The journal cannot hold the folder's name.
        """
        path = self._output_dir / f"sora2pro_{handle_of(job).request_id}.mp4"
        try:
            str(path).encode()
        except UnicodeEncodeError:
            name = os.fsencode(self._output_dir).decode("utf-8", "backslashreplace")
            raise DownloadError(
                f"The name of the output folder {name} is not valid UTF-8, so the clip cannot be recorded there.",
                remedy="Point RUNCOMFY_OUTPUT_DIR to a folder with another name and restart ComfyUI; then run the node again: "
                "there is no new charge.",
            ) from None
        return path

    def note_late_cost(self, client: Client, job: Job) -> Job:
        """Ask once for a cost that was not named yet; the clip is worth more than the answer."""
        if job.cost_usd is not None:
            return job
        try:
            cost_usd = client.result(handle_of(job)).cost_usd
        except RunComfyError as error:
            logger.info("The cost of %s is not known yet: %s", job.name, error.what)
            return job
        return job if cost_usd is None else self._journal.record_cost(job, cost_usd)

    def _on_stop(self, job: Job, stop: StopSignal) -> Stopped:
        if job.state is JobState.SUBMITTED and stop.cancels_remotely:
            job, cancellation = self.cancel(job)
            sentence = describe_cancellation(cancellation)
        else:
            sentence = f"{charge_sentence(job)} {SAFE_TO_RERUN}"
        stopped = Stopped(f"Stopped. {sentence}", f"request_id: {job.request_id}, job: {job.name}")
        logger.info("%s", stopped)
        return stopped


def _length_of(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _is_cancelled(client: Client, handle: RequestHandle) -> bool:
    """Whether RunComfy itself says so; a bare `completed` on /status only means that the request left the queue."""
    phase = client.status(handle, is_quick=True).phase
    return phase is Phase.CANCELLED or (
        phase is Phase.COMPLETED and client.result(handle, is_quick=True).phase is Phase.CANCELLED
    )
