"""The record of every purchase: claims and transitions. Each method is one durable commit.

Whoever moves a job holds its `JobLock`; the unique index on the fingerprint is the second wall behind that.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ...errors import InvalidInputError, JournalUnavailableError, RunComfyError
from ..clip_urls import canonical_base
from ..generation import ClipRequest, Description
from ..jobs import ELSEWHERE, POSSIBLE, Action, Job, JobState, is_legal
from ..progress import PriceBound
from ..settings import PRODUCTION_API
from .database import Database
from .locks import JobLock
from .rows import JobLostError, insert, insert_again, job_of, known_state, select_one, update
from .spending import DEAREST_USD, day_of, over_limit, spent

HOLDS_FINGERPRINT = "is_released = 0 AND state <> 'rejected' AND (state <> 'cancelled' OR may_be_charged = 1)"


def _no_account(_key: bytes) -> None:
    """The account where nobody says which it is."""


class RequestTakenError(RunComfyError):
    """RunComfy answered a submit with the id of another job's request."""


class Journal:
    """Jobs in a state folder.

    Args:
        state_dir: The folder; made if it is not there.
        clock: Seconds since the epoch.
        database: For tests; by default the file `journal.sqlite3` in the folder.
        api_base: The address of the API at which jobs are bought now.
        account: What stands for the account in use, given the folder's secret key; None if there is no token.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        clock: Callable[[], float] = time.time,
        database: Database | None = None,
        api_base: str = PRODUCTION_API,
        account: Callable[[bytes], str | None] = _no_account,
    ) -> None:
        self._clock = clock
        self._account = account
        self.api_base = canonical_base(api_base)
        self._lock_dir = state_dir / "locks"
        self.database = database or Database(state_dir / "journal.sqlite3", clock=clock)

    def lock(self, fingerprint: str) -> JobLock:
        """The right to work on a job."""
        return JobLock(self._lock_dir, fingerprint)

    def check_writable(self) -> None:
        """Prove before money that a record can be made.

        Raises:
            JournalUnavailableError: It cannot.
        """
        with self.database.writing() as connection:
            connection.execute("UPDATE jobs SET reason = reason WHERE id = -1")

    def find(self, *fingerprints: str) -> Job | None:
        """The job that the same inputs lead to at this address of the API; of several spellings the first that has one."""
        with self.database.reading() as connection:
            return self._holder(connection, fingerprints)

    def is_here(self, job: Job) -> bool:
        """Whether a job belongs to the address of the API in use.

        An older journal does not say where a job was bought: it counts as bought here, wherever that is. To believe so costs
        nothing; not to believe it would buy again what is paid for.
        """
        return job.api_base in (None, self.api_base)

    def is_base_proven(self, job: Job) -> bool:
        """Whether "not found" comes from the address at which a job was bought; one of an older journal was at RunComfy's."""
        return (job.api_base or PRODUCTION_API) == self.api_base

    def is_account_proven(self, job: Job) -> bool:
        """Whether the token in use is the one with which a job was bought; that of an older journal is not known."""
        with self.database.reading() as connection:
            return job.account in (None, self._account(_key(connection)))

    def get(self, job_id: int) -> Job | None:
        """A job by its number."""
        return self._one("id = ?", job_id)

    def by_request_id(self, request_id: str) -> Job | None:
        """The job of a request."""
        return self._one("request_id = ?", request_id)

    def newest(self) -> Job | None:
        """The job that was begun last."""
        return self._one("1 ORDER BY id DESC LIMIT 1")

    def in_state(self, state: JobState) -> list[Job]:
        """All jobs in a state that were not released, newest first."""
        with self.database.reading() as connection:
            query = "SELECT * FROM jobs WHERE state = ? AND is_released = 0 ORDER BY id DESC"
            return [job_of(row) for row in connection.execute(query, (state.value,))]

    def claim(self, request: ClipRequest) -> Job:
        """The job of these inputs: the one there is, or a new one in state `prepared`."""
        now = self._clock()
        with self.database.writing() as connection:
            job = self._holder(connection, request.fingerprints())
            if job is not None:
                return job
            values = {
                "fingerprint": request.canonical_fingerprint(),
                "state": JobState.PREPARED.value,
                "model_id": request.model_id,
                "prompt": request.prompt,
                "inputs": json.dumps(dict(request.stored_inputs)),
                "kind": request.kind,
                "list_usd": DEAREST_USD if request.list_usd is None else request.list_usd,
                "seconds": 0,
                "seed": str(request.take),
                "created_at": now,
                "updated_at": now,
                "api_base": self.api_base,
            }
            return insert(connection, values)

    def record_submitting(
        self,
        job: Job,
        *,
        expected_usd: float | None,
        max_usd_per_day: float | None,
        bound: PriceBound = PriceBound.ABOUT,
        description: Description | None = None,
    ) -> Job:
        """From here on money may be spent. The spend cap is checked in the same transaction, so no two can pass it together.

        Args:
            job: Prepared.
            expected_usd: What it is expected to cost.
            max_usd_per_day: The spend cap.
            bound: What the expected price says of the real one.
            description: By which the request was made, as a fact to keep.

        Raises:
            SpendLimitError: The cap would be passed; the job stays `prepared`.
        """
        now = self._clock()
        with self._moving(job, JobState.SUBMITTING) as connection:
            if max_usd_per_day is not None:
                today = spent(connection, day_of(now))
                price = job.list_usd if expected_usd is None else expected_usd
                if today.usd + price > max_usd_per_day + 1e-9:
                    raise over_limit(bound.words(price), today, max_usd_per_day)
            return self._update(
                connection,
                job,
                JobState.SUBMITTING,
                submitted_at=now,
                expected_usd=expected_usd,
                may_be_charged=1,
                schema_hash=description and description.schema_hash,
                schema_source=description and description.source.value,
                **self._origin(connection),
            )

    def record_not_submitted(self, job: Job, reason: str) -> Job:
        """The submit certainly was not accepted and may be made again."""
        return self._move(job, JobState.PREPARED, submitted_at=None, may_be_charged=0, reason=reason)

    def record_rejected(self, job: Job, reason: str) -> Job:
        """RunComfy refused the request."""
        return self._move(job, JobState.REJECTED, may_be_charged=0, reason=reason)

    def record_uncertain(self, job: Job, reason: str) -> Job:
        """It is not known whether RunComfy accepted the request."""
        return self._move_or_write_again(job, JobState.UNCERTAIN, reason=reason)

    def record_abandoned(self, job: Job) -> Job:
        """Whoever was sending the request is dead; the caller holds the lock."""
        return self.record_uncertain(job, "ComfyUI ended while the request was being sent.")

    def record_submitted(self, job: Job, request_id: str) -> Job:
        """RunComfy accepted the request.

        Raises:
            RequestTakenError: The id belongs to another job.
        """
        try:
            return self._move_or_write_again(job, JobState.SUBMITTED, request_id=request_id, reason="")
        except sqlite3.IntegrityError:
            raise RequestTakenError(
                f"RunComfy answered with the id {request_id}, which belongs to another job."
            ) from None

    def record_started(self, job: Job) -> Job:
        """The request was seen to have left the queue."""
        return self._note(job, started_at=self._clock())

    def record_completed(
        self, job: Job, *, video_url: str, cost_usd: float | None, render_s: float | None = None
    ) -> Job:
        """The clip is ready at RunComfy; also when its address was renewed."""
        columns: dict[str, object] = {"video_url": video_url, "reason": "", "api_base": self.api_base}
        if job.completed_at is None:
            columns["completed_at"] = self._clock()
        if cost_usd is not None:
            columns["cost_usd"] = cost_usd
        if render_s is not None:
            columns["render_s"] = render_s
        return self._move(job, JobState.COMPLETED, **columns)

    def record_downloaded(self, job: Job, path: Path, file_bytes: int) -> Job:
        """The clip is on this disk, whole."""
        return self._move(job, JobState.DOWNLOADED, path=str(path), file_bytes=file_bytes)

    def record_file_gone(self, job: Job) -> Job:
        """The file of a downloaded clip is not there any more, or not as long as it was."""
        return self._move(job, JobState.COMPLETED, path=None, file_bytes=None)

    def record_archived(self, job: Job, sha256: str | None) -> Job:
        """The clip is in the archive under this digest of its content; or it is not, for None."""
        return self._note(job, archived_sha256=sha256)

    def record_cost(self, job: Job, cost_usd: float) -> Job:
        """RunComfy named the cost late."""
        return self._note(job, cost_usd=cost_usd)

    def record_failed(self, job: Job, reason: str, cost_usd: float | None) -> Job:
        """RunComfy reports that the generation failed. Whether it charges for that is not known unless it names a cost."""
        may_be_charged = 1 if cost_usd is None else int(cost_usd > 0)
        return self._move(job, JobState.FAILED, reason=reason, cost_usd=cost_usd, may_be_charged=may_be_charged)

    def record_cancel_requested(self, job: Job, *, is_requested: bool = True) -> Job:
        """We asked RunComfy to cancel; or it told us that it will not."""
        return self._note(job, cancel_requested=int(is_requested))

    def record_cancelled(self, job: Job, reason: str) -> Job:
        """The request is cancelled at RunComfy. One that we cancelled was still queued and is not charged."""
        return self._move(job, JobState.CANCELLED, reason=reason, may_be_charged=int(not job.cancel_requested))

    def reopen(self, job: Job) -> Job:
        """Ask RunComfy again about a request that failed or was cancelled: a second look is free."""
        return self._move(job, JobState.SUBMITTED, may_be_charged=1)

    def adopt(self, job: Job, request_id: str) -> Job:
        """A request found on RunComfy's site takes over an uncertain job.

        Raises:
            InvalidInputError: The id belongs to another job.
        """
        try:
            with self._moving(job, JobState.SUBMITTED) as connection:
                # The clip may have been collected by its id alone before; that row has no inputs and gives way.
                connection.execute("DELETE FROM jobs WHERE fingerprint = ?", (_imported(request_id),))
                columns: dict[str, object] = {"request_id": request_id, "may_be_charged": 1, "reason": ""}
                return self._update(connection, job, JobState.SUBMITTED, **columns, **self._origin(connection))
        except sqlite3.IntegrityError:
            raise InvalidInputError(
                f"The request {request_id} belongs to another job already.",
                money="Nothing was changed.",
                remedy=ELSEWHERE,
            ) from None

    def release(self, job: Job) -> Job:
        """Release a job, so that the same inputs can be bought again. Its possible charge still counts.

        Raises:
            InvalidInputError: The job is in a state that needs no release.
        """
        if Action.RELEASE not in POSSIBLE[job.state]:
            raise InvalidInputError(
                f"{job.name} is {job.state.value} and cannot be released.",
                money="Nothing was changed.",
                remedy="Only a job that is stuck can be released.",
            )
        return self._note(job, is_released=1)

    def import_request(self, request_id: str, model_id: str) -> Job:
        """The row of a request that was bought elsewhere, so that its clip can be collected here."""
        now = self._clock()
        values = {
            "fingerprint": _imported(request_id),
            "state": JobState.SUBMITTED.value,
            "model_id": model_id,
            "prompt": "",
            "seconds": 0,
            "seed": "0",
            "request_id": request_id,
            "created_at": now,
            "updated_at": now,
            "may_be_charged": 1,
            "is_imported": 1,
        }
        with self.database.writing() as connection:
            known = select_one(connection, "request_id = ?", request_id)
            return known or insert(connection, {**values, **self._origin(connection)})

    def _holder(self, connection: sqlite3.Connection, fingerprints: Sequence[str]) -> Job | None:
        """The job that keeps inputs with one of these fingerprints from being bought here; the first that has one."""
        condition = f"fingerprint = ? AND {HOLDS_FINGERPRINT} AND (api_base IS NULL OR api_base = ?)"
        jobs = (select_one(connection, condition, fingerprint, self.api_base) for fingerprint in fingerprints)
        return next((job for job in jobs if job is not None), None)

    def _origin(self, connection: sqlite3.Connection) -> dict[str, object]:
        return {"api_base": self.api_base, "account": self._account(_key(connection))}

    def _one(self, condition: str, *values: object) -> Job | None:
        with self.database.reading() as connection:
            return select_one(connection, condition, *values)

    def _move(self, job: Job, target: JobState, **columns: object) -> Job:
        with self._moving(job, target) as connection:
            return self._update(connection, job, target, **columns)

    def _move_or_write_again(self, job: Job, target: JobState, **columns: object) -> Job:
        """Move a job that may be paid for; one that was lost with its journal while it was sent is written down again."""
        with contextlib.suppress(JobLostError):
            return self._move(job, target, **columns)
        with self.database.writing() as connection:
            return insert_again(connection, job, {**columns, "state": target.value})

    def _note(self, job: Job, **columns: object) -> Job:
        """Change columns and leave the state as it is."""
        with self.database.writing() as connection:
            known_state(connection, job)
            return self._update(connection, job, None, **columns)

    @contextlib.contextmanager
    def _moving(self, job: Job, target: JobState) -> Iterator[sqlite3.Connection]:
        if not is_legal(job.state, target):
            raise ValueError(f"{job.name} cannot go from {job.state.value} to {target.value}")
        with self.database.writing() as connection:
            if known_state(connection, job) is not job.state:
                raise JournalUnavailableError(
                    f"{job.name} was changed by another program at the same moment.",
                    remedy="Run the node again; it goes on from the job's present state.",
                )
            yield connection

    def _update(self, connection: sqlite3.Connection, job: Job, target: JobState | None, **columns: object) -> Job:
        values = {**columns, "updated_at": self._clock()}
        if target is not None:
            values["state"] = target.value
        return update(connection, job.id, values)


def _key(connection: sqlite3.Connection) -> bytes:
    (key,) = connection.execute("SELECT key FROM account_key").fetchone()
    return bytes(key)


def _imported(request_id: str) -> str:
    """What stands in for a fingerprint where the inputs of a request are not known."""
    return f"request:{request_id}"
