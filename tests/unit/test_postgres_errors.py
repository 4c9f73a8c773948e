import sys

import pytest
from sora2pro.nodes.errors import NOTHING_SENT, ConfigurationError, MissingDependencyError
from sora2pro.nodes.runcomfy.journal_url import resolve_journal_url
from sora2pro.nodes.runcomfy.store.postgres import PostgresDatabase
from sora2pro.nodes.runcomfy.store.postgres_errors import described

SECRET = "p4ssw0rd"  # noqa: S105 - of nobody
SERVER = 'connection to server at "10.0.0.1", port 5432 failed: '


@pytest.mark.parametrize(
    ("sqlstate", "message", "words"),
    [
        ("28P01", "", "refuses the user or the password"),
        ("28000", "", "refuses the user or the password"),
        (None, f'{SERVER}FATAL:  password authentication failed for user "x"', "refuses the user or the password"),
        (None, f"{SERVER}fe_sendauth: no password supplied", "refuses the user or the password"),
        (None, f'{SERVER}FATAL:  no pg_hba.conf entry for host "10.0.0.2"', "refuses the user or the password"),
        (None, f'{SERVER}FATAL:  role "x" does not exist', "refuses the user or the password"),
        ("3D000", "", "no database of that name"),
        (None, f'{SERVER}FATAL:  database "x" does not exist', "no database of that name"),
        ("42501", "permission denied for schema public", "may not use the tables"),
        (None, f'{SERVER}FATAL:  permission denied for database "x"', "may not use the tables"),
        ("25006", "cannot execute INSERT in a read-only transaction", "can only be read"),
        (None, f"{SERVER}SSL error: certificate verify failed", "certificate"),
        (None, f'{SERVER}server certificate for "a" does not match host name "b"', "certificate"),
        (None, f"{SERVER}server does not support SSL, but SSL was required", "certificate"),
        (None, f'{SERVER}private key file "/k" has group or world access; permissions should be 0600', "certificate"),
        (None, f'{SERVER}could not load private key file "/k": no start line', "certificate"),
        (None, f"{SERVER}SSL SYSCALL error: Connection reset by peer", "connection was lost"),
        (None, "SSL connection has been closed unexpectedly", "connection was lost"),
        (None, f"{SERVER}received invalid response to SSL negotiation: H", "does not answer"),
        (None, 'invalid connection option "nonsense"', "not libpq's"),
        (None, 'invalid sslmode value: "nonsense"', "not libpq's"),
        (None, "failed to resolve host 'nowhere': [Errno -2] Name or service not known", "host's name is not known"),
        (None, f"{SERVER}Connection refused", "does not answer"),
        (None, "connection timeout expired", "does not answer"),
        (None, f"{SERVER}FATAL:  the database system is starting up", "starting or stopping"),
        ("57P03", "", "starting or stopping"),
        ("57P01", "terminating connection due to administrator command", "connection was lost"),
        ("08006", "", "connection was lost"),
        ("53300", "", "no free connections left"),
        (None, f"{SERVER}FATAL:  sorry, too many clients already", "no free connections left"),
        ("53100", "", "disk or memory is full"),
        ("55P03", "", "other workers were writing"),
        ("42P07", 'relation "jobs" already exists', "tables are not the journal's"),
        ("42703", "", "tables are not the journal's"),
        ("22021", "", "does not fit"),
        ("XX000", "", "the error XX000"),
    ],
)
def test_each_trouble_of_postgresql_is_a_sentence_with_the_money_and_a_remedy(sqlstate, message, words):
    error = described(sqlstate, f"{message} {SECRET}", "db.example.com/journal")
    assert words in error.what
    assert "db.example.com/journal" in error.what
    assert "run the node again" in error.remedy or "log" in error.remedy
    assert NOTHING_SENT in str(error)
    assert SECRET not in str(error)
    assert "10.0.0" not in str(error)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", ""),
        (" '' ", ""),
        ("postgresql+psycopg://me@host/db", "postgresql+psycopg://me@host/db"),
        ("postgresql://me:p%40ss@host:5433/db?sslmode=verify-full", None),
        ("postgresql+psycopg://[::1]:5433/db", "postgresql+psycopg://[::1]:5433/db"),
    ],
)
def test_an_address_of_postgresql_is_taken(text, url):
    expected = text.strip().replace("postgresql://", "postgresql+psycopg://") if url is None else url
    assert resolve_journal_url({"RUNCOMFY_JOURNAL_URL": text}) == expected


@pytest.mark.parametrize(
    "text",
    [
        f"sqlite:///{SECRET}",
        f"postgresql+psycopg2://me:{SECRET}@host/db",
        f"postgres://me:{SECRET}@host/db",
        f"https://me:{SECRET}@host/db",
        f"postgresql+psycopg://me:{SECRET}@host",
        f"postgresql+psycopg://me:{SECRET}@host/",
        f"postgresql+psycopg://me:{SECRET}@host/a/b",
        f"postgresql+psycopg://me:{SECRET}@host:port/db",
        f"postgresql+psycopg://me:{SECRET}@host:99999/db",
        f"postgresql+psycopg://me:{SECRET}@host/db#x",
        f"postgresql+psycopg://me:{SECRET} @host/db",
        f"postgresql+psycopg://me:{SECRET}@[host/db",
        f"user={SECRET} host=h dbname=d",
        SECRET,
    ],
)
def test_an_address_that_cannot_be_one_is_refused_without_repeating_it(text):
    with pytest.raises(ConfigurationError, match="must look like") as raised:
        resolve_journal_url({"RUNCOMFY_JOURNAL_URL": text})
    assert SECRET not in str(raised.value)
    assert NOTHING_SENT in str(raised.value)


def test_a_missing_driver_is_named_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDependencyError, match="psycopg") as raised:
        PostgresDatabase(f"postgresql+psycopg://me:{SECRET}@host/db")
    assert "pip install 'psycopg[binary]" in raised.value.remedy
    assert NOTHING_SENT in str(raised.value)
    assert SECRET not in str(raised.value)


def test_a_database_shows_where_it_is_and_no_password():
    assert (
        repr(PostgresDatabase(f"postgresql+psycopg://me:{SECRET}@host:5433/db")) == "PostgresDatabase('host:5433/db')"
    )
