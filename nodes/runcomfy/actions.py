"""What can be done with a known job, and which job is meant. None of it can spend."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from ..errors import UNCHANGED, InvalidInputError, NotFoundError, RunComfyError
from .api.answers import REQUEST_ID, GenerationResult, Phase
from .api.client import Client, RequestHandle
from .collecting import Collector
from .jobs import ELSEWHERE, REHEARSAL, Job, JobState
from .progress import Following, Report, StopSignal
from .sentences import bought_elsewhere, charge_sentence, describe, elsewhere_sentence, not_proven_gone, uncertain
from .store.journal import Journal
from .waiting import handle_of

JOB_NAME = re.compile(r"job-(\d{1,15})")
LISTED = "The Sora 2 Pro tab of the sidebar lists all jobs."


class Lookup:
    """Finds jobs.

    Args:
        journal: The record.
        connect: Opens a conversation with the API; raises `MissingTokenError`.
        model_id: The model that requests not in the journal must belong to.
    """

    def __init__(
        self, *, journal: Journal, connect: Callable[[], AbstractContextManager[Client]], model_id: str
    ) -> None:
        self._journal = journal
        self._connect = connect
        self._model_id = model_id

    def known(self, name: str) -> Job | None:
        """The job of a name: blank for the newest, `job-7`, or a request id; None for an id the journal does not know.

        Raises:
            InvalidInputError: There is no such job, or it is no name.
        """
        name = name.strip()
        if not name:
            newest = self._journal.newest()
            if newest is None:
                raise InvalidInputError(
                    "The journal is empty: no clip was bought with this node pack yet (rehearsals are not listed).",
                    money=UNCHANGED,
                    remedy="Type a request id from runcomfy.com, or run a generation first.",
                )
            return newest
        match = JOB_NAME.fullmatch(name)
        if match is None:
            return self._journal.by_request_id(checked_request_id(name))
        job = self._journal.get(int(match[1]))
        if job is None:
            raise InvalidInputError(f"There is no {name} in the journal.", money=UNCHANGED, remedy=LISTED)
        return job

    def known_or_foreign(self, name: str) -> Job:
        """The same; a request the journal does not know gets a row, once RunComfy has confirmed that it exists.

        Raises:
            InvalidInputError: There is no such job, it is no name, or the request is for another model.
            NotFoundError: RunComfy does not know the request.
        """
        job = self.known(name)
        if job is not None:
            return job
        request_id = name.strip()
        result = self.checked_result(request_id)
        return self._journal.import_request(request_id, result.model_id or self._model_id)

    def uncertain(self, name: str) -> Job:
        """The uncertain job of a name; blank where there is only one.

        Raises:
            InvalidInputError: There is none, or there are several.
        """
        if name:
            job = self.known(name)
            if job is None:
                raise InvalidInputError(f"'{name}' is no job.", money=UNCHANGED, remedy="Write 'job-7 <request id>'.")
            return self.settled(job)
        for job in self._journal.in_state(JobState.SUBMITTING):
            self.settled(job)
        candidates = [job for job in self._journal.in_state(JobState.UNCERTAIN) if self._journal.is_here(job)]
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

    def settled(self, job: Job) -> Job:
        """The job; one found `submitting` is still being sent, or uncertain because whoever sent it is dead."""
        if job.state is not JobState.SUBMITTING:
            return job
        with self._journal.lock(job.fingerprint) as lock:
            if not lock.try_acquire():
                return job
            current = self._journal.get(job.id) or job
            return self._journal.record_abandoned(current) if current.state is JobState.SUBMITTING else current

    def result(self, request_id: str) -> GenerationResult:
        """What RunComfy says of a request now.

        Raises:
            NotFoundError: It does not know the request.
            RunComfyError: It could not be asked.
        """
        with self._connect() as client:
            try:
                return client.result(RequestHandle(request_id))
            except NotFoundError as error:
                error.money = UNCHANGED
                error.remedy = "Compare the id with the one under Generations on runcomfy.com."
                error.request_id = request_id
                raise

    def checked_result(self, request_id: str) -> GenerationResult:
        """The same, of a request that has to belong to our model.

        Raises:
            InvalidInputError: It belongs to another.
            NotFoundError: RunComfy does not know the request.
            RunComfyError: RunComfy could not be asked.
        """
        result = self.result(request_id)
        if result.model_id not in (None, self._model_id):
            raise InvalidInputError(
                f"The request {request_id} belongs to the model {result.model_id}, not to {self._model_id}.",
                money=UNCHANGED,
                remedy=ELSEWHERE,
            )
        return result


def checked_request_id(text: str) -> str:
    """The text, if it has the form of a request id.

    Raises:
        InvalidInputError: It has not.
    """
    text = text.strip()
    if text.startswith(REHEARSAL):
        raise InvalidInputError(
            "That is a rehearsal: it was made on this machine, and RunComfy knows nothing of it.",
            money=UNCHANGED,
            remedy="Its file is in the folder 'rehearsal' beside your clips.",
        )
    if REQUEST_ID.fullmatch(text) is None:
        raise InvalidInputError(
            "That is neither a request id nor a job such as job-7.",
            money=UNCHANGED,
            remedy="A request id has letters, digits, dashes and underscores; leave the field blank for the newest job.",
        )
    return text


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
