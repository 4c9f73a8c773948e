"""Several engines on one state folder meet a damaged journal at the same moment: no purchase that was recorded is forgotten."""

import contextlib
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest
from pack import ROOT
from sora2pro.nodes.errors import JournalUnavailableError
from sora2pro.nodes.runcomfy.store import database as database_module
from sora2pro.nodes.runcomfy.store.database import Database
from sora2pro.nodes.runcomfy.store.journal import Journal
from support.values import made_request

PAGE_BYTES = 4096
BUY = """
import json, sys
sys.path.insert(0, sys.argv[1])
from pack import load_pack
load_pack()
from pathlib import Path
from sora2pro.nodes.errors import JournalUnavailableError
from sora2pro.nodes.runcomfy.store.journal import Journal
from support.values import made_request
print("ready", flush=True)
sys.stdin.readline()
bought = []
for number in range(6):
    for _ in range(200):
        try:
            bought.append(Journal(Path(sys.argv[2])).claim(made_request(prompt=f"{sys.argv[3]}-{number}")).prompt)
            break
        except JournalUnavailableError:
            pass
print(json.dumps(bought))
"""


def damage(path, page=5):
    content = bytearray(path.read_bytes())
    content[page * PAGE_BYTES : (page + 1) * PAGE_BYTES] = b"\xaa" * PAGE_BYTES
    path.write_bytes(content)


@pytest.fixture
def damaged(tmp_path):
    """A state folder with a damaged journal of 60 jobs in it."""
    journal = Journal(tmp_path)
    first = journal.claim(made_request(prompt="a long prompt " * 20))
    with journal.database.writing() as connection:
        for seed in range(1, 60):
            connection.exec_driver_sql(
                "INSERT INTO jobs (fingerprint, state, model_id, prompt, size, seconds, seed, created_at, updated_at) "
                "SELECT ?, state, model_id, prompt, size, seconds, ?, 0, 0 FROM jobs WHERE id = ?",
                (f"{seed:064}", str(seed), first.id),
            )
    damage(journal.database.path)
    return tmp_path


def prompts_in(folder):
    with Database(folder / "journal.sqlite3").reading() as connection:
        return {row[0] for row in connection.exec_driver_sql("SELECT prompt FROM jobs")}


