"""The journal of this machine into PostgreSQL, and back."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from ..errors import ConfigurationError


class CopyDirection(StrEnum):
    """Where the jobs go."""

    TO_POSTGRESQL = "postgresql"
    TO_STATE_FOLDER = "sqlite"


def copy_journal(state_dir: Path, journal_url: str, direction: CopyDirection, *, is_dry_run: bool) -> str:
    """Copy every job, and say what was done; it can be run again at any time.

    Args:
        state_dir: The folder of this machine's journal.
        journal_url: The address of the other.
        direction: Into which of the two.
        is_dry_run: Only say what would be done.

    Raises:
        RunComfyError: It cannot be done; then nothing was copied.
    """
    from .store.copying import copy_jobs  # noqa: PLC0415 - it loads SQLAlchemy
    from .store.database import Database  # noqa: PLC0415 - as above
    from .store.postgres import database_at  # noqa: PLC0415 - as above

    path = state_dir / "journal.sqlite3"
    if direction is CopyDirection.TO_POSTGRESQL and not path.exists():
        raise ConfigurationError(
            f"There is no journal in {state_dir}.",
            remedy="Name the folder in RUNCOMFY_STATE_DIR or with --state-dir.",
        )
    here, there = Database(path), database_at(journal_url)
    if direction is CopyDirection.TO_POSTGRESQL:
        report = copy_jobs(here, there, is_dry_run=is_dry_run)
        way = f"{path} to PostgreSQL at {there.where}"
    else:
        report = copy_jobs(there, here, is_dry_run=is_dry_run)
        way = f"PostgreSQL at {there.where} to {path}"
    lines = [
        f"{'Dry run, nothing was written. ' if is_dry_run else ''}From {way}:",
        f"jobs read: {report.read}",
        f"added: {report.added}",
        f"  of these, under another number: {report.renumbered}",
        f"brought up to date: {report.updated}",
        f"there already: {report.present}",
        f"marked as released, because the same inputs lead to another job there: {report.set_back}",
    ]
    return "\n".join(lines)
