"""The jobs panel without HTTP: it looks at jobs, collects, cancels, adopts, releases. It cannot spend.

Everything here blocks (SQLite, disk, RunComfy) and belongs into a thread.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UNCHANGED, GenerationCancelledError, GenerationFailedError, RunComfyError
from ..run.services import Services
from ..run.threads import Run
from ..runcomfy.foreign_text import shown_lines
from ..runcomfy.jobs import Job
from ..runcomfy.models import AUTO_SIZE, Input, ModelSpec, Role, Scalar
from .documents import Document, UnknownJobError, job_document, totals_document

if TYPE_CHECKING:
    from ..runcomfy.actions import Finding, StatusActions
    from ..runcomfy.progress import Report, StopSignal


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


MAX_PAGE = 200
MAX_SEARCH_CHARS = 200
LOOK_AGAIN = "Look at the list again."


class Panel:
    """The questions of the page.

    Args:
        services: The services for the settings as they are now.
        collecting: The collections under way.
    """

    def __init__(self, services: Callable[[], Services], collecting: Collecting) -> None:
        self._services = services
        self._collecting = collecting

    def jobs(self, search: str, *, limit: int, before_id: int | None) -> Document:
        """A page of jobs, newest first, and the totals."""
        services = self._services()
        limit = max(1, min(limit, MAX_PAGE))
        found = services.history.search(search[:MAX_SEARCH_CHARS], limit=limit + 1, before_id=before_id)
        totals = services.history.totals()
        return {
            "jobs": [self._document(job) for job in found[:limit]],
            "has_more": len(found) > limit,
            "totals": totals_document(totals, services.settings.max_usd_per_day),
        }

    def job(self, name: str) -> Document:
        """One job, by its number or its request id.

        Raises:
            UnknownJobError: The journal has none.
        """
        return self._document(self._job(name))

    def act(self, name: str, action: str, request_id: str) -> Document:
        """Do something with a job.

        Args:
            name: Its number.
            action: check, collect, cancel, adopt or release.
            request_id: For adopt: what was found on runcomfy.com.

        Returns:
            The job afterwards, and a `report` in words. A collection goes on in the background.

        Raises:
            RunComfyError: It was not done.
        """
        job, actions = self._job(name), self._services().actions
        self._collecting.forget(job.id)
        if action == "collect":
            self._collecting.start(job.id, actions)
            return {"job": self._document(job), "report": ""}
        finding = actions.at_once(action, f"{job.name} {request_id}" if action == "adopt" else job.name)
        return {"job": self._document(finding.job), "report": shown_lines(finding.report)}

    def clip(self, name: str, version: str = "") -> Path:
        """The file of a job.

        Args:
            name: Its number or its request id.
            version: Of the file that is meant, as in the job's document. The number of a job is one of this journal only, and
                a page may still show the list of another one. Blank: whatever file there is.

        Raises:
            UnknownJobError: There is no such job, or its file is not there.
        """
        job = self._job(name)
        if not job.has_whole_file or job.path is None:
            raise UnknownJobError(
                f"The clip of {job.name} is not on this disk (any more).",
                money="If it is paid for, there is no new charge.",
                remedy="Collect it.",
            )
        if version and version != _version(job):
            raise UnknownJobError(
                f"The clip of {job.name} is not the one that was asked for.", money=UNCHANGED, remedy=LOOK_AGAIN
            )
        return job.path

    def thumbnail(self, name: str, version: str = "") -> Path:
        """The first picture of a job's clip, made once; arguments as for `clip`.

        Raises:
            UnknownJobError: There is no such job, or its file is not there.
            VideoDecodeError: The file is damaged.
        """
        from ..media.thumbnail import write_thumbnail  # noqa: PLC0415 - PyAV is loaded when it is needed

        clip = self.clip(name, version)
        folder = self._services().settings.state_dir / "thumbnails"
        status = clip.stat()
        target = folder / f"{clip.stem}-{status.st_size}-{status.st_mtime_ns:x}.jpg"
        if not target.exists():
            write_thumbnail(clip, target)
        return target

    def price(self, texts: Mapping[str, str]) -> Document:
        """What one clip is expected to cost: `min_usd` and `max_usd`, both null where nobody can say.

        They differ where the size is not known yet and sizes differ in price.

        Args:
            texts: The inputs that set the price, by name, as text.

        Raises:
            InvalidInputError: One is missing or is not a value of the model.
        """
        services = self._services()
        model = services.settings.model
        priced = [one for one in model.inputs if one.sets_price]
        choices = [_values(one, texts.get(one.name, "")) for one in priced]
        combinations = [
            dict(zip([one.name for one in priced], values, strict=True)) for values in itertools.product(*choices)
        ]
        prices = [self._price(services, model, inputs) for inputs in combinations]
        known = [usd for usd in prices if usd is not None]
        if len(known) < len(prices):
            return {"min_usd": None, "max_usd": None}
        return {"min_usd": min(known), "max_usd": max(known)}

    def _price(self, services: Services, model: ModelSpec, inputs: Mapping[str, Scalar]) -> float | None:
        try:
            with services.connect() as client:
                return services.pricing.expected_usd(client, model, inputs)
        except RunComfyError:
            # Without a token RunComfy cannot be asked, but the user's own past can.
            return services.history.last_cost_usd(model.model_id, model.kind(inputs))

    def _document(self, job: Job) -> Document:
        news = self._collecting.news(job.id)
        has_clip = job.has_whole_file
        return job_document(
            job,
            has_clip=has_clip,
            clip_version=_version(job) if has_clip else "",
            activity=news.activity,
            trouble=news.trouble,
        )

    def _job(self, name: str) -> Job:
        journal = self._services().journal
        number = name.removeprefix("job-")
        job = journal.get(int(number)) if number.isascii() and number.isdecimal() and len(number) < 16 else None  # noqa: PLR2004 - SQLite's
        job = job or journal.by_request_id(name)
        if job is None:
            raise UnknownJobError("There is no such job in the journal (any more).", money=UNCHANGED, remedy=LOOK_AGAIN)
        return job


def _values(one: Input, text: str) -> tuple[Scalar, ...]:
    """What an input may come to: every choice for a size that the picture decides."""
    return one.choices if one.role is Role.SIZE and text == AUTO_SIZE else (one.parse(text),)


def _version(job: Job) -> str:
    """A file's identity: request, length and time of the last change; empty if there is no file."""
    try:
        status = job.path.stat() if job.path is not None else None
    except OSError:
        status = None
    if status is None:
        return ""
    identity = f"{job.request_id} {status.st_size} {status.st_mtime_ns}"
    return hashlib.sha256(identity.encode()).hexdigest()[:16]
