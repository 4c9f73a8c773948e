"""The journal of one database into another: no job is lost or duplicated, however often it is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, select, text

from ..jobs import JobState
from ..settings import PRODUCTION_API
from .rows import job_of
from .tables import HOLDS_FINGERPRINT, account_key, descriptions, jobs
from .transactions import Transactions

BATCH = 500
# How far a job has got.
_S = JobState
_STEPS: dict[str, int] = {
    state.value: step
    for step, states in enumerate(
        (
            (_S.PREPARED,),
            (_S.SUBMITTING, _S.REJECTED),
            (_S.UNCERTAIN,),
            (_S.SUBMITTED, _S.CANCELLED, _S.FAILED),  # what was cancelled or failed may run after all: the newer counts
            (_S.COMPLETED,),
            (_S.DOWNLOADED,),
        )
    )
    for state in states
}


@dataclass(slots=True)
class CopyReport:
    """What a copy did, or would do: how many jobs.

    Attributes:
        read: Were found.
        added: Are new.
        renumbered: Of these, have another number, because theirs was taken.
        updated: Were there, at an earlier step.
        present: Were there already, as far or further.
        set_back: Were added as released, because the same inputs lead to another job there.
    """

    read: int = 0
    added: int = 0
    renumbered: int = 0
    updated: int = 0
    present: int = 0
    set_back: int = 0


def copy_jobs(source: Transactions, target: Transactions, *, is_dry_run: bool) -> CopyReport:
    """Copy all jobs in one transaction of the target: all or nothing.

    A job is the same where its inputs and the moment it was begun are, or its request is: then the later step counts.
    """
    report = CopyReport()
    with source.reading() as origin, target.writing() as connection:
        keeps_accounts = _take_over_key(origin, connection)
        _copy_descriptions(origin, connection)
        for row in _rows(origin):
            report.read += 1
            _copy(connection, row if keeps_accounts else {**row, "account": None}, target.machine, report)
        if connection.dialect.name == "postgresql":
            connection.execute(
                text(
                    "SELECT setval(pg_get_serial_sequence('jobs', 'id'), max(id)) FROM jobs HAVING max(id) IS NOT NULL"
                )
            )
        if is_dry_run:
            connection.rollback()
    return report


def _take_over_key(origin: Connection, connection: Connection) -> bool:
    """Whether the hashes of accounts mean the same in both; an empty target gets the key of the source."""
    key = origin.execute(select(account_key.c.key)).scalar_one()
    if connection.execute(select(func.count()).select_from(jobs)).scalar_one() == 0:
        connection.execute(account_key.update().values(key=key))
        return True
    return bytes(connection.execute(select(account_key.c.key)).scalar_one()) == bytes(key)


def _copy_descriptions(origin: Connection, connection: Connection) -> None:
    """By these the same inputs lead to jobs that were made by another description of their model."""
    known = {tuple(row) for row in connection.execute(select(*descriptions.primary_key.columns))}
    for row in origin.execute(select(descriptions)).mappings():
        if (row["api_base"], row["model_id"], row["schema_hash"]) not in known:
            connection.execute(descriptions.insert().values(row))


def _rows(origin: Connection) -> Iterator[dict[str, Any]]:
    last = 0
    while True:
        page = origin.execute(select(jobs).where(jobs.c.id > last).order_by(jobs.c.id).limit(BATCH)).mappings().all()
        if not page:
            return
        yield from map(dict, page)
        last = page[-1]["id"]


def _copy(connection: Connection, row: dict[str, Any], machine: str | None, report: CopyReport) -> None:
    known = _same(connection, row)
    if known is not None and not _is_further(row, known):
        report.present += 1
        return
    values = {**row, "id": row["id"] if known is None else known["id"]}
    if values["path"] and values["file_machine"] is None:
        values["file_machine"] = machine
    if known is None and connection.execute(select(jobs.c.id).where(jobs.c.id == row["id"])).first():
        report.renumbered += 1
        values["id"] = connection.execute(select(func.max(jobs.c.id) + 1)).scalar_one()
    if job_of(row).holds_fingerprint and _is_held_by_another(connection, values):
        report.set_back += 1
        values["is_released"] = 1
    if known is None:
        report.added += 1
        connection.execute(jobs.insert().values(values))
    else:
        report.updated += 1
        connection.execute(jobs.update().where(jobs.c.id == known["id"]).values(values))


def _is_further(row: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Whether a row says more than the one that is there; one that was collected by its request id alone has no inputs."""
    if row["is_imported"] != known["is_imported"]:
        return bool(known["is_imported"])
    # Clocks differ, and a job that was never sent may be touched last: what is paid for is never put back by what is newer.
    step, known_step = _STEPS[row["state"]], _STEPS[known["state"]]
    return step > known_step if step != known_step else bool(row["updated_at"] > known["updated_at"])


def _same(connection: Connection, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The row of the same job."""
    begun = and_(jobs.c.fingerprint == row["fingerprint"], jobs.c.created_at == row["created_at"])
    # By its request first: that belongs to one row alone.
    ways = (begun,) if row["request_id"] is None else (jobs.c.request_id == row["request_id"], begun)
    found = (connection.execute(select(jobs).where(way)).mappings().first() for way in ways)
    return next((dict(known) for known in found if known is not None), None)


def _is_held_by_another(connection: Connection, row: Mapping[str, Any]) -> bool:
    """Whether the same inputs lead to another job."""
    is_same = and_(jobs.c.fingerprint == row["fingerprint"], jobs.c.id != row["id"])
    base = func.coalesce(jobs.c.api_base, PRODUCTION_API) == (row["api_base"] or PRODUCTION_API)
    return connection.execute(select(jobs.c.id).where(is_same, base, text(HOLDS_FINGERPRINT))).first() is not None
