"""Which job a user means by a name: a number in the journal, a request id, or nothing at all."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager

from ..errors import UNCHANGED, InvalidInputError, NotFoundError
from .answers import REQUEST_ID, GenerationResult
from .client import Client, RequestHandle
from .jobs import ELSEWHERE, REHEARSAL, Job, JobState
from .journal import Journal

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
