"""Clips that the jobs panel brings home: in threads of their own, each job once, however many pages ask for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import GenerationCancelledError, GenerationFailedError, RunComfyError
from .worker import Run

if TYPE_CHECKING:
    from .runcomfy.progress import Report
    from .runcomfy.status_actions import Finding, StatusActions
    from .runcomfy.stopping import StopSignal


@dataclass(frozen=True, slots=True)
class News:
    """What is to be said of a job beside its state: what is being done, and what went wrong last."""

    activity: str = ""
    trouble: str = ""


class Collecting:
    """The collections under way, and how the last ones ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[int, Run[Finding]] = {}

    def start(self, job_id: int, actions: StatusActions) -> None:
        """Bring a clip home, unless that is being done already."""

        def task(stop: StopSignal, report: Report) -> Finding:
            return actions.collect(f"job-{job_id}", stop=stop, report=report)

        with self._lock:
            run = self._runs.get(job_id)
            if run is None or run.is_finished:
                self._runs[job_id] = Run(task)

    def forget(self, job_id: int) -> None:
        """Leave behind how the last collection of a job ended."""
        with self._lock:
            run = self._runs.get(job_id)
            if run is not None and run.is_finished:
                del self._runs[job_id]

    def news(self, job_id: int) -> News:
        """What is to be said of a job."""
        with self._lock:
            run = self._runs.get(job_id)
        if run is None:
            return News()
        if not run.is_finished:
            return News(activity=run.line())
        # That it failed or was cancelled at RunComfy is in the journal, and said there.
        if run.error is None or isinstance(run.error, GenerationFailedError | GenerationCancelledError):
            return News()
        known = isinstance(run.error, RunComfyError)
        return News(
            trouble=str(run.error) if known else f"It failed unexpectedly ({type(run.error).__name__}); see the log."
        )
