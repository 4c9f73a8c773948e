"""The journal's tables and how an older journal becomes a current one."""

from __future__ import annotations

import sqlite3

# One script for each version; a journal of version n runs those after the nth. Never change one that was released.
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
)
VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring an older or empty journal up to date, all of it or nothing. A newer one is the caller's to refuse."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            for statement in script.split(";"):
                if statement.strip():
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
