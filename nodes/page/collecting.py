"""The collections that the panel has begun, and how the last ones ended."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from ..errors import GenerationCancelledError, GenerationFailedError, RunComfyError
from ..run.threads import Work
from ..runcomfy import Action, Engine, Job, JobState, Outcome, Run, progress


@dataclass(frozen=True, slots=True)
class News:
    """What is to be said of a job besides its state.

    Attributes:
        activity: What is being done for it right now.
        trouble: What went wrong last.
        answer: What RunComfy said when it was asked again, where that is nothing new.
    """

    activity: str = ""
    trouble: str = ""
    answer: str = ""


_STILL_ENDED = {
    JobState.FAILED: "RunComfy was asked again and still says that it failed.",
    JobState.CANCELLED: "RunComfy was asked again and still says that it was cancelled.",
}


class Collecting:
    """The collections under way, and how the last ones ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._works: dict[int, tuple[JobState, Work[Outcome]]] = {}

    def start(self, job: Job, engine: Engine) -> None:
        """Collect a clip, unless that is being done already."""

        def task(run: Run) -> Outcome:
            return engine.act(Action.COLLECT, job.ref, run)

        with self._lock:
            _, work = self._works.get(job.id, (None, None))
            if work is None or work.is_finished:
                self._works[job.id] = job.state, Work(task)

    def forget(self, job_id: int) -> None:
        """Leave behind how the last collection of a job ended."""
        with self._lock:
            _, work = self._works.get(job_id, (None, None))
            if work is not None and work.is_finished:
                del self._works[job_id]

    def news(self, job_id: int) -> News:
        """What is to be said of a job."""
        with self._lock:
            before, work = self._works.get(job_id, (None, None))
        if work is None:
            return News()
        if not work.is_finished:
            # A collection prepares no picture: until RunComfy answers, it is asking.
            return News(activity="Asking RunComfy" if isinstance(work.state, progress.Preparing) else work.line())
        # That it failed or was cancelled at RunComfy is in the journal, and said there.
        if work.error is None or isinstance(work.error, GenerationFailedError | GenerationCancelledError):
            return News(answer="" if work.error is None or before is None else _STILL_ENDED.get(before, ""))
        known = isinstance(work.error, RunComfyError)
        return News(
            trouble=str(work.error) if known else f"It failed unexpectedly ({type(work.error).__name__}); see the log."
        )
