"""The journal's tables as SQLAlchemy knows them: the same in SQLite and in PostgreSQL.

SQLite's own are made by the scripts of `schema`, which are as they were released; PostgreSQL's are made from these.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    func,
    literal_column,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from ..settings import PRODUCTION_API

HOLDS_FINGERPRINT = "is_released = 0 AND state <> 'rejected' AND (state <> 'cancelled' OR may_be_charged = 1)"


class Words(TypeDecorator[str]):
    """Text that may hold anything: PostgreSQL refuses the character 0, so its picture stands in its place.

    See https://www.postgresql.org/docs/current/datatype-character.html.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """What is stored."""
        return value.replace("\0", "\N{SYMBOL FOR NULL}") if value and dialect.name == "postgresql" else value


METADATA = MetaData()
# Numbers and flags are as SQLite's scripts made them: 0 or 1 for a flag, text for a seed of 64 bits without a sign.
jobs = Table(
    "jobs",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("model_id", Words, nullable=False),
    Column("prompt", Words, nullable=False),
    Column("size", Text),
    Column("seconds", Integer, nullable=False),
    Column("seed", Text, nullable=False),
    Column("request_id", Text),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("submitted_at", Double),
    Column("started_at", Double),
    Column("completed_at", Double),
    Column("render_s", Double),
    Column("expected_usd", Double),
    Column("cost_usd", Double),
    Column("may_be_charged", Integer, nullable=False, server_default="0"),
    Column("is_released", Integer, nullable=False, server_default="0"),
    Column("cancel_requested", Integer, nullable=False, server_default="0"),
    Column("video_url", Words),
    Column("path", Words),
    Column("file_bytes", BigInteger),
    Column("reason", Words, nullable=False, server_default=""),
    Column("api_base", Text),
    Column("account", Text),
    Column("inputs", Words, nullable=False, server_default="{}"),
    Column("kind", Words, nullable=False, server_default=""),
    Column("list_usd", Double, nullable=False, server_default="0"),
    Column("is_imported", Integer, nullable=False, server_default="0"),
    Column("schema_hash", Text),
    Column("schema_source", Text),
    Column("archived_sha256", Text),
    Column("file_machine", Words),
    Column("price_bound", Text),
)
Index(
    "one_job_per_fingerprint",
    jobs.c.fingerprint,
    func.coalesce(jobs.c.api_base, literal_column(f"'{PRODUCTION_API}'")),
    unique=True,
    postgresql_where=text(HOLDS_FINGERPRINT),
)
Index("one_job_per_request", jobs.c.request_id, unique=True, postgresql_where=jobs.c.request_id.is_not(None))
Index("jobs_by_submission", jobs.c.submitted_at, postgresql_where=jobs.c.submitted_at.is_not(None))
Index("jobs_at_work", jobs.c.state, postgresql_where=text("state IN ('submitting', 'submitted')"))
# Without the kind, which may be longer than an entry of PostgreSQL's index.
Index("jobs_by_kind", jobs.c.model_id, jobs.c.id)
account_key = Table(
    "account_key",
    METADATA,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    Column("key", LargeBinary, nullable=False),
)
descriptions = Table(
    "descriptions",
    METADATA,
    Column("api_base", Text, primary_key=True),
    Column("model_id", Words, primary_key=True),
    Column("schema_hash", Text, primary_key=True),
    Column("document", Words, nullable=False),
)
