"""What an error of PostgreSQL means, in words.

The SQLSTATEs are those of https://www.postgresql.org/docs/current/errcodes-appendix.html. libpq names none where a connection
was not made, so there its message decides; nothing of a message is shown.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError

from ...errors import JournalUnavailableError


class Trouble(NamedTuple):
    """Why the journal cannot be used, and what to do."""

    reason: str
    remedy: str


THEN = "then run the node again"
BUSY = f"Wait until they are done, {THEN}."
POOL = "all connections of this ComfyUI are in use"
REFUSED = Trouble(
    "the server refuses the user or the password",
    f"Check the user in RUNCOMFY_JOURNAL_URL and the password (in the address, PGPASSWORD or PGPASSFILE), {THEN}.",
)
NO_DATABASE = Trouble("the server has no database of that name", f"Create it, or correct RUNCOMFY_JOURNAL_URL; {THEN}.")
NO_RIGHTS = Trouble(
    "the user may not use the tables of the journal, or may not create them",
    f"Let the user own the database, as the README shows, {THEN}.",
)
READ_ONLY = Trouble(
    "it can only be read: it is a replica, or was set to read-only",
    f"Point RUNCOMFY_JOURNAL_URL to the server that is written to, {THEN}.",
)
AWAY = Trouble("the server does not answer", f"Check that PostgreSQL runs and that this machine reaches it, {THEN}.")
ENDED = Trouble("the connection was lost", f"Check that PostgreSQL runs and that this machine reaches it, {THEN}.")
CERTIFICATE = Trouble(
    "the encryption that was asked for, or its certificate, is refused",
    f"Check sslmode, sslrootcert and the host's name in RUNCOMFY_JOURNAL_URL, {THEN}.",
)
NO_HOST = Trouble("the host's name is not known", f"Correct RUNCOMFY_JOURNAL_URL, or check the network; {THEN}.")
OPTION = Trouble("RUNCOMFY_JOURNAL_URL has an option that is not libpq's", f"Correct it, {THEN}.")
STARTING = Trouble("the server is starting or stopping", f"Wait a moment, {THEN}.")
TOO_MANY = Trouble(
    "the server has no free connections left", f"Raise max_connections there, or close other programs; {THEN}."
)
FULL = Trouble("the server's disk or memory is full", f"Make room there, {THEN}.")
WAITED = Trouble("other workers were writing to it for too long", f"Wait a moment, {THEN}.")
FOREIGN = Trouble(
    "its tables are not the journal's", f"Give the journal a database of its own in RUNCOMFY_JOURNAL_URL, {THEN}."
)
UNWRITABLE = Trouble(
    "a value does not fit into its tables", "Look into the server's log, and report it with the version of the pack."
)

BY_SQLSTATE = {
    "28P01": REFUSED,
    "28000": REFUSED,
    "3D000": NO_DATABASE,
    "42501": NO_RIGHTS,
    "25006": READ_ONLY,
    "57P01": ENDED,
    "57P02": ENDED,
    "25P03": ENDED,
    "57P03": STARTING,
    "53300": TOO_MANY,
    "53100": FULL,
    "53200": FULL,
    "55P03": WAITED,
    "57014": WAITED,
    "42P01": FOREIGN,
    "42P07": FOREIGN,
    "42703": FOREIGN,
}
BY_CLASS = {"08": ENDED, "22": UNWRITABLE, "23": UNWRITABLE}  # the first two characters
BY_MESSAGE = (
    (r"password authentication failed|no password supplied|authentication failed|role .* does not exist", REFUSED),
    (r"no pg_hba\.conf entry|is not permitted to log in", REFUSED),
    (r"database .* does not exist", NO_DATABASE),
    (r"permission denied", NO_RIGHTS),
    (r"invalid connection option|invalid .* value|invalid integer value", OPTION),
    (r"certificate|\bssl|\btls", CERTIFICATE),
    (r"resolve host|translate host name|name or service not known", NO_HOST),
    (r"starting up|shutting down|recovery mode|not yet accepting", STARTING),
    (r"too many (clients|connections)|remaining connection slots|too many connections for", TOO_MANY),
)


def unusable(where: str, reason: str, remedy: str) -> JournalUnavailableError:
    """The journal at an address cannot be used."""
    return JournalUnavailableError(
        f"The journal at {where} cannot be used ({reason}), and nothing is bought without a record.", remedy=remedy
    )


def described(sqlstate: str | None, message: str, where: str) -> JournalUnavailableError:
    """The sentence for an error.

    Args:
        sqlstate: Its code, if it has one.
        message: Its own words, which are not shown.
        where: The address without user and password.
    """
    trouble = trouble_of(sqlstate, message)
    return unusable(where, trouble.reason, trouble.remedy)


def trouble_of(sqlstate: str | None, message: str) -> Trouble:
    """What an error means."""
    if sqlstate:
        known = BY_SQLSTATE.get(sqlstate) or BY_CLASS.get(sqlstate[:2])
        return known or Trouble(f"PostgreSQL reports the error {sqlstate}", f"Look into the server's log, {THEN}.")
    found = (trouble for pattern, trouble in BY_MESSAGE if re.search(pattern, message, re.IGNORECASE))
    return next(found, AWAY)


def away(error: DBAPIError, where: str) -> JournalUnavailableError:
    """The sentence for an error of the driver."""
    return described(_sqlstate_of(error), str(error.orig), where)


def may_pass(error: DBAPIError) -> bool:
    """Whether a connection that could not be made may be had in a moment."""
    return trouble_of(_sqlstate_of(error), str(error.orig)) in (AWAY, ENDED, STARTING)


def _sqlstate_of(error: DBAPIError) -> str | None:
    sqlstate: str | None = getattr(error.orig, "sqlstate", None)
    return "08006" if error.connection_invalidated and not sqlstate else sqlstate
