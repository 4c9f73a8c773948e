"""What `Sora2ProStatus` and the jobs panel can do with a job: look, collect, cancel, adopt, release. None of it can spend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from ..errors import UNCHANGED, InvalidInputError, NotFoundError, RunComfyError
from .answers import Phase
from .client import Client
from .collect import Collector
from .jobs import ELSEWHERE, Job, JobState, charge_sentence, describe_inputs
from .journal import Journal
from .lookup import JOB_NAME, LISTED, Lookup, checked_request_id
from .origin import bought_elsewhere, elsewhere_sentence, not_proven_gone
from .outcomes import uncertain
from .progress import Following, Report
from .stopping import StopSignal
from .waiting import handle_of

FOLLOW_INTERVAL_S = 0.25


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
        lookup: Finds the job that is meant.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        collector: Collector,
        connect: Callable[[], AbstractContextManager[Client]],
        lookup: Lookup,
    ) -> None:
        self._journal = journal
        self._collector = collector
        self._connect = connect
        self._lookup = lookup

    def at_once(self, action: str, name: str) -> Finding:
        """Check, cancel, adopt or release: whatever takes no waiting.

        Raises:
            InvalidInputError: There is no such action.
        """
        actions = {"check": self.check, "cancel": self.cancel, "adopt": self.adopt, "release": self.release}
        if action not in actions:
            raise InvalidInputError(
                f"'{action}' is no action.",
                money=UNCHANGED,
                remedy="Choose check, collect, cancel, adopt or release.",
            )
        return actions[action](name)

    def check(self, name: str) -> Finding:
        """Look at a job; asks RunComfy once where that can tell more."""
        job = self._lookup.settled(self._lookup.known_or_foreign(name))
        if not self._journal.is_here(job):
            return Finding(job, f"{describe(job)} {elsewhere_sentence(job, self._journal.api_base)}")
        if job.state is JobState.SUBMITTED:
            return Finding(job, f"{describe(job)} {self._live(job)}")
        if job.state in (JobState.COMPLETED, JobState.DOWNLOADED) and job.cost_usd is None:
            job = self._with_cost(job)
        return Finding(job, describe(job))

    def collect(self, name: str, *, stop: StopSignal, report: Report) -> Finding:
        """Bring the clip of a job home, however far it has got."""
        job = self._checked_here(self._lookup.known_or_foreign(name))
        with self._working_on(job, stop, report) as current:
            collected = self._collect(current, stop, report)
        return Finding(collected, describe(collected))

    def cancel(self, name: str) -> Finding:
        """Ask RunComfy to cancel a request."""
        job = self._checked_here(self._lookup.known_or_foreign(name))
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
        if not request_id or JOB_NAME.fullmatch(request_id):
            raise InvalidInputError(
                "'adopt' needs the request id that you found under Generations on runcomfy.com.",
                money=UNCHANGED,
                remedy="Type it into 'request_id'; where several jobs are uncertain, as 'job-7 <request id>'.",
            )
        known = self._journal.by_request_id(checked_request_id(request_id))
        if known is not None and not known.is_imported:
            raise InvalidInputError(
                f"The request {request_id} belongs to {known.name} already.",
                money=UNCHANGED,
                remedy=ELSEWHERE,
            )
        job = self._checked_here(self._lookup.uncertain(job_name))
        self._lookup.checked_result(request_id)
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
        job = self._lookup.known(name)
        if job is None:
            raise InvalidInputError("There is no such job in the journal.", money=UNCHANGED, remedy=LISTED)
        job = self._lookup.settled(self._checked_here(job))
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
        if job.state is JobState.SUBMITTING:
            job = self._journal.record_abandoned(job)
        if job.state is JobState.UNCERTAIN:
            raise uncertain(job)
        raise InvalidInputError(
            f"{job.name} is {job.state.value}: there is no clip to collect.",
            money=charge_sentence(job),
            remedy="Run the node that made it to buy the clip.",
            job_id=job.id,
        )

    def _checked_here(self, job: Job) -> Job:
        """The job.

        Raises:
            InvalidInputError: It was bought at another address of the API.
        """
        if not self._journal.is_here(job):
            raise bought_elsewhere(job, self._journal.api_base)
        return job

    def _check_gone(self, job: Job) -> None:
        try:
            self._lookup.result(job.request_id or "")
        except NotFoundError as error:
            is_base_proven = self._journal.is_base_proven(job)
            if is_base_proven and self._journal.is_account_proven(job):
                return
            raise not_proven_gone(job, is_base_known=is_base_proven) from error
        raise InvalidInputError(
            f"RunComfy still has the request of {job.name}, so it is not released: that would lose a clip that is paid for.",
            money=UNCHANGED,
            remedy="Choose 'collect' to get the clip.",
            request_id=job.request_id,
            job_id=job.id,
        )

    def _live(self, job: Job) -> str:
        """What RunComfy says of a request right now; a failure to ask changes nothing."""
        handle = handle_of(job)
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


def describe(job: Job) -> str:
    """A job in a few sentences."""
    name = f"{job.name}" + (f" (request_id: {job.request_id})" if job.request_id else "")
    kind = f" {', '.join(describe_inputs(job.inputs))}." if job.inputs else ""
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
