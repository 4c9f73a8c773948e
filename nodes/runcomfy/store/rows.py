"""Rows of the table `jobs` as values, and back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ...errors import JournalUnavailableError
from ..jobs import Job, JobState


class JobLostError(JournalUnavailableError):
    """Somebody deleted or replaced the journal while ComfyUI ran, or its damage took the job with it."""


def select_one(connection: sqlite3.Connection, condition: str, *values: object) -> Job | None:
    """The first job that meets a condition of SQL."""
    row = connection.execute(f"SELECT * FROM jobs WHERE {condition}", values).fetchone()  # noqa: S608 - constants
    return None if row is None else job_of(row)


def insert(connection: sqlite3.Connection, values: Mapping[str, object]) -> Job:
    """A new job of these columns."""
    names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    cursor = connection.execute(f"INSERT INTO jobs ({names}) VALUES ({places})", values)  # noqa: S608 - names are ours
    return _by_id(connection, cursor.lastrowid)


def insert_again(connection: sqlite3.Connection, job: Job, values: Mapping[str, object]) -> Job:
    """A job that was lost with its journal, under a new number and with some columns changed."""
    columns = {field.name: getattr(job, field.name) for field in fields(job) if field.name not in ("id", "take")}
    as_stored = {
        "state": job.state.value,
        "inputs": json.dumps(dict(job.inputs)),
        "seconds": 0,
        "seed": str(job.take),
        "path": str(job.path) if job.path else None,
    }
    return insert(connection, {**columns, **as_stored, **values})


def update(connection: sqlite3.Connection, job_id: int, values: Mapping[str, object]) -> Job:
    """The job with some columns changed."""
    assignments = ", ".join(f"{name} = :{name}" for name in values)
    connection.execute(f"UPDATE jobs SET {assignments} WHERE id = :id", {**values, "id": job_id})  # noqa: S608 - names are ours
    return _by_id(connection, job_id)


def _by_id(connection: sqlite3.Connection, job_id: int | None) -> Job:
    return job_of(connection.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone())


def job_of(row: Mapping[str, Any] | sqlite3.Row) -> Job:
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
    )


def known_state(connection: sqlite3.Connection, job: Job) -> JobState:
    """The state of a job on the disk.

    Raises:
        JobLostError: It is not there.
    """
    # A journal that was begun again gives the same number to another job.
    query = "SELECT state FROM jobs WHERE id = ? AND fingerprint = ? AND created_at = ?"
    row = connection.execute(query, (job.id, job.fingerprint, job.created_at)).fetchone()
    if row is None:
        raise JobLostError(
            f"{job.name} is no longer in the journal: its file was deleted or replaced.",
            remedy="Run the node again."
            if job.request_id is None
            else "Put the request id into Sora2ProStatus and choose 'collect': there is no new charge. Running the "
            "node again would buy the clip a second time.",
        )
    return JobState(row["state"])
