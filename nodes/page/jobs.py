"""The jobs panel without HTTP: it looks at jobs, collects, cancels, adopts, releases. It cannot spend.

Everything here blocks (SQLite, disk, RunComfy) and belongs in a thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from glob import escape
from pathlib import Path

from ..errors import UNCHANGED, InvalidInputError
from ..host import output_subfolder
from ..run.any_model import parse_priced
from ..run.inputs import parse_action
from ..runcomfy import (
    AUTO_SIZE,
    Action,
    Elsewhere,
    Engine,
    Input,
    Job,
    JobQuery,
    JobRef,
    JobState,
    Role,
    Run,
    Scalar,
    StopSignal,
    describe_outcome,
    parse_request_id,
    progress,
    retrace,
    shipped_catalogue,
    shown,
    shown_lines,
)
from .collecting import Collecting, News
from .documents import NOWHERE, Document, UnknownJobError, job_document, totals_document
from .inputs import any_model_document, check_known, is_of_sora_node, sora_document
from .spending import table

MAX_PAGE = 200
MAX_JOBS = 10**9
MAX_SEARCH_CHARS = 200
LOOK_AGAIN = "Look at the list again."


class Panel:
    """The questions of the page.

    Args:
        engine: The engine for the settings as they are now.
        collecting: The collections under way.
    """

    def __init__(self, engine: Callable[[], Engine], collecting: Collecting) -> None:
        self._engine = engine
        self._collecting = collecting

    def jobs(
        self, search: str, *, limit: int, before_id: int | None, states: Sequence[str] = (), model_id: str = ""
    ) -> Document:
        """A page of jobs, newest first, the totals, and the models to choose from.

        Raises:
            InvalidInputError: There is no such state.
        """
        engine = self._engine()
        page = engine.jobs(
            JobQuery(
                search[:MAX_SEARCH_CHARS],
                max(1, min(limit, MAX_PAGE)),
                before_id,
                tuple(parse_state(state) for state in states),
                model_id,
            )
        )
        elsewhere = engine.elsewhere(page.jobs)
        return {
            "jobs": [self._document(job, elsewhere) for job in page.jobs],
            "has_more": page.has_more,
            "models": list(page.models),
            "totals": totals_document(page.totals, engine.settings.max_usd_per_day),
        }

    def job(self, name: str) -> Document:
        """One job, by its number or its request id.

        Raises:
            UnknownJobError: The journal has none.
        """
        return self._one(self._job(name))

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
        job, engine, chosen = self._job(name), self._engine(), parse_action(action)
        self._collecting.forget(job.id)
        if chosen is Action.COLLECT:
            self._collecting.start(job, engine)
            return {"job": self._one(job), "report": ""}
        adopted_id = parse_found(request_id) if chosen is Action.ADOPT and request_id else None
        outcome = engine.act(chosen, job.ref, Run(StopSignal(), progress.ignore), request_id=adopted_id)
        return {"job": self._one(outcome.job), "report": shown_lines(describe_outcome(outcome))}

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
                f"The clip of {job.name} is not on this disk.",
                money="If it is paid for, there is no new charge.",
                remedy="Collect it.",
            )
        if version and version != _version(job):
            raise UnknownJobError(
                f"The clip of {job.name} is not the one that was asked for.", money=UNCHANGED, remedy=LOOK_AGAIN
            )
        return job.path

    def delete_file(self, name: str, version: str) -> Document:
        """Delete the file of a job's clip; the journal keeps the purchase.

        Args:
            name: Its number.
            version: Of the file that is meant; see `clip`.

        Returns:
            The job afterwards, and a `report` in words.

        Raises:
            UnknownJobError: There is no such job, or its file is another one.
            RunComfyError: It was not deleted.
        """
        if not version:
            raise InvalidInputError("It was not said which file is to be deleted.", money=UNCHANGED, remedy=LOOK_AGAIN)
        clip = self.clip(name, version)
        job = self._engine().delete_file(self._job(name).ref)
        for thumbnail in self._thumbnails().glob(f"{escape(clip.stem)}-*.jpg"):
            with suppress(OSError):
                thumbnail.unlink()
        report = (
            f"The file of {job.name} was deleted. The journal keeps the purchase: while RunComfy still has the clip, it can be "
            "collected again at no charge."
        )
        return {"job": self._one(job), "report": report}

    def inputs(self, name: str) -> Document:
        """The node that would ask for a job's clip again, and what its inputs are set to; see `page.inputs`.

        Raises:
            UnknownJobError: There is no such job.
            InvalidInputError: Its inputs are not known.
        """
        job, engine = self._job(name), self._engine()
        check_known(job)
        if is_of_sora_node(job, engine.settings.model):
            return sora_document(job, engine.settings.model)
        entry = engine.describe(job.model_id).entry
        wishes = retrace(entry, prompt=job.prompt, inputs=job.inputs, take=job.take, catalogue=shipped_catalogue())
        return any_model_document(job, wishes)

    def table(self) -> str:
        """All jobs, newest first, as CSV; see `page.spending`."""
        return table(self._engine().jobs(JobQuery(limit=MAX_JOBS)).jobs)

    def thumbnail(self, name: str, version: str = "") -> Path:
        """The first picture of a job's clip, made once; arguments as for `clip`.

        Raises:
            UnknownJobError: There is no such job, or its file is not there.
            VideoDecodeError: The file is damaged.
        """
        from ..media.thumbnail import write_thumbnail  # noqa: PLC0415 - PyAV is loaded when it is needed

        clip = self.clip(name, version)
        status = clip.stat()
        target = self._thumbnails() / f"{clip.stem}-{status.st_size}-{status.st_mtime_ns:x}.jpg"
        if not target.exists():
            write_thumbnail(clip, target)
        return target

    def price(self, texts: Mapping[str, str]) -> Document:
        """What one clip is expected to cost: `min_usd` and `max_usd`, both null where nobody can say.

        They differ where the size is not known yet and sizes differ in price, and where the model decides the length.
        `max_usd` alone is null for a price "from".
        `is_about` comes with a public list price that stands in while there is no token.

        Args:
            texts: The inputs that set the price, by name, as text; with `model`, those of the node for any model.

        Raises:
            InvalidInputError: One is missing or is not a value of the model.
        """
        engine = self._engine()
        if "model" in texts:
            estimate = engine.estimate(*parse_priced(texts))
            return {"min_usd": estimate.least_usd, "max_usd": estimate.usd if estimate.is_total else None}
        model = engine.settings.model
        choices = {one.name: _values(one, texts.get(one.name, "")) for one in model.inputs if one.sets_price}
        price = engine.price(model, choices)
        about = {"is_about": True} if price.is_about else {}
        return {"min_usd": price.min_usd, "max_usd": price.max_usd, **about}

    def _thumbnails(self) -> Path:
        return self._engine().settings.state_dir / "thumbnails"

    def _one(self, job: Job) -> Document:
        return self._document(job, self._engine().elsewhere([job]))

    def _document(self, job: Job, elsewhere: Mapping[int, Elsewhere]) -> Document:
        has_clip = job.has_whole_file
        # What a collection does after the clip has arrived, such as its receipt, is of no interest.
        news = News() if has_clip else self._collecting.news(job.id)
        return job_document(
            job,
            has_clip=has_clip,
            clip_version=_version(job) if has_clip else "",
            folder=output_subfolder(job.path) if has_clip and job.path is not None else None,
            activity=news.activity,
            trouble=news.trouble,
            answer=news.answer,
            elsewhere=elsewhere.get(job.id, NOWHERE),
        )

    def _job(self, name: str) -> Job:
        engine, number = self._engine(), name.removeprefix("job-")
        is_number = number.isascii() and number.isdecimal() and len(number) < 16  # noqa: PLR2004 - SQLite's
        job = engine.job(JobRef(job_id=int(number))) if is_number else None
        job = job or engine.job(JobRef(request_id=name))
        if job is None:
            raise UnknownJobError("There is no such job in the journal.", money=UNCHANGED, remedy=LOOK_AGAIN)
        return job


def parse_found(text: str) -> str:
    """A request id that was found on runcomfy.com.

    Raises:
        InvalidInputError: It is not one.
    """
    try:
        return parse_request_id(text)
    except InvalidInputError as error:
        # At the job there is no "newest one" to leave the field blank for.
        raise error.told(remedy="Copy the request id from Generations on runcomfy.com.") from None


def parse_state(name: str) -> JobState:
    """A state by its name.

    Raises:
        InvalidInputError: There is none.
    """
    try:
        return JobState(name)
    except ValueError:
        raise InvalidInputError(f"'{shown(name)}' is not a state of a job.", money=UNCHANGED) from None


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
