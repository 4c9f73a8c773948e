import os
import subprocess
import sys
import threading

import pytest
from pack import ROOT
from sora2pro.nodes.errors import JournalUnavailableError
from sora2pro.nodes.runcomfy.store import locks
from sora2pro.nodes.runcomfy.store.locks import JobLock

HOLD = """
import sys
sys.path.insert(0, sys.argv[1])
from pack import load_pack
load_pack()
from pathlib import Path
from sora2pro.nodes.runcomfy.store.locks import JobLock
lock = JobLock(Path(sys.argv[2]), "abc")
print(lock.try_acquire(), flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def other_process(tmp_path):
    """Another process that has tried to take the lock of `abc`, and holds on until it ends."""
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(ROOT / "tests"), str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process, process.stdout.readline().strip() == "True"

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=30)


def test_one_of_two_drivers_of_a_job_waits_for_the_other(tmp_path):
    with JobLock(tmp_path, "abc") as first, JobLock(tmp_path, "abc") as second:
        assert first.try_acquire()
        assert not second.try_acquire()
        first.release()
        assert second.try_acquire()


def test_jobs_do_not_wait_for_each_other(tmp_path):
    with JobLock(tmp_path, "abc") as first, JobLock(tmp_path, "def") as second:
        assert first.try_acquire()
        assert second.try_acquire()


def test_a_lock_is_let_go_by_an_error_and_leaves_no_file(tmp_path):
    def break_off():
        with JobLock(tmp_path, "abc") as lock:
            assert lock.try_acquire()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert list(tmp_path.iterdir()) == []
    with JobLock(tmp_path, "abc") as lock:
        assert lock.try_acquire()


def test_letting_go_of_what_is_not_held_frees_nobody_elses_lock(tmp_path):
    with JobLock(tmp_path, "abc") as holder:
        assert holder.try_acquire()
        with JobLock(tmp_path, "abc") as other:
            assert not other.try_acquire()
        with JobLock(tmp_path, "abc") as third:
            assert not third.try_acquire()


def test_of_many_threads_one_at_a_time_works_on_a_job(tmp_path):
    inside, most, done, guard = 0, 0, [], threading.Lock()

    def work():
        nonlocal inside, most
        for _ in range(100_000):
            with JobLock(tmp_path, "abc") as lock:
                if not lock.try_acquire():
                    continue
                with guard:
                    inside += 1
                    most = max(most, inside)
                with guard:
                    inside -= 1
                done.append(True)
                return

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(done), most) == (8, 1)


def test_another_process_waits_too(tmp_path, other_process):
    with JobLock(tmp_path, "abc") as lock:
        assert lock.try_acquire()
        _process, has_lock = other_process()
        assert not has_lock


def test_a_lock_ends_with_its_process_however_that_dies(tmp_path, other_process):
    process, has_lock = other_process()
    with JobLock(tmp_path, "abc") as lock:
        assert has_lock
        assert not lock.try_acquire()
        process.kill()
        process.wait(30)
        assert lock.try_acquire()


@pytest.mark.parametrize("in_the_way", ["folder", "file"])
def test_a_lock_that_cannot_be_made_is_told_with_the_folder(tmp_path, in_the_way):
    locks = tmp_path / "state" / "locks"
    if in_the_way == "folder":
        (locks / "abc.lock").mkdir(parents=True)
    else:
        locks.parent.write_text("a file where the folder should be", encoding="utf-8")
    with JobLock(locks, "abc") as lock, pytest.raises(JournalUnavailableError) as raised:
        lock.try_acquire()
    assert str(tmp_path / "state") in str(raised.value)
    assert "nothing was charged" in str(raised.value)


def test_a_file_system_without_locks_is_refused_because_a_double_purchase_could_not_be_ruled_out(tmp_path, monkeypatch):
    def refuse(_descriptor, **_how):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(locks, "_lock", refuse)
    with JobLock(tmp_path, "abc") as lock, pytest.raises(JournalUnavailableError) as raised:
        lock.try_acquire()
    assert "a double purchase could not be ruled out" in str(raised.value)
    assert "local disk" in raised.value.remedy


def test_a_lock_on_a_file_that_its_last_owner_has_just_deleted_is_none(tmp_path, monkeypatch):
    """Whoever comes next would make a new file of that name, and two would believe to be alone."""
    take = locks._lock

    def take_what_was_deleted(descriptor, **how):
        (tmp_path / "abc.lock").unlink()
        take(descriptor, **how)

    monkeypatch.setattr(locks, "_lock", take_what_was_deleted)
    with JobLock(tmp_path, "abc") as lock:
        assert not lock.try_acquire()


def test_a_file_system_that_gives_every_lock_to_everybody_is_refused_before_money(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_lock", lambda _descriptor, **_how: None)
    with JobLock(tmp_path, "abc") as lock, pytest.raises(JournalUnavailableError) as raised:
        lock.try_acquire()
    assert "gives one lock to two owners" in str(raised.value)
    assert "nothing was charged" in str(raised.value)
    assert "local disk" in raised.value.remedy


def test_an_error_of_the_file_system_at_the_release_does_not_hide_the_clip(tmp_path, monkeypatch):
    usual = os.close

    def close(descriptor):
        usual(descriptor)
        raise OSError(5, "Input/output error")

    with JobLock(tmp_path, "abc") as lock:
        assert lock.try_acquire()
        monkeypatch.setattr(os, "close", close)
        lock.release()
    monkeypatch.undo()
    with JobLock(tmp_path, "abc") as again:
        assert again.try_acquire()


FORK = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pack import load_pack
load_pack()
from pathlib import Path
from sora2pro.nodes.runcomfy.store.locks import JobLock
lock = JobLock(Path(sys.argv[2]), "abc")
print(lock.try_acquire(), flush=True)
if os.fork() == 0:
    lock.release()
    print("child", flush=True)
    sys.stdin.readline()
    os._exit(0)
os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork.")
def test_a_forked_child_neither_keeps_nor_gives_up_its_parents_lock(tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", FORK, str(ROOT / "tests"), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert [parent.stdout.readline() for _ in range(2)] == ["True\n", "child\n"]
        with JobLock(tmp_path, "abc") as lock:
            assert not lock.try_acquire(), "the parent lives"
            parent.kill()
            parent.wait(30)
            assert lock.try_acquire(), "the child lives on, and its parent is dead"
    finally:
        parent.kill()
        parent.communicate(timeout=30)
