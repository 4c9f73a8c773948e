"""What launchers, editors and folders do to a run: whatever stands around a value, the same inputs are bought once."""

import os
import signal
import subprocess
import sys
import time

import pytest
from pack import ROOT
from sora2pro.nodes.errors import NOTHING_SENT, ConfigurationError
from sora2pro.nodes.runcomfy.settings import write_settings_file
from support import node_runs

# What is put around a value, and by whom.
AROUND = [
    pytest.param('"{}"', id="docker compose, list syntax"),
    pytest.param("'{}'", id="an .env file read without a shell"),
    pytest.param('{}"', id="set X=path followed by a stray quote"),
    pytest.param("'{}", id="a quote that was never closed"),
    pytest.param("{}\r", id="an .env file with Windows line ends"),
    pytest.param('"{}"\r\n', id="quotes and Windows line ends"),
    pytest.param("{} ", id="set X=path && ..."),
    pytest.param("\ufeff{}", id="a byte order mark"),
    pytest.param("\u00a0{}\u00a0", id="a blank copied from a web page"),
    pytest.param("\ufeff \"'{}'\"\t", id="all of it"),
]


@pytest.fixture
def working_folders(tmp_path, monkeypatch):
    """Changes the working folder from one to the next, as starting ComfyUI from elsewhere does; yields each in turn."""

    def visit():
        for name in ("here", "there"):
            folder = tmp_path / "working" / name
            folder.mkdir(parents=True, exist_ok=True)
            monkeypatch.chdir(folder)
            yield folder

    return visit


@pytest.mark.parametrize("around", AROUND)
def test_what_a_launcher_leaves_around_the_variables_never_buys_a_clip_twice(
    emulator, point_to, tmp_path, working_folders, around
):
    point_to(emulator, **{name: around.format(value) for name, value in emulator.environment(tmp_path).items()})
    for folder in working_folders():
        node_runs.run_node()
        assert list(folder.iterdir()) == []
    assert emulator.charges == 1
    assert len(list((tmp_path / "clips").glob("*.mp4"))) == 1
    assert (tmp_path / "state" / "journal.sqlite3").is_file()


@pytest.mark.parametrize("variable", ["RUNCOMFY_STATE_DIR", "RUNCOMFY_OUTPUT_DIR"])
@pytest.mark.parametrize(
    "value",
    ["state", "./state", "../state", '"state"', "$HOME/state", "%APPDATA%\\state", "~nobody-of-this-name/state"],
)
def test_a_folder_that_moves_with_the_working_folder_is_refused_before_money(
    emulator, point_to, working_folders, variable, value
):
    point_to(emulator, **{variable: value})
    for folder in working_folders():
        with pytest.raises(ConfigurationError) as raised:
            node_runs.run_node()
        assert variable in str(raised.value)
        assert "absolute path" in str(raised.value)
        assert NOTHING_SENT in str(raised.value)
        assert list(folder.iterdir()) == []
    assert emulator.charges == 0


KILLED_REHEARSAL = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from pack import load_pack
load_pack()
from support.node_runs import run_node
from sora2pro.nodes.media import rehearsal

def die(pixels, part, **_options):
    part.write_bytes(b"half a clip")
    os.kill(os.getpid(), signal.SIGKILL)

rehearsal.render = die
run_node(rehearse=True, size="128x72", seconds=1)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_what_a_killed_rehearsal_leaves_is_removed_by_a_later_one_and_nothing_else_is(emulator, point_to, tmp_path):
    point_to(emulator)
    write_settings_file(tmp_path / "state", {"sizes": ["128x72"], "seconds": [1]})
    small = {"rehearse": True, "size": "128x72", "seconds": 1}
    folder = tmp_path / "clips" / "rehearsal"
    command = [sys.executable, "-c", KILLED_REHEARSAL, str(ROOT / "tests")]
    assert subprocess.run(command, timeout=60, check=False).returncode == -signal.SIGKILL
    (left,) = folder.iterdir()
    mine = folder / "tmp-of-mine"
    mine.mkdir()
    long_ago = time.time() - 86_400
    os.utime(mine, (long_ago, long_ago))
    node_runs.run_node(**small)
    assert left.exists(), "another ComfyUI may still be at it"
    os.utime(left, (long_ago, long_ago))
    (clip,) = node_runs.run_node(**small)
    assert sorted(folder.iterdir()) == sorted([clip.video.path, mine])
    assert emulator.charges == 0


def deep_folder(tmp_path, path_chars):
    """A folder below `tmp_path` whose path has so many characters."""
    folder = tmp_path / "deep"
    while len(str(folder)) + 1 < path_chars:
        folder /= "d" * min(200, path_chars - len(str(folder)) - 1)
    return folder


LONGEST_PART = f".sora2pro_{'i' * 128}.mp4.01234567.part"


@pytest.mark.skipif(os.name != "posix", reason="the limits are those of Linux and macOS")
@pytest.mark.parametrize("spare_chars", [-1, -100, 0])
def test_a_folder_too_deep_for_the_name_of_a_clip_is_refused_before_money(emulator, point_to, tmp_path, spare_chars):
    """The longest request id has 128 characters, and a path ends with a zero byte."""
    max_path_chars = os.pathconf(tmp_path, "PC_PATH_MAX") - 1
    folder = deep_folder(tmp_path, max_path_chars - len(f"/{LONGEST_PART}") - spare_chars)
    point_to(emulator, RUNCOMFY_OUTPUT_DIR=str(folder))
    if spare_chars == 0:
        node_runs.run_node()
        assert emulator.charges == 1
        return
    with pytest.raises(ConfigurationError) as raised:
        node_runs.run_node()
    assert NOTHING_SENT in str(raised.value)
    assert "shorter path" in str(raised.value)
    assert emulator.charges == 0
    assert not folder.exists() or list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["clips-\udcff", "clips-\udce9t\udce9"], ids=ascii)
def test_a_folder_whose_name_the_journal_cannot_hold_is_refused_before_money(emulator, point_to, tmp_path, name):
    point_to(emulator, RUNCOMFY_OUTPUT_DIR=str(tmp_path / name))
    with pytest.raises(ConfigurationError) as raised:
        node_runs.run_node()
    assert NOTHING_SENT in str(raised.value)
    assert "is not UTF-8" in str(raised.value)
    assert emulator.charges == 0


@pytest.mark.parametrize("name", ["名前のフォルダ" * 8, "ümläut ♥ & 100%", "it's here"])
def test_a_folder_with_any_letters_takes_a_clip(emulator, point_to, tmp_path, name):
    point_to(emulator, RUNCOMFY_OUTPUT_DIR=str(tmp_path / name), RUNCOMFY_STATE_DIR=str(tmp_path / f"state {name}"))
    node_runs.run_node()
    node_runs.run_node()
    assert emulator.charges == 1
    assert len(list((tmp_path / name).glob("*.mp4"))) == 1
