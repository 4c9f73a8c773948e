"""The record of every purchase: claims and transitions. Each method is one durable commit.

Whoever moves a job holds its `JobLock`; the unique index on the fingerprint is the second wall behind that.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from ...errors import InvalidInputError, JournalUnavailableError, RunComfyError
from ..generation import ClipRequest, Description
from ..jobs import ELSEWHERE, POSSIBLE, Action, Job, JobState, is_legal
from ..progress import PriceBound
from .records import Records
from .rows import JobLostError, insert, insert_again, known_state, select_one, update
from .spending import DEAREST_USD, over_limit, spent
from .tables import jobs


class JobChangedError(JournalUnavailableError):
    """The job is not in the state any more that the caller knows."""


class SlotsTakenError(RunComfyError):
    """As many paid requests as the user allows are under way, on this machine or on others."""


class RequestTakenError(RunComfyError):
    """RunComfy answered a submit with the id of another job's request."""


class Journal(Records):
    """Jobs, and every step of theirs."""

    def check_writable(self) -> None:
        """Prove before money that a record can be made.

        Raises:
            JournalUnavailableError: It cannot.
        """
        with self.database.writing() as connection:
            connection.execute(jobs.update().where(jobs.c.id == -1).values(reason=jobs.c.reason))

    def claim(self, request: ClipRequest) -> Job:
        """The job of these inputs: the one there is, or a new one in state `prepared`."""
        with self.database.writing() as connection:
            job = self._holder(connection, request.fingerprints())
            if job is not None:
                return job
            now = self._now(connection)
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
        max_parallel: int | None = None,
        description: Description | None = None,
        account: Callable[[bytes], str | None] | None = None,
    ) -> Job:
        """From here on money may be spent.

        The right to the job, the spend cap and the parallel limit are checked in the same transaction, so that no two can pass
        them together, wherever they run.

        Args:
            job: Prepared.
            expected_usd: What it is expected to cost.
            max_usd_per_day: The spend cap.
            bound: What the expected price says of the real one.
            max_parallel: How many paid requests may be under way.
            account: Makes what stands for the account that buys, of a key; the account of the token in use where it is None.
            description: By which the request was made, as a fact to keep.

        Raises:
            SpendLimitError: The cap would be passed; the job stays `prepared`.
            SlotsTakenError: The limit would be; the same.
            JournalUnavailableError: The right to the job was lost; the same.
        """
        with self._moving(job, JobState.SUBMITTING) as connection:
            self.database.check_right(connection, job.fingerprint)
            origin = self._origin(connection, account)
            in_flight = self.database.requests_in_flight(connection, origin["api_base"], origin["account"])
            if max_parallel is not None and in_flight >= max_parallel:
                raise SlotsTakenError(f"{max_parallel} paid requests are under way.")
            moment = self.database.moment(connection, self._clock)
            if max_usd_per_day is not None:
                today = spent(connection, moment.day)
                price = job.list_usd if expected_usd is None else expected_usd
                if today.usd + price > max_usd_per_day + 1e-9:
                    words = (
                        f"its price is not known, so it counts as ${price:.2f}"
                        if expected_usd is None
                        else bound.words(price)
                    )
                    raise over_limit(words, today, max_usd_per_day)
            return self._update(
                connection,
                job,
                JobState.SUBMITTING,
                now=moment.now,
                stamp="submitted_at",
                expected_usd=expected_usd,
                price_bound=bound.value,
                may_be_charged=1,
                schema_hash=description and description.schema_hash,
                schema_source=description and description.source.value,
                **origin,
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
        """RunComfy accepted the request. To say so again changes nothing.

        Raises:
            RequestTakenError: The id belongs to another job.
        """
        try:
            return self._move_or_write_again(job, JobState.SUBMITTED, request_id=request_id, reason="")
        except JobChangedError:
            # An earlier attempt may have come through, though the word of that did not.
            known = self.by_request_id(request_id)
            if known is None or known.fingerprint != job.fingerprint:
                raise
            return known
        except IntegrityError:
            raise RequestTakenError(
                f"RunComfy answered with the id {request_id}, which belongs to another job."
            ) from None

    def record_started(self, job: Job) -> Job:
        """The request was seen to have left the queue."""
        return self._note(job, stamp="started_at")

    def record_completed(
        self, job: Job, *, video_url: str, cost_usd: float | None, render_s: float | None = None
    ) -> Job:
        """The clip is ready at RunComfy; also when its address was renewed."""
        columns: dict[str, Any] = {"video_url": video_url, "reason": "", "api_base": self.api_base}
        if cost_usd is not None:
            columns["cost_usd"] = cost_usd
        if render_s is not None:
            columns["render_s"] = render_s
        stamp = "completed_at" if job.completed_at is None else None
        return self._move(job, JobState.COMPLETED, stamp=stamp, **columns)

    def record_downloaded(self, job: Job, path: Path, file_bytes: int) -> Job:
        """The clip is on this disk, whole."""
        return self._move(
            job, JobState.DOWNLOADED, path=str(path), file_bytes=file_bytes, file_machine=self.database.machine
        )

    def record_file_gone(self, job: Job) -> Job:
        """The file of a downloaded clip is not there any more, or not as long as it was; it may come back to where it was."""
        return self._move(job, JobState.COMPLETED)

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

    def record_cancelled(self, job: Job, reason: str, cost_usd: float | None = None) -> Job:
        """The request is cancelled at RunComfy. One that we cancelled was still queued: no charge unless a cost is named."""
        is_charged = not job.cancel_requested if cost_usd is None else cost_usd > 0
        columns: dict[str, Any] = {"reason": reason, "may_be_charged": int(is_charged)}
        if cost_usd is not None:
            columns["cost_usd"] = cost_usd
        try:
            return self._move(job, JobState.CANCELLED, **columns)
        except JobChangedError:
            # Who cancels holds no lock: the run that waits for the request can find it cancelled at the same moment.
            known = self.get(job.id)
            if known is None or known.state is not JobState.CANCELLED:
                raise
            return known

    def reopen(self, job: Job) -> Job:
        """Ask RunComfy again about a request that failed or was cancelled: a second look is free."""
        with self._moving(job, JobState.SUBMITTED) as connection:
            # The same inputs may lead to another job by now, under the same lock: one that was never sent gives way, and beside
            # one that was bought this one counts as released.
            other, is_released = self._holder(connection, [job.fingerprint]), job.is_released
            if other is not None and other.id != job.id:
                if other.state is JobState.PREPARED:
                    connection.execute(jobs.delete().where(jobs.c.id == other.id))
                else:
                    is_released = True
            return self._update(connection, job, JobState.SUBMITTED, may_be_charged=1, is_released=int(is_released))

    def adopt(self, job: Job, request_id: str) -> Job:
        """A request found on RunComfy's site takes over an uncertain job.

        Raises:
            InvalidInputError: The id belongs to another job.
        """
        try:
            with self._moving(job, JobState.SUBMITTED) as connection:
                # The clip may have been collected by its id alone before; that row has no inputs and gives way.
                connection.execute(jobs.delete().where(jobs.c.fingerprint == _imported(request_id)))
                columns: dict[str, Any] = {"request_id": request_id, "may_be_charged": 1, "reason": ""}
                return self._update(connection, job, JobState.SUBMITTED, **columns, **self._origin(connection))
        except IntegrityError:
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
                remedy="It needs no release: run the node again."
                if job.state in (JobState.PREPARED, JobState.REJECTED)
                else "It needs no release. To buy another clip, change the seed.",
            )
        return self._note(job, is_released=1)

    def import_request(self, request_id: str, model_id: str) -> Job:
        """The row of a request that was bought elsewhere, so that its clip can be collected here."""
        values = {
            "fingerprint": _imported(request_id),
            "state": JobState.SUBMITTED.value,
            "model_id": model_id,
            "prompt": "",
            "seconds": 0,
            "seed": "0",
            "request_id": request_id,
            "may_be_charged": 1,
            "is_imported": 1,
        }
        with self.database.writing() as connection:
            now = self._now(connection)
            known = select_one(connection, select(jobs).where(jobs.c.request_id == request_id))
            stamps = {"created_at": now, "updated_at": now}
            return known or insert(connection, {**values, **stamps, **self._origin(connection)})

    def _move(self, job: Job, target: JobState, *, stamp: str | None = None, **columns: Any) -> Job:  # noqa: ANN401 - values of columns
        with self._moving(job, target) as connection:
            return self._update(connection, job, target, stamp=stamp, **columns)

    def _move_or_write_again(self, job: Job, target: JobState, **columns: Any) -> Job:  # noqa: ANN401 - values of columns
        """Move a job that may be paid for; one that was lost with its journal while it was sent is written down again."""
        with contextlib.suppress(JobLostError):
            return self._move(job, target, **columns)
        with self.database.writing() as connection:
            return insert_again(connection, job, {**columns, "state": target.value})

    def _note(self, job: Job, *, stamp: str | None = None, **columns: Any) -> Job:  # noqa: ANN401 - values of columns
        """Change columns and leave the state as it is."""
        with self.database.writing() as connection:
            known_state(connection, job)
            return self._update(connection, job, None, stamp=stamp, **columns)

    @contextlib.contextmanager
    def _moving(self, job: Job, target: JobState) -> Iterator[Connection]:
        if not is_legal(job.state, target):
            raise ValueError(f"{job.name} cannot go from {job.state.value} to {target.value}")
        with self.database.writing() as connection:
            state = known_state(connection, job)
            # Whoever found that the sender is gone could only call the job uncertain; the sender knows what came of it.
            is_late_answer = job.state is JobState.SUBMITTING and state is JobState.UNCERTAIN
            if state is not job.state and not is_late_answer:
                raise JobChangedError(
                    f"{job.name} was changed by another program at the same moment.",
                    remedy="Run the node again; it goes on from the job's present state.",
                )
            yield connection

    def _update(
        self,
        connection: Connection,
        job: Job,
        target: JobState | None,
        *,
        stamp: str | None = None,
        now: float | None = None,
        **columns: Any,  # noqa: ANN401 - values of columns
    ) -> Job:
        """The job with some columns changed; the time goes into the column `stamp`, too."""
        now = self._now(connection) if now is None else now
        values = {**columns, "updated_at": now}
        if stamp is not None:
            values[stamp] = now
        if target is not None:
            values["state"] = target.value
        return update(connection, job.id, values)


def _imported(request_id: str) -> str:
    """What stands in for a fingerprint where the inputs of a request are not known."""
    return f"request:{request_id}"
