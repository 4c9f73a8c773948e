"""What Windows and macOS do otherwise, as far as it can be played elsewhere."""

import errno
import importlib.util
import os
import sys
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace

import pytest
from sora2pro.nodes import environment
from sora2pro.nodes.errors import ConfigurationError, JournalUnavailableError
from sora2pro.nodes.runcomfy import files
from sora2pro.nodes.runcomfy.files import write_private
from sora2pro.nodes.runcomfy.store import locks
from sora2pro.nodes.runcomfy.store.database import Database

IN_USE = PermissionError(errno.EACCES, "The process cannot access the file because it is being used")


class Windows:
    """A file system where nobody deletes what somebody has open, and where a locked byte is refused with EACCES."""

    LK_NBLCK = 2

    def __init__(self):
        self.opened = {}
        self.locked = {}

    def locking(self, descriptor, mode, byte_count):
        path = self.opened[descriptor]
        assert (mode, byte_count) == (self.LK_NBLCK, 1)
        if path in self.locked.values():
            raise PermissionError(errno.EACCES, "Permission denied")
        self.locked[descriptor] = path

    def open(self, path, flags, mode):
        descriptor = os.open(path, flags, mode)
        self.opened[descriptor] = str(path)
        return descriptor

    def close(self, descriptor):
        os.close(descriptor)
        self.locked.pop(descriptor, None)
        del self.opened[descriptor]

    def folder(self, path):
        windows = self

        class WindowsFolder(type(Path())):
            def unlink(self):
                if str(self) in windows.opened.values():
                    raise IN_USE
                super().unlink()

        return WindowsFolder(path)


@pytest.fixture
def windows():
    return Windows()


@pytest.fixture
def lock_of_windows(windows, monkeypatch):
    """The lock as it is when the pack is loaded on Windows."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    file_of_windows, lock_of_windows = _loaded_again(locks), _loaded_again(locks)
    system = {name: getattr(os, name) for name in dir(os)} | {"open": windows.open, "close": windows.close}
    file_of_windows.os = SimpleNamespace(**system)
    lock_of_windows.LockFile = file_of_windows.LockFile
    return lock_of_windows.JobLock


def _loaded_again(module):
    spec = importlib.util.spec_from_file_location(f"{module.__name__}_of_windows", module.__file__)
    again = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(again)
    return again


def test_on_windows_too_one_of_two_drivers_of_a_job_waits(windows, lock_of_windows, tmp_path):
    folder = windows.folder(tmp_path)
    with lock_of_windows(folder, "abc") as first, lock_of_windows(folder, "abc") as second:
        assert first.try_acquire()
        assert not second.try_acquire()
        first.release()
        assert second.try_acquire()
    assert windows.opened == {}


def test_on_windows_too_a_lock_that_is_let_go_leaves_no_file(windows, lock_of_windows, tmp_path):
    with lock_of_windows(windows.folder(tmp_path), "abc") as lock:
        assert lock.try_acquire()
    assert list(tmp_path.iterdir()) == []


def test_on_windows_the_file_of_a_new_owner_is_not_deleted_by_the_old_one(windows, lock_of_windows, tmp_path):
    folder = windows.folder(tmp_path)
    waiting = windows.open(folder / "abc.lock", os.O_RDWR | os.O_CREAT, 0o600)
    with lock_of_windows(folder, "abc") as lock:
        assert lock.try_acquire()
    assert (tmp_path / "abc.lock").exists()
    windows.close(waiting)


def test_on_windows_a_drive_without_locks_is_refused_because_a_double_purchase_could_not_be_ruled_out(
    windows, lock_of_windows, tmp_path, monkeypatch
):
    def refuse(*_arguments):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(windows, "locking", refuse)
    with lock_of_windows(windows.folder(tmp_path), "abc") as lock, pytest.raises(JournalUnavailableError) as raised:
        lock.try_acquire()
    assert "double purchase" in str(raised.value)
    assert windows.opened == {}


@pytest.mark.parametrize("folder", ["state", "\\state", "/state", "C:state", "C:", ".\\state", "%APPDATA%\\state"])
def test_on_windows_a_folder_that_depends_on_the_drive_of_the_day_is_refused(folder, monkeypatch):
    class WindowsPath(PureWindowsPath):
        def expanduser(self):
            return self

    monkeypatch.setattr(environment, "Path", WindowsPath)
    with pytest.raises(ConfigurationError, match="must be an absolute path"):
        environment.parse_folder(folder, "RUNCOMFY_STATE_DIR")


def test_a_token_file_that_windows_holds_open_stays_as_it_was_and_no_copy_of_the_new_one_is_left(tmp_path, monkeypatch):
    class HeldOpen(type(Path())):
        def replace(self, _target):
            raise IN_USE

    path = tmp_path / "token"
    write_private(path, "old")
    monkeypatch.setattr(files, "Path", HeldOpen)
    with pytest.raises(PermissionError):
        write_private(path, "new")
    assert [entry.read_text("utf-8") for entry in tmp_path.iterdir()] == ["old"]


def test_a_commit_reaches_the_disk_on_macos_too_where_a_plain_fsync_stops_at_the_drives_cache(tmp_path):
    with Database(tmp_path / "journal.sqlite3").reading() as connection:
        assert connection.exec_driver_sql("PRAGMA fullfsync").fetchone()[0] == 1
