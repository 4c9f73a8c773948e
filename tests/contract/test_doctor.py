"""The doctor: how an installation is, in sentences, whatever is broken; it spends nothing, changes nothing, tells no secret."""

import getpass
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from email.utils import formatdate
from importlib import metadata

import pytest
from emulator import Call
from pack import ROOT
from sora2pro.nodes.doctor.checks import Installation, examine
from sora2pro.nodes.doctor.command import main
from sora2pro.nodes.doctor.report import report_of
from sora2pro.nodes.media import memory
from sora2pro.nodes.runcomfy.store.journal import Journal
from sora2pro.nodes.runcomfy.store.postgres import PostgresDatabase
from sora2pro.nodes.runcomfy.store.schema import VERSION
from support.loopback_server import Loopback, answer, dripping

PASSWORD = "correct-horse-battery"  # noqa: S105 - it opens nothing
TOKEN, TOKEN_FILE = "RUNCOMFY_API_TOKEN", "RUNCOMFY_API_TOKEN_FILE"
SUBJECTS = [
    "Settings",
    "Token",
    "RunComfy",
    "Balance",
    "Clock",
    "Model API",
    "Journal",
    "Locks",
    "Archive",
    "Disk of the state folder",
    "Disk of the clips",
    "Memory",
    "Versions",
]


@pytest.fixture
def installation(emulator, tmp_path, point_to, monkeypatch):
    """An installation in which all is well, and no variable of this machine's that a check could read."""
    point_to(emulator)
    for name in [name for name in os.environ if "PROXY" in name.upper()]:
        monkeypatch.delenv(name)
    return Installation(
        environ=os.environ,
        state_dir=lambda: tmp_path / "state",
        output_dir=lambda: tmp_path / "clips",
        comfyui_version="0.3.60",
        pack_dir=ROOT,
    )


def told(installation, **options):
    """The report, and its lines by subject without the mark."""
    report = report_of(examine(installation, **options), installation.environ)
    lines = [line for line in report.text.splitlines() if line.startswith(("OK  ", "!!  "))]
    return report, lines


def line_of(lines, subject):
    (line,) = [line for line in lines if line[4:].startswith(f"{subject}: ")]
    return line


def everything_below(folder):
    return {
        path: (path.read_bytes() if path.is_file() else None, path.stat().st_mode) for path in sorted(folder.rglob("*"))
    }


# --- all is well


def test_where_all_is_well_every_line_says_so_and_nothing_is_changed(installation, rig, emulator, tmp_path):
    rig.run()
    charges, before = emulator.charges, everything_below(tmp_path)
    report, lines = told(installation)
    assert report.is_well, report.text
    assert [line.partition(": ")[0] for line in lines] == [f"OK  {subject}" for subject in SUBJECTS]
    assert line_of(lines, "Token").endswith("There is one, from the environment variable RUNCOMFY_API_TOKEN.")
    assert line_of(lines, "Balance").endswith(f"It is ${1000 - sum(one.usd for one in emulator.ledger):,.2f}.")
    assert line_of(lines, "Journal").endswith(f"It is whole: version {VERSION}, jobs: 1.")
    assert "torch 2." in line_of(lines, "Versions")
    assert "ComfyUI 0.3.60" in line_of(lines, "Versions")
    assert report.text.endswith("Everything is in order.")
    assert everything_below(tmp_path) == before
    assert emulator.charges == charges
    assert len(emulator.seen(Call.SUBMIT)) == charges


def test_a_fresh_installation_gets_no_folder(installation, tmp_path):
    report, lines = told(installation)
    assert report.is_well, report.text
    assert "There is none yet" in line_of(lines, "Journal")
    assert "The state folder is not there yet" in line_of(lines, "Locks")
    assert list(tmp_path.iterdir()) == []


# --- one thing is wrong: its line says what to do, and every other check is made


def without_token(arrange):
    arrange.unset("RUNCOMFY_API_TOKEN")


def malformed_token(arrange):
    arrange.set(**{TOKEN: "two words"})


def relative_token_file(arrange):
    arrange.unset("RUNCOMFY_API_TOKEN")
    arrange.set(**{TOKEN_FILE: "secret/token"})


def refused_token(arrange):
    arrange.set(**{TOKEN: "another-token-entirely"})


def port_closed(arrange):
    arrange.emulator.close()


def no_credit(arrange):
    arrange.emulator.configure(balance_usd=0)


