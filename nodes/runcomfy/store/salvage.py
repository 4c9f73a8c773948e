"""What can still be read of a damaged journal goes into a new one: a purchase that is known is not made again."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import InvalidInputError
from .rows import job_of
from .schema import INPUTS_FROM_SIZE_AND_SECONDS, statements_of

LEAST_ROW_BYTES = 64
# Columns that a row of an older journal lacks.
LATER_COLUMNS = {
    "api_base": None,
    "account": None,
    "inputs": "{}",
    "kind": "",
    "is_imported": 0,
    "list_usd": 0.0,
    "schema_hash": None,
    "schema_source": None,
    "archived_sha256": None,
    "file_machine": None,
    "price_bound": None,
}


def salvage(damaged: Path, into: sqlite3.Connection) -> int:
    """Copy every job that can be read, with its number.

    Args:
        damaged: The file; it is not changed.
        into: A new journal.

    Returns:
        How many jobs were copied.
    """
    copied = 0
    for row in _readable_rows(damaged):
        names, places = ", ".join(row.keys()), ", ".join("?" * len(row))
        with contextlib.suppress(sqlite3.OperationalError):  # a column that no journal has
            query = f"INSERT OR IGNORE INTO jobs ({names}) VALUES ({places})"  # noqa: S608 - SQLite took the names itself
            copied += into.execute(query, tuple(row)).rowcount
    for statement in statements_of(INPUTS_FROM_SIZE_AND_SECONDS):
        into.execute(statement)
    key = _readable_key(damaged)
    if key is None:
        into.execute("UPDATE jobs SET account = NULL")  # hashes of another key would look like another account
    else:
        into.execute("UPDATE account_key SET key = ?", (key,))
    return copied


def _readable_rows(damaged: Path) -> Iterator[sqlite3.Row]:
    with contextlib.closing(_opened(damaged)) as connection:
        # One by one: a walk through the table ends at its first damaged page. And up to as many as the file has room for: what
        # SQLite keeps as the last number may be damaged too, and too low.
        for job_id in range(1, damaged.stat().st_size // LEAST_ROW_BYTES + 1):
            with contextlib.suppress(sqlite3.DatabaseError):
                row = connection.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
                if row is not None and _is_sound(dict(row)):
                    yield row


def _readable_key(damaged: Path) -> bytes | None:
    with contextlib.closing(_opened(damaged)) as connection, contextlib.suppress(sqlite3.DatabaseError):
        row = connection.execute("SELECT key FROM account_key").fetchone()
        return row["key"] if row is not None and isinstance(row["key"], bytes) else None
    return None


def _opened(damaged: Path) -> sqlite3.Connection:
    # `immutable`: read as it lies there. A half-finished transaction beside it must not be rolled back into it.
    connection = sqlite3.connect(f"{damaged.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    connection.row_factory = sqlite3.Row
    return connection


def _is_sound(row: Mapping[str, Any]) -> bool:
    try:
        return isinstance(job_of({**LATER_COLUMNS, **row}).fingerprint, str)
    except (ValueError, TypeError, IndexError, InvalidInputError):
        return False
