import sqlite3

import pytest
from sora2pro.nodes.errors import JournalUnavailableError
from sora2pro.nodes.runcomfy.jobs import JobState
from sora2pro.nodes.runcomfy.store import schema
from sora2pro.nodes.runcomfy.store.database import Database
from sora2pro.nodes.runcomfy.store.journal import Journal
from sora2pro.nodes.runcomfy.store.schema import MIGRATIONS, VERSION
from sora2pro.nodes.runcomfy.store.tables import HOLDS_FINGERPRINT, METADATA
from support.values import made_request


@pytest.fixture
def database(tmp_path):
    return Database(tmp_path / "journal.sqlite3", clock=lambda: 1234.5, busy_timeout_s=0.05)


def version_of(path):
    with sqlite3.connect(path) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


def pragma(database, name):
    with database.reading() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").fetchone()[0]


def test_every_commit_survives_a_power_cut_as_far_as_sqlite_can(database):
    """DELETE with EXTRA (3) syncs the folder after the side file is gone; WAL would lose the last commits."""
    for _ in range(2):
        assert (pragma(database, "journal_mode"), pragma(database, "synchronous")) == ("delete", 3)


def test_a_new_journal_has_the_current_version(database):
    with database.writing() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM jobs").fetchone()[0] == 0
    assert version_of(database.path) == VERSION


@pytest.mark.parametrize("version", range(VERSION))
def test_an_older_journal_is_brought_up_to_date(database, version):
    with sqlite3.connect(database.path) as connection:
        for script in MIGRATIONS[:version]:
            connection.executescript(script)
        connection.execute(f"PRAGMA user_version = {version}")
    with database.reading() as connection:
        connection.exec_driver_sql("SELECT COUNT(*) FROM jobs").fetchone()
    assert version_of(database.path) == VERSION


def test_a_migration_that_breaks_leaves_the_journal_as_it_was(database, monkeypatch):
    database.path.touch()
    monkeypatch.setattr(schema, "MIGRATIONS", ("CREATE TABLE jobs (id INTEGER); CREATE NONSENSE",))
    with pytest.raises(JournalUnavailableError), database.reading():
        pass
    with sqlite3.connect(database.path) as connection:
        assert connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0] == 0
    assert version_of(database.path) == 0


def test_a_newer_journal_is_left_alone_and_the_user_told_to_update(database):
    with sqlite3.connect(database.path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = database.path.read_bytes()
    for _ in range(2):
        with pytest.raises(JournalUnavailableError, match="newer version") as raised, database.reading():
            pass
        assert "Update the pack" in raised.value.remedy
        assert "nothing was charged" in str(raised.value)
    assert database.path.read_bytes() == before


def test_an_error_inside_a_transaction_takes_all_of_it_back(tmp_path):
    journal = Journal(tmp_path)
    journal.claim(made_request())

    def break_off():
        with journal.database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM jobs")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert journal.newest() is not None


def test_a_journal_that_somebody_deletes_while_comfyui_runs_begins_again(tmp_path):
    journal = Journal(tmp_path)
    journal.claim(made_request())
    journal.database.path.unlink()
    assert journal.newest() is None
    assert journal.claim(made_request()).id == 1


@pytest.mark.parametrize("junk", [b"this is no database at all" * 100, b"\x00" * 4096], ids=["text", "zeros"])
def test_a_damaged_journal_is_set_aside_whole_and_nothing_is_bought_blindly(tmp_path, junk):
    database = Database(tmp_path / "journal.sqlite3", clock=lambda: 1234.5)
    database.path.write_bytes(junk)
    with pytest.raises(JournalUnavailableError) as raised, database.reading():
        pass
    aside = tmp_path / "journal.damaged-1234.sqlite3"
    assert aside.read_bytes() == junk
    text = str(raised.value)
    assert str(aside) in text
    assert "does not know earlier purchases" in text
    assert "Generations on runcomfy.com" in text
    with database.writing() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM jobs").fetchone()[0] == 0


def test_a_journal_damaged_in_its_middle_is_found_out_at_the_first_look(tmp_path):
    journal = Journal(tmp_path)
    for seed in range(200):
        journal.claim(made_request(take=seed, prompt="a long prompt " * 20))
    content = bytearray(journal.database.path.read_bytes())
    content[8192:12288] = b"\xaa" * 4096
    journal.database.path.write_bytes(content)
    with pytest.raises(JournalUnavailableError, match="set aside"):
        Journal(tmp_path).newest()
    kept = Journal(tmp_path).in_state(JobState.PREPARED)
    assert len(kept) > 150
    assert {job.take + 1 for job in kept} == {job.id for job in kept}
    assert all(job.prompt == "a long prompt " * 20 for job in kept)


@pytest.mark.parametrize("page", range(12))
def test_a_damaged_page_costs_only_the_jobs_on_it(tmp_path, page):
    journal = Journal(tmp_path)
    for seed in range(60):
        journal.claim(made_request(take=seed, prompt="a long prompt " * 20))
    content = bytearray(journal.database.path.read_bytes())
    content[page * 4096 : (page + 1) * 4096] = b"\xaa" * 4096
    journal.database.path.write_bytes(content)
    with pytest.raises(JournalUnavailableError) as raised:
        Journal(tmp_path).newest()
    again = Journal(tmp_path)
    kept = again.in_state(JobState.PREPARED)
    assert f"{len(kept)} job" in str(raised.value) or (not kept and "empty journal" in str(raised.value))
    for seed in range(60):
        again.claim(made_request(take=seed, prompt="a long prompt " * 20))
    assert len(again.in_state(JobState.PREPARED)) == 60
    assert page in (0, 1) or len(kept) >= 45
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".new")] == []