def clock_of(seconds):
    def arrange_it(arrange):
        date = f"Date: {formatdate(time.time() + seconds, usegmt=True)}"
        arrange.answer_with(answer(b'{"balance_usd": 5}', date))

    return arrange_it


def without_a_date(arrange):
    arrange.answer_with(answer(b'{"balance_usd": 5}'))


def nonsense_instead_of_json(arrange):
    arrange.answer_with(answer(b"<html>Welcome to the hotel</html>"))


def damaged_journal(arrange):
    arrange.journal.write_bytes(b"this is not a database" * 500)


def damaged_page(arrange):
    arrange.made_journal()
    with arrange.journal.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)


def journal_of_tomorrow(arrange):
    arrange.made_journal()
    with sqlite3.connect(arrange.journal) as connection:
        connection.execute("PRAGMA user_version = 99")


def journal_of_yesterday(arrange):
    shutil.copy(ROOT / "tests/stored/journal-version-3.sqlite3", arrange.journal)


def empty_journal(arrange):
    arrange.journal.write_bytes(b"")


def journal_that_is_a_folder(arrange):
    arrange.journal.mkdir()


def interrupted_write(arrange):
    arrange.made_journal()
    script = (
        "import os, sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('PRAGMA cache_size = 1')\n"
        "c.execute('BEGIN IMMEDIATE')\n"
        "c.execute('CREATE TABLE x (y)')\n"
        "c.executemany('INSERT INTO x VALUES (?)', [('z' * 1000,)] * 3000)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(arrange.journal)], check=False)
    assert arrange.journal.with_name("journal.sqlite3-journal").exists()


def state_folder_that_is_a_file(arrange):
    arrange.state.rmdir()
    arrange.state.write_bytes(b"")


def settings_that_are_not_json(arrange):
    (arrange.state / "settings.json").write_text("{")


def a_relative_state_folder(arrange):
    arrange.set(RUNCOMFY_STATE_DIR="state")


def a_bad_setting(arrange):
    arrange.set(RUNCOMFY_MAX_PARALLEL="many")


def an_archive_that_is_gone(arrange):
    arrange.set(RUNCOMFY_ARCHIVE_URL=f"{arrange.root}/archive")


def an_archive_of_a_missing_package(arrange):
    arrange.set(RUNCOMFY_ARCHIVE_URL="gs://studio/clips")


def an_archive(arrange):
    (arrange.root / "archive").mkdir()
    arrange.set(RUNCOMFY_ARCHIVE_URL=f"{arrange.root}/archive")


def locks_that_are_granted_twice(arrange):
    arrange.patch("sora2pro.nodes.runcomfy.store.locks._lock", lambda *_arguments, **_options: None)


def locks_that_are_refused(arrange):
    def refuse(*_arguments, **_options):
        raise OSError(95, os.strerror(95))

    arrange.patch("sora2pro.nodes.runcomfy.store.locks._lock", refuse)


def a_full_disk(arrange):
    arrange.patch("shutil.disk_usage", lambda _path: shutil._ntuple_diskusage(10**9, 10**9 - 10**6, 10**6))


def little_memory(arrange):
    arrange.patch("sora2pro.nodes.media.memory.available_bytes", lambda: 200 * 1024**2)


def a_package_that_is_missing(arrange):
    arrange.versions(av=None)


def a_package_that_is_old(arrange):
    arrange.versions(requests="2.31.0")


def a_database_without_a_journal(arrange):
    arrange.set(RUNCOMFY_JOURNAL_URL=arrange.new_database())


def a_journal_in_postgresql(arrange):
    a_database_without_a_journal(arrange)
    Journal(arrange.state, database=PostgresDatabase(os.environ["RUNCOMFY_JOURNAL_URL"])).check_writable()


def clock_beside_postgresql(arrange):
    a_journal_in_postgresql(arrange)
    clock_of(600)(arrange)


def a_bad_setting_beside_postgresql(arrange):
    a_database_without_a_journal(arrange)
    a_bad_setting(arrange)


def an_address_of_a_journal_that_is_none(arrange):
    arrange.set(RUNCOMFY_JOURNAL_URL="mysql://host/database")


WRONG = [
    (without_token, "Token", "No RunComfy token is set.", "Create a token on runcomfy.com"),
    (without_token, "RunComfy", "It was not asked, because there is no token", "Set a token."),
    (malformed_token, "Token", "is not valid: it has spaces", "Correct the variable"),
    (relative_token_file, "Token", "RUNCOMFY_API_TOKEN_FILE must be an absolute path", "Enter the full path"),
    (refused_token, "RunComfy", "token", "Check the token on runcomfy.com"),
    (port_closed, "RunComfy", "could not be reached", "Check the connection"),
    (port_closed, "Model API", "could not be reached", "Check the connection"),
    (no_credit, "Balance", "It is $0.00.", "Add credit on runcomfy.com"),
    (clock_of(600), "Clock", "s behind RunComfy's.", "Set this machine's clock"),
    (clock_of(-600), "Clock", "s ahead of RunComfy's.", "the daily limit goes by its date"),
    (clock_beside_postgresql, "Clock", "s behind RunComfy's.", "clock: storage services reject requests"),
    (nonsense_instead_of_json, "RunComfy", "could not be read", ""),
    (damaged_journal, "Journal", "is damaged (file is not a database)", "Do not delete it."),
    (damaged_page, "Journal", "is damaged", "Do not delete it."),
    (journal_of_tomorrow, "Journal", "It is of version 99", "Update the pack"),
    (journal_that_is_a_folder, "Journal", "cannot be read", "point RUNCOMFY_STATE_DIR"),
    (state_folder_that_is_a_file, "Disk of the state folder", "cannot be written", "RUNCOMFY_STATE_DIR"),
    (settings_that_are_not_json, "Settings", "cannot be read", "Fix or delete it"),
    (a_relative_state_folder, "Settings", "must be an absolute path", "Enter the full path"),
    (a_relative_state_folder, "Journal", "It was not checked", "Fix the settings first"),
    (a_bad_setting, "Settings", "RUNCOMFY_MAX_PARALLEL cannot be used", "Change or remove it"),
    (a_bad_setting, "RunComfy", "It was not checked", "Fix the settings first"),
    (an_address_of_a_journal_that_is_none, "Journal", "It was not checked", "Fix the settings first"),
    (an_archive_that_is_gone, "Archive", "does not exist, or is not mounted", "Create the folder or bucket"),
    (an_archive_of_a_missing_package, "Archive", "needs the Python package gcsfs", "pip install gcsfs"),
    (locks_that_are_granted_twice, "Locks", "gives one lock to two owners", "a folder on a local disk"),
    (locks_that_are_refused, "Locks", "refuses locks", "a folder on a local disk"),
    (a_full_disk, "Disk of the clips", "Only 1 MB are free.", "Make room"),
    (little_memory, "Memory", "0.2 GiB are free", "Turn 'decode_frames' off"),
    (a_package_that_is_missing, "Versions", "PyAV is not installed", "pip install -r requirements.txt"),
    (a_package_that_is_old, "Versions", "requests 2.31.0 is older than 2.32.2.", "pip install -r requirements.txt"),
]
WELL = [
    (journal_of_yesterday, "Journal", "version 3, jobs: 8. The next run brings it up to date."),
    (empty_journal, "Journal", "version 0, jobs: 0. The next run brings it up to date."),
    (interrupted_write, "Journal", "ComfyUI ended while it was written; the next run puts that right by itself."),
    (a_database_without_a_journal, "Journal", "There is none yet in the database: the first run makes its tables."),
    (a_bad_setting_beside_postgresql, "Journal", "There is none yet in the database"),
    (a_journal_in_postgresql, "Journal", f"It can be used: version {VERSION}, jobs: 0."),
    (a_journal_in_postgresql, "Locks", "They can be taken and released"),
    (an_archive, "Archive", "can be reached. Nothing was written there."),
    (without_a_date, "Clock", "did not say what time it is"),
    (clock_of(20), "Clock", "It differs from RunComfy's by"),
    (a_bad_setting, "Journal", "There is none yet"),
    (damaged_journal, "Token", "There is one"),
    (port_closed, "Locks", "They can be taken and released"),
]


class Arrange:
    """Breaks one thing of an installation."""

    def __init__(self, emulator, root, monkeypatch, request):
        self.emulator, self.root, self._monkeypatch, self._request = emulator, root, monkeypatch, request
        self.state = root / "state"
        self.journal = self.state / "journal.sqlite3"
        self.state.mkdir()

    def set(self, **variables):
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)

    def unset(self, name):
        self._monkeypatch.delenv(name)

    def patch(self, target, value):
        self._monkeypatch.setattr(target, value)

    def made_journal(self):
        self._request.getfixturevalue("rig").run()

    def new_database(self):
        return self._request.getfixturevalue("postgres").new_database()

    def answer_with(self, what):
        server = Loopback(what)
        self._request.addfinalizer(lambda: server.__exit__(None, None, None))
        self.set(RUNCOMFY_MODEL_API_BASE_URL=server.url)

    def versions(self, **changed):
        version = metadata.version

        def changed_version(name):
            if name in changed and changed[name] is None:
                raise metadata.PackageNotFoundError(name)
            return changed.get(name) or version(name)

        self.patch("importlib.metadata.version", changed_version)


