"""What `Sora2ProStatus` and the jobs panel can do with a job: look, collect, cancel, adopt, release. None of it can spend."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from ..errors import (
    InvalidInputError,
    NotFoundError,
    RunComfyError,
)
from .answers import REQUEST_ID, GenerationResult, Phase
from .client import Client, RequestHandle
from .collect import Collector
from .jobs import Job, JobState, charge_sentence
from .journal import Journal
from .outcomes import uncertain
from .progress import Following, Report
from .stopping import StopSignal

FOLLOW_INTERVAL_S = 0.25
UNCHANGED = "Nothing was changed and nothing was charged."
JOB_NAME = re.compile(r"job-(\d{1,15})")


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of an action: the job as it is now, and what to tell the user."""

    job: Job
    report: str


class StatusActions:
    """Actions on any job, or on any request by its id.

    Args:
        journal: The record.
        collector: Brings clips home.
        connect: Opens a conversation with the API; raises `MissingTokenError`.
        model_id: The model that requests not in the journal must belong to.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        collector: Collector,
        connect: Callable[[], AbstractContextManager[Client]],
        model_id: str,
    ) -> None:
        self._journal = journal
        self._collector = collector
        self._connect = connect
        self._model_id = model_id

    def check(self, name: str) -> Finding:
        """Look at a job; asks RunComfy once where that can tell more."""
        job = self._job(name) or self._foreign(name)
        if job.state is JobState.SUBMITTING:
            job = self._settled(job)
        if job.state is JobState.SUBMITTED:
            return Finding(job, f"{describe(job)} {self._live(job)}")
        if job.state in (JobState.COMPLETED, JobState.DOWNLOADED) and job.cost_usd is None:
            job = self._with_cost(job)
        return Finding(job, describe(job))

    def collect(self, name: str, *, stop: StopSignal, report: Report) -> Finding:
        """Bring the clip of a job home, however far it has got."""
        job = self._job(name) or self._foreign(name)
        with self._working_on(job, stop, report) as current:
            collected = self._collect(current, stop, report)
        return Finding(collected, describe(collected))

    def cancel(self, name: str) -> Finding:
        """Ask RunComfy to cancel a request."""
        job = self._job(name) or self._foreign(name)
        if job.state is not JobState.SUBMITTED:
            return Finding(job, f"{describe(job)} There is nothing to cancel.")
        job, sentence = self._collector.cancel(job)
        return Finding(job, f"{job.name} (request_id: {job.request_id}): {sentence}")

    def adopt(self, name: str) -> Finding:
        """Let a request id found on RunComfy's site take over an uncertain job: `<request id>` or `job-7 <request id>`.

        Raises:
            InvalidInputError: The id is in use, unknown to RunComfy or of another model, or the job is not uncertain.
        """
        job_name, _, request_id = name.strip().rpartition(" ")
        known = self._journal.by_request_id(checked_request_id(request_id))
        if known is not None and known.size is not None:
            raise InvalidInputError(
                f"The request {request_id} belongs to {known.name} already.",
                money=UNCHANGED,
                remedy="Look for another id under Generations on runcomfy.com.",
            )
        job = self._uncertain_job(job_name)
        self._check_model(self._result(request_id), request_id)
        with self._alone_with(job) as current:
            if current.state is not JobState.UNCERTAIN or current.is_released:
                condition = "released" if current.is_released else current.state.value
                raise InvalidInputError(
                    f"{current.name} is {condition}, not uncertain.",
                    money=UNCHANGED,
                    remedy="To fetch the clip of a request, choose 'collect'.",
                )
            adopted = self._journal.adopt(current, request_id)
        return Finding(adopted, f"{describe(adopted)} Run the node again, or collect it here: there is no new charge.")

    def release(self, name: str) -> Finding:
        """Give a job up, so that the same inputs are bought anew.

        Raises:
            InvalidInputError: RunComfy still knows the request, or the job needs no release.
        """
        job = self._job(name)
        if job is None:
            raise InvalidInputError("There is no such job in the journal.", money=UNCHANGED)
        if job.state is JobState.SUBMITTING:
            job = self._settled(job)
        if job.state in (JobState.SUBMITTED, JobState.COMPLETED):
            self._check_gone(job)
        with self._alone_with(job) as current:
            released = self._journal.release(current)
        return Finding(
            released,
            f"{released.name} is released: the next run with the same inputs buys a new clip. {charge_sentence(released)}",
        )

    def _collect(self, job: Job, stop: StopSignal, report: Report) -> Job:
        if job.state in (JobState.FAILED, JobState.CANCELLED) and job.request_id:
            return self._collector.look_again(job, stop=stop, report=report)
        if job.state in (JobState.SUBMITTED, JobState.COMPLETED, JobState.DOWNLOADED):
            return self._collector.collect(job, stop=stop, report=report)
        if job.state is JobState.UNCERTAIN:
            raise uncertain(job)
        raise InvalidInputError(
            f"{job.name} is {job.state.value}: there is no clip to collect.",
            money=charge_sentence(job),
            remedy="Run the node that made it to buy the clip.",
            job_id=job.id,
        )

    def _job(self, name: str) -> Job | None:
        """The job a user means: blank for the newest, `job-7`, or a request id; None for an id the journal does not know."""
        name = name.strip()
        if not name:
            newest = self._journal.newest()
            if newest is None:
                raise InvalidInputError(
                    "The journal is empty: nothing was generated with this node pack yet.",
                    money=UNCHANGED,
                    remedy="Type a request id from runcomfy.com, or run a generation first.",
                )
            return newest
        match = JOB_NAME.fullmatch(name)
        if match is None:
            return self._journal.by_request_id(checked_request_id(name))
        job = self._journal.get(int(match[1]))
        if job is None:
            raise InvalidInputError(f"There is no {name} in the journal.", money=UNCHANGED)
        return job

    def _foreign(self, name: str) -> Job:
        """A request the journal does not know gets a row, once RunComfy has confirmed that it exists."""
        request_id = name.strip()
        result = self._result(request_id)
        self._check_model(result, request_id)
        return self._journal.import_request(request_id, result.model_id or self._model_id)

    def _uncertain_job(self, job_name: str) -> Job:
        if job_name:
            job = self._job(job_name)
            if job is None:
                raise InvalidInputError(
                    f"'{job_name}' is no job.", money=UNCHANGED, remedy="Write 'job-7 <request id>'."
                )
            return self._settled(job) if job.state is JobState.SUBMITTING else job
        for job in self._journal.in_state(JobState.SUBMITTING):
            self._settled(job)
        candidates = self._journal.in_state(JobState.UNCERTAIN)
        if len(candidates) == 1:
            return candidates[0]
        if not candidates:
            raise InvalidInputError(
                "No job is uncertain, so there is none to adopt a request for.",
                money=UNCHANGED,
                remedy="To fetch the clip of a request, choose 'collect'.",
            )
        names = ", ".join(f"{job.name} ('{job.prompt[:40]}')" for job in candidates[:5])
        raise InvalidInputError(
            f"{len(candidates)} jobs are uncertain: {names}.",
            money=UNCHANGED,
            remedy="Write which one the request is for: 'job-7 <request id>'.",
        )

    def _settled(self, job: Job) -> Job:
        """A job found `submitting`: still being sent, or uncertain because whoever sent it is dead."""
        with self._journal.lock(job.fingerprint) as lock:
            if not lock.try_acquire():
                return job
            current = self._journal.get(job.id) or job
            if current.state is not JobState.SUBMITTING:
                return current
            return self._journal.record_uncertain(current, "ComfyUI ended while the request was being sent.")

    def _result(self, request_id: str) -> GenerationResult:
        with self._connect() as client:
            try:
                return client.result(RequestHandle(request_id))
            except NotFoundError as error:
                error.money = UNCHANGED
                error.remedy = "Compare the id with the one under Generations on runcomfy.com."
                error.request_id = request_id
                raise

    def _check_model(self, result: GenerationResult, request_id: str) -> None:
        if result.model_id not in (None, self._model_id):
            raise InvalidInputError(
                f"The request {request_id} belongs to the model {result.model_id}, not to {self._model_id}.",
                money=UNCHANGED,
                remedy="Look for another id under Generations on runcomfy.com.",
            )

    def _check_gone(self, job: Job) -> None:
        try:
            self._result(job.request_id or "")
        except NotFoundError:
            return
        raise InvalidInputError(
            f"RunComfy still has the request of {job.name}, so it is not released: that would lose a clip that is paid for.",
            money=UNCHANGED,
            remedy="Choose 'collect' to get the clip.",
            request_id=job.request_id,
            job_id=job.id,
        )

    def _live(self, job: Job) -> str:
        """What RunComfy says of a request right now; a failure to ask changes nothing."""
        handle = RequestHandle(job.request_id or "")
        try:
            with self._connect() as client:
                status = client.status(handle)
                phase = client.result(handle).phase if status.phase is Phase.FINISHED else status.phase
        except RunComfyError as error:
            return f"RunComfy could not be asked: {error.what}"
        position = "" if status.queue_position is None else f" at position {status.queue_position}"
        return {
            Phase.QUEUED: f"It is queued{position}.",
            Phase.RUNNING: "It is rendering.",
            Phase.FINISHED: "The clip is ready: collect it.",
            Phase.FAILED: "RunComfy says that it failed: collect it to read why.",
            Phase.CANCELLED: "RunComfy says that it was cancelled.",
            Phase.UNKNOWN: f"RunComfy calls its state '{status.word}'.",
        }[phase]

    def _with_cost(self, job: Job) -> Job:
        try:
            with self._connect() as client:
                return self._collector.note_late_cost(client, job)
        except RunComfyError:
            # Without a token or a network the job can be looked at all the same.
            return job

    @contextmanager
    def _working_on(self, job: Job, stop: StopSignal, report: Report) -> Iterator[Job]:
        """The job as it is once nobody else works on it."""
        with self._journal.lock(job.fingerprint) as lock:
            while not lock.try_acquire():
                report(Following())
                stop.sleep(FOLLOW_INTERVAL_S)
            yield self._journal.get(job.id) or job

    @contextmanager
    def _alone_with(self, job: Job) -> Iterator[Job]:
        with self._journal.lock(job.fingerprint) as lock:
            if not lock.try_acquire():
                raise InvalidInputError(
                    f"A node is working on {job.name} right now.",
                    money=UNCHANGED,
                    remedy="Stop it first, then try again.",
                )
            yield self._journal.get(job.id) or job


def checked_request_id(text: str) -> str:
    """The text, if it has the form of a request id.

    Raises:
        InvalidInputError: It has not.
    """
    text = text.strip()
    if REQUEST_ID.fullmatch(text) is None:
        raise InvalidInputError(
            "That is neither a request id nor a job such as job-7.",
            money=UNCHANGED,
            remedy="A request id has letters, digits, dashes and underscores; leave the field blank for the newest job.",
        )
    return text


def describe(job: Job) -> str:
    """A job in a few sentences."""
    name = f"{job.name}" + (f" (request_id: {job.request_id})" if job.request_id else "")
    kind = f" {job.size}, {job.seconds} s." if job.size else ""
    reason = f" {job.reason.rstrip('.')}." if job.reason else ""
    where = f" The clip is {job.path}." if job.path else ""
    released = " It was released." if job.is_released else ""
    next_step = {
        JobState.PREPARED: " It was never sent.",
        JobState.SUBMITTING: " It is being sent right now.",
        JobState.COMPLETED: " The clip is ready at RunComfy: run the node again, or collect it here.",
        JobState.UNCERTAIN: " Nobody knows whether RunComfy accepted it: adopt a request id, or release it.",
    }.get(job.state, "")
    return f"{name} is {job.state.value}.{kind}{reason}{next_step}{where}{released} {charge_sentence(job)}"
