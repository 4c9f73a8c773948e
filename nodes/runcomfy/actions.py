"""What can be done with a known job: check, collect, cancel, adopt, release. None of it can spend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import UNCHANGED, InvalidInputError, NotFoundError, RunComfyError
from .api.answers import Phase
from .api.client import Connect
from .collecting import Collector
from .deleting import delete_file
from .jobs import ELSEWHERE, Action, Job, JobRef, JobState
from .lookup import Lookup
from .progress import Following, Run
from .receipts import keep_receipt
from .sentences import Live, Outcome, bought_elsewhere, charge_sentence, not_proven_gone, uncertain
from .store.journal import Journal
from .waiting import handle_of

FOLLOW_INTERVAL_S = 0.25


class Actions:
    """Actions on any job, or on any request by its id.

    Args:
        journal: The record.
        collector: Collects clips.
        connect: Opens a conversation with the API; raises `MissingTokenError`.
        lookup: Finds the job that is meant.
    """

    def __init__(self, *, journal: Journal, collector: Collector, connect: Connect, lookup: Lookup) -> None:
        self._journal = journal
        self._collector = collector
        self._connect = connect
        self._lookup = lookup

    def __repr__(self) -> str:
        """The journal; no token."""
        return f"Actions(journal={self._journal!r})"

    def act(self, action: Action, ref: JobRef, run: Run, *, request_id: str | None = None) -> Outcome:
        """Do something with a job.

        Args:
            action: What to do.
            ref: Which job is meant.
            run: Ends and watches a collection; the other actions take no waiting.
            request_id: For `ADOPT`: the request found on RunComfy's site.

        Raises:
            RunComfyError: It was not done; the message says why, what that means for the money, and what to do.
            Stopped: The run was asked to end.
        """
        outcome = self._outcome(action, ref, run, request_id)
        keep_receipt(outcome.job)
        return outcome

    def _outcome(self, action: Action, ref: JobRef, run: Run, request_id: str | None) -> Outcome:
        if action is Action.CHECK:
            return self.check(ref)
        if action is Action.COLLECT:
            return self.collect(ref, run)
        if action is Action.CANCEL:
            return self.cancel(ref)
        if action is Action.ADOPT:
            return self.adopt(ref, request_id)
        return self.release(ref)

    def check(self, ref: JobRef) -> Outcome:
        """Look at a job; asks RunComfy once where that can tell more."""
        job = self._lookup.recovered(self._lookup.known_or_imported(ref))
        if not self._journal.is_here(job):
            return Outcome(Action.CHECK, job, api_base_in_use=self._journal.api_base)
        if job.state is JobState.SUBMITTED:
            return Outcome(Action.CHECK, job, live=self._live(job))
        if job.state in (JobState.COMPLETED, JobState.DOWNLOADED) and job.cost_usd is None:
            job = self._with_cost(job)
        return Outcome(Action.CHECK, job)

    def collect(self, ref: JobRef, run: Run) -> Outcome:
        """Get the clip of a job, however far it has got."""
        job = self._checked_here(self._lookup.known_or_imported(ref))
        with self._working_on(job, run) as current:
            collected = self._collect(current, run)
            return Outcome(Action.COLLECT, collected, note=self._collector.archive_note(collected))

    def cancel(self, ref: JobRef) -> Outcome:
        """Ask RunComfy to cancel a request."""
        job = self._checked_here(self._lookup.known_or_imported(ref))
        if not job.allows(Action.CANCEL):
            return Outcome(Action.CANCEL, job)
        job, cancellation = self._collector.cancel(job)
        return Outcome(Action.CANCEL, job, cancellation=cancellation)

    def adopt(self, ref: JobRef, request_id: str | None) -> Outcome:
        """Let a request id found on RunComfy's site take over an uncertain job.

        Raises:
            InvalidInputError: The id is missing, in use, unknown to RunComfy or of another model, or the job is not uncertain.
        """
        if not request_id:
            raise InvalidInputError(
                "'adopt' needs the request id that you found under Generations on runcomfy.com.",
                money=UNCHANGED,
                remedy="Type it into 'request_id'; where several jobs are uncertain, as 'job-7 <request id>'.",
            )
        known = self._journal.by_request_id(request_id)
        if known is not None and not known.is_imported:
            raise InvalidInputError(
                f"The request {request_id} belongs to {known.name} already.",
                money=UNCHANGED,
                remedy=ELSEWHERE,
            )
        job = self._checked_here(self._lookup.uncertain(ref))
        self._lookup.check_model(request_id, job)
        with self._alone_with(job) as current:
            if not current.allows(Action.ADOPT):
                condition = "released" if current.is_released else current.state.value
                raise InvalidInputError(
                    f"{current.name} is {condition}, not uncertain.",
                    money=UNCHANGED,
                    remedy="To get the clip of a request, choose 'collect'.",
                )
            return Outcome(Action.ADOPT, self._journal.adopt(current, request_id))

    def release(self, ref: JobRef) -> Outcome:
        """Release a job, so that the same inputs can be bought again.

        Raises:
            InvalidInputError: RunComfy still knows the request, or the job needs no release.
        """
        job = self._lookup.recovered(self._checked_here(self._lookup.known(ref)))
        with self._alone_with(job) as current:
            # Looked at once nobody can change it: another program may have adopted a request for it meanwhile.
            if current.state in (JobState.SUBMITTED, JobState.COMPLETED):
                self._check_gone(current)
            return Outcome(Action.RELEASE, self._journal.release(current))

    def delete_file(self, ref: JobRef, output_dir: Path) -> Job:
        """Delete the file of a clip; the journal keeps the purchase, so that it can be collected again.

        Raises:
            InvalidInputError: There is no such job, a node is working on it, or the file is not ours to delete.
            ConfigurationError: The file cannot be deleted.
        """
        with self._alone_with(self._lookup.known(ref)) as job:
            delete_file(job, output_dir)
            return job

    def _collect(self, job: Job, run: Run) -> Job:
        if job.state in (JobState.FAILED, JobState.CANCELLED) and job.request_id:
            return self._collector.look_again(job, run)
        if job.allows(Action.COLLECT):
            return self._collector.collect(job, run)
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

    def _live(self, job: Job) -> Live:
        """What RunComfy says of a request right now; a failure to ask changes nothing."""
        handle = handle_of(job)
        try:
            with self._connect() as client:
                status = client.status(handle)
                phase = client.result(handle).phase if status.phase is Phase.COMPLETED else status.phase
        except RunComfyError as error:
            return Live(trouble=error.what)
        return Live(phase, word=status.word, queue_position=status.queue_position)

    def _with_cost(self, job: Job) -> Job:
        try:
            with self._connect() as client:
                return self._collector.note_late_cost(client, job)
        except RunComfyError:
            # Without a token or a network the job can be looked at all the same.
            return job

    @contextmanager
    def _working_on(self, job: Job, run: Run) -> Iterator[Job]:
        """The job as it is once nobody else works on it."""
        with self._journal.lock(job.fingerprint) as lock:
            while not lock.try_acquire():
                run.report(Following())
                run.stop.sleep(FOLLOW_INTERVAL_S)
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
