"""Which job is meant by a reference, and what RunComfy says of requests that the journal does not know."""

from __future__ import annotations

from ..errors import UNCHANGED, InvalidInputError, NotFoundError
from .api.answers import GenerationResult
from .api.client import Connect, RequestHandle
from .jobs import ELSEWHERE, Job, JobRef, JobState
from .store.journal import Journal

LISTED = "The RunComfy clips tab of the sidebar lists all jobs."


class Lookup:
    """Finds jobs.

    Args:
        journal: The record.
        connect: Opens a conversation with the API; raises `MissingTokenError`.
        model_id: What a request belongs to whose model RunComfy does not name.
    """

    def __init__(self, *, journal: Journal, connect: Connect, model_id: str) -> None:
        self._journal = journal
        self._connect = connect
        self._model_id = model_id

    def __repr__(self) -> str:
        """The model; no token."""
        return f"Lookup(model_id={self._model_id!r})"

    def find(self, ref: JobRef) -> Job | None:
        """The job that is meant; None if the journal has none."""
        if ref.job_id is not None:
            return self._journal.get(ref.job_id)
        return self._journal.newest() if ref.request_id is None else self._journal.by_request_id(ref.request_id)

    def known(self, ref: JobRef) -> Job:
        """The same.

        Raises:
            InvalidInputError: The journal has no such job.
        """
        job = self.find(ref)
        if job is not None:
            return job
        if ref.is_newest:
            raise InvalidInputError(
                "The journal is empty: no clip was bought with this node pack yet (rehearsals are not listed).",
                money=UNCHANGED,
                remedy="Type a request id from runcomfy.com, or run a generation first.",
            )
        raise InvalidInputError(f"There is no {ref} in the journal.", money=UNCHANGED, remedy=LISTED)

    def known_or_imported(self, ref: JobRef) -> Job:
        """The same; a request the journal does not know gets a row, once RunComfy has confirmed that it exists.

        Raises:
            InvalidInputError: There is no such job.
            NotFoundError: RunComfy does not know the request.
        """
        if ref.request_id is None or self.find(ref) is not None:
            return self.known(ref)
        result = self.result(ref.request_id)
        return self._journal.import_request(ref.request_id, result.model_id or self._model_id)

    def uncertain(self, ref: JobRef) -> Job:
        """The uncertain job that is meant; the only one there is, if the reference names none.

        Raises:
            InvalidInputError: There is none, or there are several.
        """
        if not ref.is_newest:
            return self.recovered(self.known(ref))
        for job in self._journal.in_state(JobState.SUBMITTING):
            self.recovered(job)
        candidates = self._journal.in_state(JobState.UNCERTAIN)
        if len(candidates) == 1:
            return candidates[0]
        if not candidates:
            raise InvalidInputError(
                "There is no uncertain job to link this request to.",
                money=UNCHANGED,
                remedy="To get the clip of a request, choose 'collect'.",
            )
        names = ", ".join(f"{job.name} ('{job.prompt[:40]}')" for job in candidates[:5])
        raise InvalidInputError(
            f"{len(candidates)} jobs are uncertain: {names}.",
            money=UNCHANGED,
            remedy="Write which one the request is for: 'job-7 <request id>'.",
        )

    def recovered(self, job: Job) -> Job:
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
                remedy = "Compare the id with the one under Generations on runcomfy.com."
                raise error.told(money=UNCHANGED, remedy=remedy, request_id=request_id) from error.__cause__

    def check_model(self, request_id: str, job: Job) -> None:
        """Make sure that a request is one that a job can have made.

        Raises:
            InvalidInputError: It belongs to another model.
            NotFoundError: RunComfy does not know the request.
            RunComfyError: RunComfy could not be asked.
        """
        result = self.result(request_id)
        if result.model_id not in (None, job.model_id):
            raise InvalidInputError(
                f"The request {request_id} belongs to the model {result.model_id}, not to {job.model_id}.",
                money=UNCHANGED,
                remedy=ELSEWHERE,
            )
