"""Rows of the table `jobs` as values, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, bindparam, select

from ...errors import JournalUnavailableError
from ..jobs import Job, JobState
from ..progress import PriceBound
from .tables import jobs

# Made once: to make a statement takes longer than to run it.
BY_ID = select(jobs).where(jobs.c.id == bindparam("job_id"))
STATE = select(jobs.c.state).where(
    jobs.c.id == bindparam("job_id"),
    jobs.c.fingerprint == bindparam("fingerprint"),
    jobs.c.created_at == bindparam("created_at"),
)
INSERT = jobs.insert()
UPDATE = jobs.update().where(jobs.c.id == bindparam("job_id"))


class JobLostError(JournalUnavailableError):
    """Somebody deleted or replaced the journal while ComfyUI ran, or its damage took the job with it."""


def select_one(connection: Connection, query: Select[Any], **values: object) -> Job | None:
    """The first job of a query."""
    row = connection.execute(query, values).mappings().first()
    return None if row is None else job_of(row)


def select_newest(connection: Connection) -> Job | None:
    """The job with the highest number."""
    return select_one(connection, select(jobs).order_by(jobs.c.id.desc()).limit(1))


def insert(connection: Connection, values: Mapping[str, object]) -> Job:
    """A new job of these columns."""
    (job_id,) = connection.execute(INSERT, dict(values)).inserted_primary_key or (None,)
    return _by_id(connection, job_id)


def row_of(job: Job) -> dict[str, Any]:
    """A job as it is stored."""
    columns = {field.name: getattr(job, field.name) for field in fields(job) if field.name != "take"}
    return {
        **columns,
        "state": job.state.value,
        "inputs": json.dumps(dict(job.inputs)),
        "seconds": 0,
        "seed": str(job.take),
        "path": str(job.path) if job.path else None,
        "may_be_charged": int(job.may_be_charged),
        "is_released": int(job.is_released),
        "cancel_requested": int(job.cancel_requested),
        "is_imported": int(job.is_imported),
        "price_bound": job.price_bound.value,
    }


def insert_again(connection: Connection, job: Job, values: Mapping[str, object]) -> Job:
    """A job that was lost with its journal, under a new number and with some columns changed."""
    columns = {name: value for name, value in row_of(job).items() if name != "id"}
    return insert(connection, {**columns, **values})


def update(connection: Connection, job_id: int, values: Mapping[str, object]) -> Job:
    """The job with some columns changed."""
    connection.execute(UPDATE, {**values, "job_id": job_id})
    return _by_id(connection, job_id)


def _by_id(connection: Connection, job_id: int | None) -> Job:
    return job_of(connection.execute(BY_ID, {"job_id": job_id}).mappings().one())


def job_of(row: Mapping[str, Any] | RowMapping) -> Job:
    """A row as a value."""
    return Job(
        id=row["id"],
        fingerprint=row["fingerprint"],
        state=JobState(row["state"]),
        model_id=row["model_id"],
        prompt=row["prompt"],
        inputs=json.loads(row["inputs"]),
        take=int(row["seed"]),
        kind=row["kind"],
        is_imported=bool(row["is_imported"]),
        request_id=row["request_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        submitted_at=row["submitted_at"],
        started_at=row["started_at"],
        completed_at=row["completed_at"],
        list_usd=row["list_usd"],
        expected_usd=row["expected_usd"],
        cost_usd=row["cost_usd"],
        may_be_charged=bool(row["may_be_charged"]),
        is_released=bool(row["is_released"]),
        cancel_requested=bool(row["cancel_requested"]),
        video_url=row["video_url"],
        path=Path(row["path"]) if row["path"] else None,
        file_bytes=row["file_bytes"],
        reason=row["reason"],
        api_base=row["api_base"],
        account=row["account"],
        schema_hash=row["schema_hash"],
        schema_source=row["schema_source"],
        archived_sha256=row["archived_sha256"],
        file_machine=row["file_machine"],
        price_bound=PriceBound(row["price_bound"]),
    )


def known_state(connection: Connection, job: Job) -> JobState:
    """The state of a job on the disk.

    Raises:
        JobLostError: It is not there.
    """
    # A journal that was begun again gives the same number to another job.
    same = {"job_id": job.id, "fingerprint": job.fingerprint, "created_at": job.created_at}
    state = connection.execute(STATE, same).scalar()
    if state is None:
        raise JobLostError(
            f"{job.name} is no longer in the journal: its file was deleted or replaced.",
            remedy="Run the node again."
            if job.request_id is None
            else "Put the request id into the RunComfy Request Status node and choose 'collect': there is no new charge. "
            "Running the node again would buy the clip a second time.",
        )
    return JobState(state)