@pytest.mark.parametrize("count", [2, 4])
def test_what_several_processes_record_around_the_damage_is_all_in_the_journal_afterwards(damaged, count):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", BUY, str(ROOT / "tests"), str(damaged), f"process {number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    recorded = [prompt for process in processes for prompt in json.loads(process.communicate(timeout=120)[0])]
    assert len(recorded) == 6 * count
    assert set(recorded) - prompts_in(damaged) == set()
    assert len(list(damaged.glob("journal.damaged-*.sqlite3"))) == 1


@pytest.mark.parametrize("count", [2, 3])
def test_what_several_engines_of_one_process_record_around_the_damage_is_all_there(damaged, count):
    recorded, start = [], threading.Barrier(count)

    def work(name):
        start.wait()
        for number in range(6):
            for _ in range(200):
                try:
                    recorded.append(Journal(damaged).claim(made_request(prompt=f"{name}-{number}")).prompt)
                    break
                except JournalUnavailableError:
                    pass

    threads = [threading.Thread(target=work, args=(f"engine {number}",)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(recorded) == 6 * count
    assert set(recorded) - prompts_in(damaged) == set()


def test_threads_of_one_engine_that_meet_the_damage_together_do_not_wait_for_each_other(damaged):
    journal, said, start = Journal(damaged), [], threading.Barrier(6)

    def look():
        start.wait()
        try:
            journal.newest()
        except JournalUnavailableError as error:
            said.append(str(error))

    threads = [threading.Thread(target=look) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert said
    assert all("set aside as" in text or "another run has begun a new one" in text for text in said)


def test_a_second_engine_that_met_the_damage_earlier_does_not_replace_the_new_journal(damaged):
    late = Database(damaged / "journal.sqlite3")
    late._is_checked = True  # it opened the journal before the damage

    def meet_the_damage_while_another_engine_sets_it_aside():
        with late.reading():
            late.path.unlink()
            Journal(damaged).claim(made_request(prompt="bought in between"))
            raise sqlite3.DatabaseError("database disk image is malformed")

    with pytest.raises(JournalUnavailableError, match="another run has begun a new one"):
        meet_the_damage_while_another_engine_sets_it_aside()
    assert prompts_in(damaged) == {"bought in between"}


def test_a_journal_is_not_replaced_while_another_engine_is_writing_to_it(damaged):
    """The other's transaction would be committed into a file that nobody looks at any more."""
    writer = Database(damaged / "journal.sqlite3")
    writer._is_checked = True  # it opened the journal before the damage
    with writer.writing() as connection:
        connection.exec_driver_sql("UPDATE jobs SET prompt = 'under way' WHERE id = 1")
        with pytest.raises(JournalUnavailableError, match="could not be set aside"):
            Journal(damaged, database=Database(writer.path, busy_timeout_s=0.05)).newest()
    with pytest.raises(JournalUnavailableError, match="was set aside"):
        Journal(damaged).newest()
    assert "under way" in prompts_in(damaged)


def test_a_program_that_knows_nothing_of_our_lock_keeps_its_transaction_too(damaged):
    path = damaged / "journal.sqlite3"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE jobs SET prompt = 'under way' WHERE id = 1")
    with pytest.raises(JournalUnavailableError, match="could not be set aside"):
        Journal(damaged, database=Database(path, busy_timeout_s=0.05)).newest()
    assert path.with_name("journal.sqlite3-journal").exists()
    other.execute("COMMIT")
    other.close()
    with pytest.raises(JournalUnavailableError, match="was set aside"):
        Journal(damaged).newest()
    assert "under way" in prompts_in(damaged)


def test_a_file_that_somebody_puts_there_in_the_meantime_is_not_replaced(damaged, tmp_path_factory, monkeypatch):
    path = damaged / "journal.sqlite3"
    restored = Journal(tmp_path_factory.mktemp("backup"))
    restored.claim(made_request(prompt="restored from a backup"))
    usual = database_module.salvage

    def salvage(damaged_path, into):
        kept = usual(damaged_path, into)
        shutil.copy2(restored.database.path, path.with_name("copy"))
        path.with_name("copy").replace(path)
        return kept

    monkeypatch.setattr(database_module, "salvage", salvage)
    with pytest.raises(JournalUnavailableError, match="could not be set aside"):
        Journal(damaged).newest()
    assert prompts_in(damaged) == {"restored from a backup"}


DIE = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from pack import load_pack
load_pack()
from pathlib import Path
from sora2pro.nodes.runcomfy import database
from sora2pro.nodes.runcomfy.store.journal import Journal
left = int(sys.argv[3])
def dying(usual):
    def step(*arguments, **options):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return usual(*arguments, **options)
    return step
database.salvage = dying(database.salvage)
database.give_name = dying(database.give_name)
database.shutil.copy2 = dying(database.shutil.copy2)
database.Path.unlink = dying(database.Path.unlink)
database.shutil.rmtree = dying(database.shutil.rmtree)
database.tempfile._shutil.rmtree = database.shutil.rmtree
Journal(Path(sys.argv[2])).newest()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@pytest.mark.parametrize("step", range(1, 9))
def test_a_kill_at_any_step_of_setting_aside_loses_no_job_and_leaves_no_folder(damaged, step):
    killed = subprocess.run(
        [sys.executable, "-c", DIE, str(ROOT / "tests"), str(damaged), str(step)],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode in (-signal.SIGKILL, 1)
    for _ in range(2):
        with contextlib.suppress(JournalUnavailableError):
            Journal(damaged).newest()
    with Database(damaged / "journal.sqlite3").reading() as connection:
        (count,) = connection.exec_driver_sql("SELECT COUNT(*) FROM jobs").fetchone()
    assert count >= 45
    assert list(damaged.glob(".new*")) == []
