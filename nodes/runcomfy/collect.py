"""A known job becomes a file on disk. Nothing here can spend: there is no submit in reach."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..errors import (
    SAFE_TO_RERUN,
    APIConnectionError,
    APIError,
    DownloadError,
    GenerationTimeoutError,
    NotFoundError,
    ResponseFormatError,
    RunComfyError,
    Stopped,
)
from .answers import CancelOutcome, GenerationResult, Phase
from .client import Client, RequestHandle
from .download import Downloader, UnusableLinkError
from .history import History
from .jobs import Job, JobState, charge_sentence
from .journal import Journal
from .outcomes import about, ended
from .polling import Usual, next_poll_s, usual_times
from .progress import Queued, Rendering, Report, Retrying
from .retry import Call, RetryPolicy, Wait, decide
from .stopping import StopSignal

MAX_FRESH_LINKS = 3
MAX_EMPTY_RESULTS = 5

Result = TypeVar("Result")
logger = logging.getLogger("runcomfy.sora2pro.collect")


@dataclass(slots=True)
class _Watch:
    """The clock of one wait. The limit counts only while RunComfy does not say that the request is still queued."""

    handle: RequestHandle
    give_up_at: float
    rendering_since: float | None
    saw_queue: bool = False


class Collector:
    """Waits for requests and brings their clips home.

    Args:
        journal: Where every step is recorded.
        history: How long the user's clips usually take.
        connect: Opens a conversation with the API; raises `MissingTokenError`.
        downloader: Fetches the clip.
        output_dir: Where clips are kept.
        poll_interval_s: The most often to ask.
        timeout_s: How long a request may render.
        policy: The figures of the backoff.
        clock: Monotonic seconds.
        wall_clock: Seconds since the epoch.
        jitter: A random number from 0 to 1.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        history: History,
        connect: Callable[[], AbstractContextManager[Client]],
        downloader: Downloader,
        output_dir: Path,
        poll_interval_s: float,
        timeout_s: float,
        policy: RetryPolicy,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._journal = journal
        self._history = history
        self._connect = connect
        self._downloader = downloader
        self._output_dir = output_dir
        self._poll_interval_s = poll_interval_s
        self._timeout_s = timeout_s
        self._policy = policy
        self._clock = clock
        self._wall_clock = wall_clock
        self._jitter = jitter

    def collect(self, job: Job, *, stop: StopSignal, report: Report) -> Job:
        """Bring the clip of a submitted, completed or downloaded job home. The caller holds its lock.

        Returns:
            The job, downloaded.

        Raises:
            RunComfyError: It could not be done; the message says what that means for the money.
            Stopped: The run was asked to end; the message says what became of the request.
        """
        if job.has_whole_file:
            return job
        if job.state is JobState.DOWNLOADED:
            job = self._journal.record_file_gone(job)
        try:
            with self._connect() as client:
                if job.state is JobState.SUBMITTED:
                    job = self._wait(client, job, stop, report)
                return self._bring_home(client, job, stop, report)
        except Stopped:
            raise Stopped(self._on_stop(job, stop)) from None
        except RunComfyError as error:
            raise about(error, job) from error.__cause__

    def look_again(self, job: Job, *, stop: StopSignal, report: Report) -> Job:
        """Ask once more about a request that failed or was cancelled: if RunComfy has changed its mind, collect it.

        Raises:
            GenerationFailedError: It is still failed.
            GenerationCancelledError: It is still cancelled.
            RunComfyError: RunComfy could not be asked.
        """
        handle = _handle(job)
        try:
            with self._connect() as client:
                give_up_at = self._clock() + self._timeout_s
                result = self._read(lambda: client.result(handle), give_up_at, stop, report)
            phase = result.phase
        except NotFoundError:
            phase = Phase.UNKNOWN
        except RunComfyError as error:
            raise about(error, job) from error.__cause__
        if phase in (Phase.QUEUED, Phase.RUNNING) or (phase is Phase.FINISHED and result.video_url):
            return self.collect(self._journal.reopen(job), stop=stop, report=report)
        raise ended(job)

    def cancel(self, job: Job) -> tuple[Job, str]:
        """Ask RunComfy to cancel a submitted request. One bounded attempt, honest about the outcome.

        Returns:
            The job and a sentence for the user.
        """
        try:
            job = self._journal.record_cancel_requested(job)
            return self._cancel(job, _handle(job))
        except RunComfyError as error:
            return job, (
                f"Whether it was cancelled is not certain ({error.what.rstrip('.')}). It may go on and be charged. "
                + SAFE_TO_RERUN
            )

    def _cancel(self, job: Job, handle: RequestHandle) -> tuple[Job, str]:
        with self._connect() as client:
            outcome = client.cancel(handle)
            is_cancelled = outcome is not CancelOutcome.NOT_CANCELLABLE and _is_cancelled(client, handle)
        if is_cancelled:
            job = self._cancelled(job, "Cancelled from ComfyUI while it was queued.")
            return job, "It was still queued and is cancelled at RunComfy. Nothing is charged for it."
        if outcome is CancelOutcome.NOT_CANCELLABLE:
            job = self._journal.record_cancel_requested(job, is_requested=False)
            return job, (
                "RunComfy cannot cancel it any more: it is rendering or finished, goes on, and is charged. "
                + SAFE_TO_RERUN
            )
        return job, (
            "RunComfy was asked to cancel it but does not yet say that it has. It may go on and be charged. "
            + SAFE_TO_RERUN
        )

    def _wait(self, client: Client, job: Job, stop: StopSignal, report: Report) -> Job:
        """Until the request is ready."""
        watch = self._watch(job)
        usual = self._usual(job)
        empty_results = 0
        while True:
            status = self._read(lambda: client.status(watch.handle), watch.give_up_at, stop, report)
            if status.phase is Phase.QUEUED:
                watch.saw_queue = True
                watch.give_up_at = self._clock() + self._timeout_s
                report(Queued(watch.handle.request_id, status.queue_position))
            elif status.phase in (Phase.FINISHED, Phase.FAILED, Phase.CANCELLED):
                result = self._read(lambda: client.result(watch.handle), watch.give_up_at, stop, report)
                if result.phase in (Phase.FAILED, Phase.CANCELLED):
                    raise self._record_end(job, result)
                if result.phase is Phase.FINISHED and result.video_url:
                    return self._record_ready(job, watch, result)
                empty_results += result.phase is Phase.FINISHED
                if empty_results >= MAX_EMPTY_RESULTS:
                    raise ResponseFormatError(
                        "RunComfy says that the clip is ready, but not where it is.", status_code=200
                    )
            else:
                job = self._note_rendering(job, watch, status.word if status.phase is Phase.UNKNOWN else "")
            elapsed_s = None if watch.rendering_since is None else self._clock() - watch.rendering_since
            if elapsed_s is not None and status.phase is not Phase.QUEUED:
                report(Rendering(watch.handle.request_id, elapsed_s, usual.median_s if usual else None))
            if self._clock() >= watch.give_up_at:
                raise self._timed_out()
            stop.sleep(next_poll_s(self._poll_interval_s, elapsed_s, usual))

    def _watch(self, job: Job) -> _Watch:
        now = self._clock()
        since = None if job.started_at is None else now - max(0.0, self._wall_clock() - job.started_at)
        return _Watch(_handle(job), give_up_at=now + self._timeout_s, rendering_since=since)

    def _usual(self, job: Job) -> Usual | None:
        if job.size is None:
            return None
        return usual_times(self._history.render_times_s(job.model_id, job.size, job.seconds))

    def _note_rendering(self, job: Job, watch: _Watch, strange_word: str) -> Job:
        if watch.rendering_since is not None:
            return job
        watch.rendering_since = self._clock()
        if strange_word:
            logger.warning(
                "RunComfy calls the state of %s '%s', which is not known here; waiting on.", job.name, strange_word
            )
            return job
        return self._journal.record_started(job)

    def _record_ready(self, job: Job, watch: _Watch, result: GenerationResult) -> Job:
        """Only a rendering that was seen from its beginning says how long one takes."""
        is_timed = watch.saw_queue and watch.rendering_since is not None
        render_s = self._clock() - watch.rendering_since if is_timed and watch.rendering_since is not None else None
        return self._journal.record_completed(
            job, video_url=result.video_url or "", cost_usd=result.cost_usd, render_s=render_s
        )

    def _record_end(self, job: Job, result: GenerationResult) -> RunComfyError:
        if result.phase is Phase.FAILED:
            return ended(self._journal.record_failed(job, result.reason, result.cost_usd))
        return ended(self._cancelled(job, result.reason))

    def _cancelled(self, job: Job, reason: str) -> Job:
        """Record it, unless whoever asked RunComfy to cancel has recorded it already."""
        current = self._journal.get(job.id) or job
        return current if current.state is JobState.CANCELLED else self._journal.record_cancelled(current, reason)

    def _bring_home(self, client: Client, job: Job, stop: StopSignal, report: Report) -> Job:
        """Download the clip, with a fresh address where the old one is no good."""
        handle = _handle(job)
        path = self._output_dir / f"sora2pro_{handle.request_id}.mp4"
        for fresh_links in range(MAX_FRESH_LINKS + 1):
            try:
                file_bytes = self._downloader.fetch(
                    job.video_url or "",
                    path,
                    request_id=handle.request_id,
                    stop=stop,
                    report=report,
                )
                break
            except UnusableLinkError:
                if fresh_links == MAX_FRESH_LINKS:
                    raise
                result = self._read(lambda: client.result(handle), self._clock() + self._timeout_s, stop, report)
                if not result.video_url:
                    raise DownloadError("RunComfy does not name the address of the clip any more.") from None
                job = self._journal.record_completed(job, video_url=result.video_url, cost_usd=result.cost_usd)
        job = self._journal.record_downloaded(job, path, file_bytes)
        return self.note_late_cost(client, job)

    def note_late_cost(self, client: Client, job: Job) -> Job:
        """Ask once for a cost that was not named yet; the clip is worth more than the answer."""
        if job.cost_usd is not None:
            return job
        try:
            cost_usd = client.result(_handle(job)).cost_usd
        except RunComfyError as error:
            logger.info("The cost of %s is not known yet: %s", job.name, error.what)
            return job
        return job if cost_usd is None else self._journal.record_cost(job, cost_usd)

    def _read(self, call: Callable[[], Result], give_up_at: float, stop: StopSignal, report: Report) -> Result:
        """Make a call that is safe to repeat until it succeeds, cannot succeed, or time is up."""
        attempt = 0
        while True:
            stop.check()
            try:
                return call()
            except (APIError, APIConnectionError) as error:
                attempt += 1
                decision = decide(self._policy, Call.READ, attempt, error, jitter=self._jitter())
                if not isinstance(decision, Wait):
                    raise
                if self._clock() + decision.seconds > give_up_at:
                    raise self._timed_out(error) from error
                logger.info("%s Trying again in %.1f s.", error.what, decision.seconds)
                report(Retrying(error.what, decision.seconds))
                stop.sleep(decision.seconds)

    def _timed_out(self, error: RunComfyError | None = None) -> GenerationTimeoutError:
        minutes = self._timeout_s / 60
        if error is not None:
            return GenerationTimeoutError(
                f"RunComfy gave no usable answer for {minutes:.3g} minutes. Last: {error.what}"
            )
        return GenerationTimeoutError(f"RunComfy has been rendering for more than {minutes:.3g} minutes.")

    def _on_stop(self, job: Job, stop: StopSignal) -> str:
        if job.state is JobState.SUBMITTED and stop.cancels_remotely:
            job, sentence = self.cancel(job)
        else:
            sentence = f"{charge_sentence(job)} {SAFE_TO_RERUN}"
        message = f"Stopped. {sentence} (request_id: {job.request_id}, job: {job.name})"
        logger.info("%s", message)
        return message


def _handle(job: Job) -> RequestHandle:
    if job.request_id is None:
        raise ValueError(f"{job.name} has no request id")
    return RequestHandle(job.request_id)


def _is_cancelled(client: Client, handle: RequestHandle) -> bool:
    """Whether RunComfy itself says so; a bare `completed` on /status only means that the request left the queue."""
    phase = client.status(handle).phase
    return phase is Phase.CANCELLED or (phase is Phase.FINISHED and client.result(handle).phase is Phase.CANCELLED)