@pytest.fixture
def arrange(emulator, tmp_path, monkeypatch, request, installation):  # noqa: ARG001 - it is set up first
    return Arrange(emulator, tmp_path, monkeypatch, request)


@pytest.mark.parametrize(
    ("break_it", "subject", "words", "remedy"), WRONG, ids=lambda value: getattr(value, "__name__", "")
)
def test_what_is_wrong_is_said_with_what_to_do(installation, arrange, break_it, subject, words, remedy):
    break_it(arrange)
    charges, before = arrange.emulator.charges, everything_below(arrange.root)
    report, lines = told(installation)
    found = [line for line in lines if line.startswith(f"!!  {subject}: ")]
    assert len(found) == 1, report.text
    assert words in found[0]
    assert remedy in found[0].partition(" What to do: ")[2]
    assert not report.is_well
    assert everything_below(arrange.root) == before
    assert arrange.emulator.charges == charges


@pytest.mark.parametrize(("arrange_it", "subject", "words"), WELL, ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_unusual_and_not_wrong_is_called_so(installation, arrange, arrange_it, subject, words):
    arrange_it(arrange)
    before = everything_below(arrange.root)
    _, lines = told(installation)
    line = line_of(lines, subject)
    assert line.startswith("OK  ")
    assert words in line
    assert everything_below(arrange.root) == before


def test_a_server_that_hangs_does_not_hold_up_the_report(installation, monkeypatch):
    with Loopback(lambda _request: dripping(b"HTTP/1.1 200 OK\r\n", pause_s=0.2)) as server:
        monkeypatch.setenv("RUNCOMFY_MODEL_API_BASE_URL", server.url)
        began_at = time.monotonic()
        report, lines = told(installation)
    assert time.monotonic() - began_at < 10
    assert line_of(lines, "RunComfy").startswith("!!  ")
    assert "There is none yet" in line_of(lines, "Journal"), report.text


def test_a_drive_that_never_answers_does_not_hold_up_the_report(installation, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_arguments: time.sleep(5))
    began_at = time.monotonic()
    _, lines = told(installation, limit_s=1.0)
    assert time.monotonic() - began_at < 4
    assert "The check did not end in time." in line_of(lines, "Disk of the clips")


def test_a_check_that_fails_unexpectedly_is_one_line(installation, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 1 / 0)
    _, lines = told(installation)
    assert "The check failed unexpectedly (ZeroDivisionError)." in line_of(lines, "Memory")
    assert line_of(lines, "Balance").startswith("OK  ")


# --- no secret


def planted(arrange):
    """A token or a password in every place that a sentence could repeat."""
    token = arrange.emulator.token
    arrange.set(
        PGPASSWORD=PASSWORD,
        AWS_SECRET_ACCESS_KEY=f"{PASSWORD}-2",
        HTTPS_PROXY=f"http://me:{PASSWORD}@127.0.0.1:9",
        RUNCOMFY_TOKEN=f"{token}-another",
        RUNCOMFY_API_KEY=f"{token}-third",
        RUNCOMFY_ARCHIVE_URL=f"cloud://me:{PASSWORD}@studio/clips",
    )
    (arrange.state / "token").write_text(token)


def planted_in_settings(arrange):
    planted(arrange)
    token = arrange.emulator.token
    arrange.unset("RUNCOMFY_ARCHIVE_URL")
    (arrange.state / "settings.json").write_text(
        f'{{"api_base_url": "https://me:{PASSWORD}@runcomfy.net", "model_id": "{token}", "archive_url": "sftp://me:{PASSWORD}@nas/x"}}'
    )


def planted_as_a_file(arrange):
    planted(arrange)
    arrange.set(RUNCOMFY_API_TOKEN_FILE=arrange.emulator.token)
    for name in ("RUNCOMFY_API_TOKEN", "RUNCOMFY_TOKEN", "RUNCOMFY_API_KEY"):
        arrange.unset(name)


def planted_as_a_folder(arrange):
    planted(arrange)
    arrange.set(RUNCOMFY_STATE_DIR=f"state-{PASSWORD}")


def planted_in_an_answer(arrange):
    planted(arrange)
    token = arrange.emulator.token
    said = f'{{"error_code": 400003, "message": "Bad token {token}, see https://x.example/?sig={PASSWORD}"}}'
    arrange.answer_with(answer(said.encode(), status="400 Bad Request"))


@pytest.mark.parametrize(
    "plant",
    [planted, planted_in_settings, planted_as_a_file, planted_as_a_folder, planted_in_an_answer, malformed_token],
)
def test_no_token_and_no_password_is_in_the_text(installation, arrange, plant):
    plant(arrange)
    text = told(installation)[0].text
    assert arrange.emulator.token not in text
    assert PASSWORD not in text
    assert "two words" not in text


def test_no_user_name_is_in_a_path(installation, monkeypatch):
    monkeypatch.setenv("HOME", "/home/alice")
    monkeypatch.setattr(getpass, "getuser", lambda: "alice")
    environ = {**os.environ, "RUNCOMFY_STATE_DIR": "/home/alice/comfy/state", "RUNCOMFY_OUTPUT_DIR": "/mnt/alice/clips"}
    text = told(replace(installation, environ=environ))[0].text
    assert "State folder: ~/comfy/state; clips: /mnt/(user)/clips." in text
    assert "alice" not in text


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (r"C:\Users\bob\ComfyUI\user", r"C:\Users\(user)\ComfyUI\user"),
        ("/Users/bob/ComfyUI", "/Users/(user)/ComfyUI"),
        ("/home/bob", "/home/(user)"),
        ("s3://me:pass@studio/clips?X-Amz-Signature=1", "s3://studio/clips"),
    ],
)
def test_other_peoples_homes_and_signatures_are_hidden_too(path, shown):
    from sora2pro.nodes.doctor.report import Finding  # noqa: PLC0415 - for this test alone

    text = report_of([Finding("Settings", f"It is {path} now.")], {}).text
    assert f"It is {shown} now." in text