def test_a_second_damaged_journal_of_the_same_second_does_not_overwrite_the_first(database):
    for junk in (b"first " * 1000, b"second " * 1000):
        database.path.write_bytes(junk)
        with pytest.raises(JournalUnavailableError), database.reading():
            pass
    kept = {path.read_bytes()[:6] for path in database.path.parent.glob("*.damaged-*")}
    assert kept == {b"first ", b"second"}
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM jobs").fetchone()[0] == 0


def test_a_new_journal_is_not_set_aside_for_the_damage_of_the_old_one(database):
    with database.writing():
        pass
    before = sorted(database.path.parent.iterdir())
    with pytest.raises(JournalUnavailableError), database.reading():
        raise sqlite3.DatabaseError("what another thread saw a moment ago")
    assert sorted(database.path.parent.iterdir()) == before


def test_a_journal_that_another_program_holds_is_said_to_be_held(database):
    with database.writing():
        other = Database(database.path, busy_timeout_s=0.05)
        with pytest.raises(JournalUnavailableError, match="locked") as raised, other.writing():
            pass
    assert "nothing is bought without a record" in str(raised.value)
    assert "RUNCOMFY_STATE_DIR" in raised.value.remedy


@pytest.mark.parametrize("in_the_way", ["folder", "file"])
def test_a_journal_that_cannot_be_made_is_named(tmp_path, in_the_way):
    """Tests may run as root, whom no right stops: something else stands in the way."""
    path = tmp_path / "state" / "journal.sqlite3"
    if in_the_way == "folder":
        path.mkdir(parents=True)
    else:
        path.parent.write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(JournalUnavailableError) as raised, Database(path).writing():
        pass
    assert str(path) in str(raised.value)
    assert "nothing was charged" in str(raised.value)


def test_the_index_and_the_queries_agree_on_which_jobs_hold_their_inputs():
    """Were they to differ, a purchase could be made twice or be refused for ever."""
    assert HOLDS_FINGERPRINT in MIGRATIONS[0]
    assert HOLDS_FINGERPRINT in MIGRATIONS[1]


def test_the_tables_that_are_queried_are_the_ones_that_the_scripts_make(database):
    """A column that only one of the two knows would be lost on the way between two databases."""
    with database.reading() as connection:
        for table in METADATA.sorted_tables:
            rows = connection.exec_driver_sql(f"PRAGMA table_info({table.name})").mappings()
            made = {row["name"]: bool(row["notnull"] or row["pk"]) for row in rows}
            assert made == {column.name: not column.nullable for column in table.columns}
