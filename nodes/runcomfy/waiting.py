"""Asks how far a request is until it has ended, and decides how often."""

from __future__ import annotations

import logging
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..errors import APIConnectionError, APIError, GenerationTimeoutError, ResponseFormatError, RunComfyError
from .api.answers import GenerationResult, Phase
from .api.client import Client, RequestHandle
from .api.retry import Call, RetryPolicy, Wait, decide
from .jobs import Job
from .progress import Queued, Rendering, Retrying, Run
from .store.history import History
from .store.journal import Journal

MIN_SAMPLES = 3
EARLY_MARGIN = 0.8
MAX_STRETCH = 12
MAX_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Usual:
    """How long the user's own clips of a kind take, in seconds."""

    earliest_s: float
    median_s: float


def usual_times(samples_s: Sequence[float]) -> Usual | None:
    """What a history says, or None while it is too short to say anything."""
    if len(samples_s) < MIN_SAMPLES:
        return None
    return Usual(earliest_s=min(samples_s), median_s=statistics.median(samples_s))


def next_poll_s(interval_s: float, elapsed_s: float | None, usual: Usual | None) -> float:
    """Seconds until the next look.

    Args:
        interval_s: The most often the user wants it; also the rate around the usual time.
        elapsed_s: How long the request has been rendering; None while it is queued.
        usual: The user's own history.
    """
    if elapsed_s is None or usual is None:
        return interval_s
    nothing_before_s = usual.earliest_s * EARLY_MARGIN - elapsed_s
    longest_s = min(interval_s * MAX_STRETCH, max(interval_s, MAX_WAIT_S))
    return max(interval_s, min(nothing_before_s, longest_s))


MAX_EMPTY_RESULTS = 5
ENDS = (Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED)

Result = TypeVar("Result")
logger = logging.getLogger("runcomfy.sora2pro.waiting")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a request ended.

    Attributes:
        job: As recorded while it was waited for.
        result: RunComfy's; one that finished names a clip.
        render_s: Seconds from leaving the queue to the end, if both were seen.
    """

    job: Job
    result: GenerationResult
    render_s: float | None


@dataclass(slots=True)
class _Watch:
    """The clock of one wait. The limit counts only while RunComfy does not say that the request is still queued."""

    handle: RequestHandle
    give_up_at: float
    rendering_since: float | None
    saw_queue: bool = False

    def elapsed_s(self, now: float) -> float | None:
        return None if self.rendering_since is None else now - self.rendering_since


class Waiting:
    """Waits for requests.

    Args:
        journal: Where it is recorded that a request left the queue.
        history: How long the user's clips usually take.
        poll_interval_s: The most often to ask.
        timeout_s: How long a request may render, and how long RunComfy may give no usable answer.
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
        poll_interval_s: float,
        timeout_s: float,
        policy: RetryPolicy,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._journal = journal
        self._history = history
        self._poll_interval_s = poll_interval_s
        self._timeout_s = timeout_s
        self._policy = policy
        self._clock = clock
        self._wall_clock = wall_clock
        self._jitter = jitter

    def __repr__(self) -> str:
        """The limits; no token."""
        return f"Waiting(poll_interval_s={self._poll_interval_s}, timeout_s={self._timeout_s})"

    def until_ended(self, client: Client, job: Job, run: Run) -> Ending:
        """Wait for a submitted request.

        Raises:
            GenerationTimeoutError: The limit is over; the request goes on.
            RunComfyError: RunComfy cannot be asked, or does not say where the clip is.
            Stopped: The run was asked to end.
        """
        watch = self._watch(job)
        usual = self._usual(job)
        empty_results = 0
        while True:
            status = self._read(lambda: client.status(watch.handle), watch.give_up_at, run)
            if status.phase in ENDS:
                result = self._read(lambda: client.result(watch.handle), watch.give_up_at, run)
                if result.phase in (Phase.FAILED, Phase.CANCELLED) or (
                    result.phase is Phase.COMPLETED and result.video_url
                ):
                    return Ending(job, result, watch.elapsed_s(self._clock()) if watch.saw_queue else None)
                empty_results += result.phase is Phase.COMPLETED
                if empty_results >= MAX_EMPTY_RESULTS:
                    raise ResponseFormatError(
                        "RunComfy says that the clip is ready, but not where it is.", status_code=200
                    )
            elif status.phase is Phase.QUEUED:
                watch.saw_queue = True
                watch.give_up_at = self._clock() + self._timeout_s
                run.report(Queued(watch.handle.request_id, status.queue_position))
            else:
                job = self._note_rendering(job, watch, status.word if status.phase is Phase.UNKNOWN else "")
            elapsed_s = watch.elapsed_s(self._clock())
            if elapsed_s is not None and status.phase is not Phase.QUEUED:
                run.report(Rendering(watch.handle.request_id, elapsed_s, usual.median_s if usual else None))
            if self._clock() >= watch.give_up_at:
                raise self._timed_out()
            run.stop.sleep(next_poll_s(self._poll_interval_s, elapsed_s, usual))

    def result(self, client: Client, job: Job, run: Run) -> GenerationResult:
        """Ask for the result of a request until there is an answer.

        Raises:
            RunComfyError: There is none within the limit, or RunComfy refuses to answer.
            Stopped: The run was asked to end.
        """
        handle = handle_of(job)
        return self._read(lambda: client.result(handle), self._clock() + self._timeout_s, run)

    def _watch(self, job: Job) -> _Watch:
        now = self._clock()
        since = None if job.started_at is None else now - max(0.0, self._wall_clock() - job.started_at)
        return _Watch(handle_of(job), give_up_at=now + self._timeout_s, rendering_since=since)

    def _usual(self, job: Job) -> Usual | None:
        return None if job.is_imported else usual_times(self._history.render_times_s(job))

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

    def _read(self, call: Callable[[], Result], give_up_at: float, run: Run) -> Result:
        """Make a call that is safe to repeat until it succeeds, cannot succeed, or time is up."""
        attempt = 0
        while True:
            run.stop.check()
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
                run.report(Retrying(error.what, decision.seconds))
                run.stop.sleep(decision.seconds)

    def _timed_out(self, error: RunComfyError | None = None) -> GenerationTimeoutError:
        minutes = self._timeout_s / 60
        if error is not None:
            return GenerationTimeoutError(
                f"The clip did not arrive within {minutes:.3g} minutes, and RunComfy gave no usable answer when it was last "
                f"asked: {error.what}"
            )
        return GenerationTimeoutError(f"RunComfy has been rendering for more than {minutes:.3g} minutes.")


def handle_of(job: Job) -> RequestHandle:
    """The request of a job that has one."""
    if job.request_id is None:
        raise ValueError(f"{job.name} has no request id")
    return RequestHandle(job.request_id)
