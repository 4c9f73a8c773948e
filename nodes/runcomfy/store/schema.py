"""The journal's tables and how an older journal becomes a current one."""

from __future__ import annotations

import sqlite3

# What older rows say in `size` and `seconds`, in the columns that took their place. A row salvaged from a damaged journal of
# an older version needs it too. The list price is the one that counted then.
INPUTS_FROM_SIZE_AND_SECONDS = """
    UPDATE jobs SET
        inputs = '{"size":"' || size || '","seconds":' || seconds || '}',
        kind = '{"seconds":' || seconds || ',"size":"' || size || '"}',
        list_usd = seconds * 0.5
    WHERE size IS NOT NULL AND kind = '';
    UPDATE jobs SET is_imported = 1 WHERE fingerprint LIKE 'request:%';
"""
# One script for each version; a journal of version n runs those after the nth. Never change one that was released.
# The first four made what `tables` says, and only SQLite ran them: from the fifth on, a script runs on PostgreSQL, too.
MIGRATIONS = (
    """
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        fingerprint TEXT NOT NULL,
        state TEXT NOT NULL,
        model_id TEXT NOT NULL,
        prompt TEXT NOT NULL,
        size TEXT,
        seconds INTEGER NOT NULL,
        seed TEXT NOT NULL,
        request_id TEXT,
        created_at REAL NOT NULL,
        updated_at REAL NOT NULL,
        submitted_at REAL,
        started_at REAL,
        completed_at REAL,
        render_s REAL,
        expected_usd REAL,
        cost_usd REAL,
        may_be_charged INTEGER NOT NULL DEFAULT 0,
        is_released INTEGER NOT NULL DEFAULT 0,
        cancel_requested INTEGER NOT NULL DEFAULT 0,
        video_url TEXT,
        path TEXT,
        file_bytes INTEGER,
        reason TEXT NOT NULL DEFAULT ''
    );
    CREATE UNIQUE INDEX one_job_per_fingerprint ON jobs (fingerprint)
        WHERE is_released = 0 AND state <> 'rejected' AND (state <> 'cancelled' OR may_be_charged = 1);
    CREATE UNIQUE INDEX one_job_per_request ON jobs (request_id) WHERE request_id IS NOT NULL;
    CREATE INDEX jobs_by_submission ON jobs (submitted_at) WHERE submitted_at IS NOT NULL;
    CREATE INDEX jobs_by_kind ON jobs (model_id, size, seconds, id);
    """,
    # Where a job was bought: the address of the API and a keyed hash of the token. The same inputs at another address are another
    # purchase. Both are NULL for older jobs; in the index these stand at RunComfy's own address.
    """
    ALTER TABLE jobs ADD COLUMN api_base TEXT;
    ALTER TABLE jobs ADD COLUMN account TEXT;
    CREATE TABLE account_key (id INTEGER PRIMARY KEY CHECK (id = 1), key BLOB NOT NULL);
    INSERT INTO account_key (id, key) VALUES (1, randomblob(32));
    DROP INDEX one_job_per_fingerprint;
    CREATE UNIQUE INDEX one_job_per_fingerprint
        ON jobs (fingerprint, COALESCE(api_base, 'https://model-api.runcomfy.net'))
        WHERE is_released = 0 AND state <> 'rejected' AND (state <> 'cancelled' OR may_be_charged = 1);
    """,
    # Inputs as data: `size` and `seconds` are read no more. `kind` is what clips of one price have in common, `list_usd` what
    # counts against the spend cap where nothing better is known.
    """
    ALTER TABLE jobs ADD COLUMN inputs TEXT NOT NULL DEFAULT '{}';
    ALTER TABLE jobs ADD COLUMN kind TEXT NOT NULL DEFAULT '';
    ALTER TABLE jobs ADD COLUMN list_usd REAL NOT NULL DEFAULT 0;
    ALTER TABLE jobs ADD COLUMN is_imported INTEGER NOT NULL DEFAULT 0;
    DROP INDEX jobs_by_kind;
    CREATE INDEX jobs_by_kind ON jobs (model_id, kind, id);
    """
    + INPUTS_FROM_SIZE_AND_SECONDS,
    # By which description of its model a request was made; NULL for older jobs, and for a model that is none of the catalogue.
    """
    ALTER TABLE jobs ADD COLUMN schema_hash TEXT;
    ALTER TABLE jobs ADD COLUMN schema_source TEXT;
    """,
    # Under which SHA-256 a clip is in the archive; NULL while it is not there.
    """
    ALTER TABLE jobs ADD COLUMN archived_sha256 TEXT;
    """,
    # Which machine has the file, where several share the journal; NULL where one has it alone. What the expected price says of
    # the real one; NULL for older jobs.
    """
    ALTER TABLE jobs ADD COLUMN file_machine TEXT;
    ALTER TABLE jobs ADD COLUMN price_bound TEXT;
    """,
    # RunComfy's descriptions of models, by any of which something may have been bought.
    """
    CREATE TABLE descriptions (
        api_base TEXT NOT NULL,
        model_id TEXT NOT NULL,
        schema_hash TEXT NOT NULL,
        document TEXT NOT NULL, PRIMARY KEY (api_base, model_id, schema_hash)
    );
    """,
)
VERSION = len(MIGRATIONS)


def statements_of(script: str) -> list[str]:
    """The statements of a script; one by one, because `executescript` would commit in between."""
    return [statement for statement in script.split(";") if statement.strip()]


def migrate(connection: sqlite3.Connection) -> None:
    """Bring an older or empty journal up to date, all of it or nothing. A newer one is the caller's to refuse."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            for statement in statements_of(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