# --- how it is run


@pytest.fixture
def pack_in_comfyui(tmp_path):
    """The pack in the `custom_nodes` of a ComfyUI that has a module `nodes` of its own."""
    base = tmp_path / "ComfyUI"
    pack = base / "custom_nodes" / "pack"
    shutil.copytree(ROOT / "nodes", pack / "nodes", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, pack)
    (base / "nodes.py").write_text("raise SystemExit('these are the nodes of ComfyUI')")
    (base / "comfyui_version.py").write_text('__version__ = "0.3.99"\n')
    return pack


@pytest.mark.parametrize(
    ("folder", "arguments"),
    [
        ("custom_nodes/pack", ["-m", "nodes.doctor"]),
        ("custom_nodes/pack", ["nodes/doctor"]),
        (".", ["custom_nodes/pack/nodes/doctor"]),
    ],
)
def test_it_runs_in_the_packs_folder_and_finds_comfyuis_folders(pack_in_comfyui, emulator, folder, arguments, tmp_path):
    base = pack_in_comfyui.parents[1]
    state = base / "user" / "__sora2pro"
    state.mkdir(parents=True)
    (state / "token").write_text(emulator.token)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RUNCOMFY")}
    environ |= {"RUNCOMFY_MODEL_API_BASE_URL": emulator.url, "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*more):
        return subprocess.run(
            [sys.executable, *arguments, *more],
            cwd=base / folder,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )

    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "State folder: ~/ComfyUI/user/__sora2pro; clips: ~/ComfyUI/output/sora2pro." in done.stdout
    assert "ComfyUI 0.3.99" in done.stdout
    assert emulator.token not in done.stdout
    assert sorted(path.name for path in state.iterdir()) == ["token"]
    elsewhere = run("--user-directory", str(tmp_path / "else"))
    assert elsewhere.returncode == 1
    assert "No RunComfy token is set." in elsewhere.stdout
    assert not (tmp_path / "else").exists()


@pytest.mark.usefixtures("installation")
def test_the_exit_code_says_whether_all_is_well(capsys, monkeypatch):
    assert (main([]), "Everything is in order." in capsys.readouterr().out) == (0, True)
    monkeypatch.delenv(TOKEN)
    assert (main([]), "Checks with a problem: " in capsys.readouterr().out) == (1, True)
