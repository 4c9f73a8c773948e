"""What the journal needs of the database below it, whichever that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, Self

from sqlalchemy import Connection

from .spending import Period


class Right(Protocol):
    """The right to work on a job; it ends with its owner, however that dies. A context manager that lets go at its end."""

    def __enter__(self) -> Self:
        """Return this right; `try_acquire` takes it."""

    def __exit__(self, *_exception: object) -> None:
        """Let go."""

    def try_acquire(self) -> bool:
        """Take it, or return False if somebody else has it; raises `JournalUnavailableError` where nobody can have it."""

    def release(self) -> None:
        """Let go; does nothing if it is not held."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Seconds since the epoch, and the calendar day that they are in."""

    now: float
    day: Period


class Transactions(Protocol):
    """A database: durable to the last commit, or a clear refusal.

    Attributes:
        machine: What this machine is called where others share the database; None where nobody does.
    """

    machine: str | None

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection for queries; raises `JournalUnavailableError`."""

    def writing(self) -> AbstractContextManager[Connection]:
        """A transaction alone with the journal, committed at the end; raises `JournalUnavailableError`."""

    def right(self, fingerprint: str) -> Right:
        """The right to work on the job of a fingerprint."""

    def check_right(self, connection: Connection, fingerprint: str) -> None:
        """Refuse where a right that was taken here has been lost; raises `JournalUnavailableError`."""

    def requests_in_flight(self, connection: Connection, api_base: str, account: str | None) -> int:
        """Paid requests of an account that are under way on all machines; each process counts its own besides."""

    def workers(self, connection: Connection, job_ids: Sequence[int]) -> Mapping[int, str]:
        """The machines that hold the right to work on jobs, this one too, by the jobs' numbers; as far as they are known."""

    def moment(self, connection: Connection, clock: Callable[[], float]) -> Moment:
        """The time that decides. `clock` is this machine's, in seconds since the epoch."""
