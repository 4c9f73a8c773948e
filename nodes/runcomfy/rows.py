"""Rows of the table `jobs` as values, and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from .jobs import Job, JobState
from .models import Size


def select_one(connection: sqlite3.Connection, condition: str, *values: object) -> Job | None:
    """The first job that meets a condition of SQL."""
    row = connection.execute(f"SELECT * FROM jobs WHERE {condition}", values).fetchone()  # noqa: S608 - constants
    return None if row is None else job_of(row)


def insert(connection: sqlite3.Connection, values: Mapping[str, object]) -> Job:
    """A new job of these columns."""
    names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    cursor = connection.execute(f"INSERT INTO jobs ({names}) VALUES ({places})", values)  # noqa: S608 - names are ours
    return _by_id(connection, cursor.lastrowid)


def update(connection: sqlite3.Connection, job_id: int, values: Mapping[str, object]) -> Job:
    """The job with some columns changed."""
    assignments = ", ".join(f"{name} = :{name}" for name in values)
    connection.execute(f"UPDATE jobs SET {assignments} WHERE id = :id", {**values, "id": job_id})  # noqa: S608 - names are ours
    return _by_id(connection, job_id)


def _by_id(connection: sqlite3.Connection, job_id: int | None) -> Job:
    return job_of(connection.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone())


def job_of(row: sqlite3.Row) -> Job:
    """A row as a value; also one of a journal of version 1, which knew no origin."""
    has_origin = "api_base" in row.keys()  # noqa: SIM118 - a row is no mapping: `in` looks at its values
    return Job(
        id=row["id"],
        fingerprint=row["fingerprint"],
        state=JobState(row["state"]),
        model_id=row["model_id"],
        prompt=row["prompt"],
        size=Size.parse(row["size"]) if row["size"] else None,
        seconds=row["seconds"],
        seed=int(row["seed"]),
        request_id=row["request_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        submitted_at=row["submitted_at"],
        started_at=row["started_at"],
        completed_at=row["completed_at"],
        expected_usd=row["expected_usd"],
        cost_usd=row["cost_usd"],
        may_be_charged=bool(row["may_be_charged"]),
        is_released=bool(row["is_released"]),
        cancel_requested=bool(row["cancel_requested"]),
        video_url=row["video_url"],
        path=Path(row["path"]) if row["path"] else None,
        file_bytes=row["file_bytes"],
        reason=row["reason"],
        api_base=row["api_base"] if has_origin else None,
        account=row["account"] if has_origin else None,
    )
