import json
import logging
import os
import signal
import subprocess
import sys
import time
import traceback

import pytest
from pack import ROOT
from sora2pro.nodes.errors import ConfigurationError, MissingTokenError
from sora2pro.nodes.runcomfy.credentials import (
    MAX_TOKEN_CHARS,
    TOKEN_FILE_VARIABLE,
    TOKEN_VARIABLES,
    Token,
    find_token,
    forget_token,
    parse_token,
    remove_unfinished_saves,
    save_token,
    saved_token_files,
    saved_token_path,
)
from support.file_permissions import is_its_owners_alone

VALUE = "rc-0123456789-secret"


def write_client_token(folder, text):
    path = folder / "token.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def document(token):
    return json.dumps({"access_token": token, "refresh_token": None})


def test_the_sources_are_asked_in_the_order_of_the_design(tmp_path):
    state_dir = tmp_path / "state"
    environ = {name: f"token-of-{name}" for name in TOKEN_VARIABLES} | {"HOME": str(tmp_path)}
    save_token(state_dir, "token-that-was-saved")
    write_client_token(tmp_path / ".config" / "runcomfy", document("token-of-the-client"))

    found = []
    for name in ("RUNCOMFY_API_TOKEN", "RUNCOMFY_TOKEN", "RUNCOMFY_API_KEY"):
        token = find_token(environ, state_dir)
        assert name in token.source
        found.append(token.value)
        environ[name] = " "
    found.append(find_token(environ, state_dir).value)
    forget_token(state_dir)
    found.append(find_token(environ, state_dir).value)
    assert found == [
        "token-of-RUNCOMFY_API_TOKEN",
        "token-of-RUNCOMFY_TOKEN",
        "token-of-RUNCOMFY_API_KEY",
        "token-that-was-saved",
        "token-of-the-client",
    ]


@pytest.mark.parametrize(
    ("variable", "folder"),
    [
        ("RUNCOMFY_CONFIG_DIR", ""),
        ("XDG_CONFIG_HOME", "runcomfy"),
        ("HOME", ".config/runcomfy"),
        ("USERPROFILE", ".config/runcomfy"),
    ],
)
def test_the_token_of_runcomfys_own_client_is_found_where_that_keeps_it(tmp_path, variable, folder):
    write_client_token(tmp_path / "place" / folder, document(VALUE))
    token = find_token({variable: str(tmp_path / "place")}, tmp_path / "state")
    assert token.value == VALUE
    assert token.source.endswith("token.json")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_token_file_is_read_as_any_editor_of_windows_saves_it(tmp_path, encoding):
    (tmp_path / "client").mkdir()
    (tmp_path / "client" / "token.json").write_bytes(document(VALUE).encode(encoding))
    environ = {"RUNCOMFY_CONFIG_DIR": str(tmp_path / "client")}
    assert find_token(environ, tmp_path).value == VALUE
    saved_token_path(tmp_path).write_bytes(f'"{VALUE[::-1]}"\r\n'.encode(encoding))
    assert find_token(environ, tmp_path).value == VALUE[::-1]


def test_a_token_file_of_the_client_that_python_gives_up_on_is_not_a_token(tmp_path):
    write_client_token(tmp_path, "[" * 100_000)
    with pytest.raises(MissingTokenError, match="No RunComfy token is set"):
        find_token({"RUNCOMFY_CONFIG_DIR": str(tmp_path)}, tmp_path / "state")


@pytest.mark.parametrize("around", ['"{}"', "'{}", '{}"', "{}\r", "\ufeff{}", "\xa0{} "])
@pytest.mark.parametrize(
    ("variable", "folder"), [("RUNCOMFY_CONFIG_DIR", ""), ("XDG_CONFIG_HOME", "runcomfy"), ("HOME", ".config/runcomfy")]
)
def test_quotes_and_blanks_around_a_folder_of_the_client_are_not_part_of_it(tmp_path, variable, folder, around):
    write_client_token(tmp_path / folder, document(VALUE))
    assert find_token({variable: around.format(tmp_path)}, tmp_path / "state").value == VALUE


def test_the_clients_own_folder_must_not_depend_on_where_comfyui_is_started(tmp_path, monkeypatch):
    """Another token is another account that pays."""
    monkeypatch.chdir(tmp_path)
    write_client_token(tmp_path / "client", document(VALUE))
    with pytest.raises(ConfigurationError, match="RUNCOMFY_CONFIG_DIR must be an absolute path"):
        find_token({"RUNCOMFY_CONFIG_DIR": "client"}, tmp_path / "state")
    save_token(tmp_path / "state", "the-saved-token")
    assert find_token({"RUNCOMFY_CONFIG_DIR": "client"}, tmp_path / "state").value == "the-saved-token"


def test_a_relative_folder_of_the_desktop_is_ignored_as_its_specification_demands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_client_token(tmp_path / "desktop" / "runcomfy", document("another-token"))
    write_client_token(tmp_path / "me" / ".config" / "runcomfy", document(VALUE))
    environ = {"XDG_CONFIG_HOME": "desktop", "HOME": str(tmp_path / "me")}
    assert find_token(environ, tmp_path / "state").value == VALUE


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="cut off"),
        pytest.param("[]", id="list"),
        pytest.param("null", id="null"),
        pytest.param('{"access_token": null}', id="logged out"),
        pytest.param('{"access_token": 7}', id="number"),
        pytest.param('{"access_token": ""}', id="empty token"),
    ],
)
def test_a_client_that_is_not_logged_in_has_no_token(tmp_path, text):
    write_client_token(tmp_path, text)
    with pytest.raises(MissingTokenError, match="No RunComfy token is set"):
        find_token({"RUNCOMFY_CONFIG_DIR": str(tmp_path)}, tmp_path / "state")


def test_without_a_token_the_user_reads_where_to_get_one_and_how_to_go_on_without(tmp_path):
    with pytest.raises(MissingTokenError) as raised:
        find_token({}, tmp_path)
    text = str(raised.value)
    for words in ("nothing was charged", "runcomfy.com (Profile, API Token)", "RUNCOMFY_API_TOKEN", "'rehearse'"):
        assert words in text


@pytest.mark.parametrize(
    "text",
    [
        VALUE,
        f"  {VALUE}\n",
        f'"{VALUE}"',
        f"'{VALUE}'",
        f"Bearer {VALUE}",
        f"bearer  {VALUE}",
        f'"Bearer {VALUE}"',
        f'Bearer "{VALUE}"',
        f"BEARER {VALUE}",
        f"Bearer\t{VALUE}",
        f'{VALUE}"',
        f"'{VALUE}",
        f"{VALUE}\r\n",
        f"\ufeff{VALUE}",
        f"{VALUE}\u200b",
        f"\xa0{VALUE}\u3000",
        f"\ufeff\"Bearer '{VALUE}'\"\r",
    ],
    ids=repr,
)
def test_what_people_paste_around_a_token_is_taken_off(text):
    assert parse_token(text, "a test") == VALUE


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("two words-of-secret", id="blank inside"),
        pytest.param("line\nbreak-secret", id="line break"),
        pytest.param("tökèn-secret", id="other letters"),
        pytest.param("secret\u200bword", id="invisible blank inside"),
        pytest.param("secret\x00", id="null byte"),
        pytest.param("secret\r\nX-Evil: 1", id="a header smuggled in"),
        pytest.param("secret" * MAX_TOKEN_CHARS, id="too long"),
        pytest.param("Bearer", id="the word Bearer alone"),
        pytest.param("Bearer ", id="Bearer and a blank"),
        pytest.param('""', id="quotes around nothing"),
        pytest.param("' '", id="quotes around a blank"),
    ],
)
def test_what_cannot_be_a_token_is_refused_by_its_source_without_being_repeated(tmp_path, text):
    with pytest.raises(MissingTokenError) as raised:
        find_token({"RUNCOMFY_API_TOKEN": text}, tmp_path)
    said = str(raised.value) + "".join(traceback.format_exception(raised.value))
    assert "the environment variable RUNCOMFY_API_TOKEN" in said
    assert "secret" not in said
    # The settings refuse a token while the environment names one.
    assert "Settings" not in said
    assert "Correct the variable or its file, then restart ComfyUI." in said


def test_a_token_that_was_typed_is_typed_again_where_it_cannot_be_one(tmp_path):
    with pytest.raises(MissingTokenError, match=r"Create a token on runcomfy\.com .* Settings under RunComfy"):
        save_token(tmp_path, "two words")


def test_a_malformed_token_is_not_silently_passed_over_for_another(tmp_path):
    """The user would not know which account pays."""
    with pytest.raises(MissingTokenError, match="RUNCOMFY_API_TOKEN"):
        find_token({"RUNCOMFY_API_TOKEN": "two words", "RUNCOMFY_TOKEN": VALUE}, tmp_path)


def test_a_token_is_in_no_text_that_python_makes_of_it(tmp_path, caplog):
    token = save_token(tmp_path, VALUE)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("a test").error("%s %r %s", token, token, [token])
    trace = "".join(traceback.format_exception(ValueError(token)))
    assert VALUE not in f"{token} {token!r} {[token]} {caplog.text} {trace}"


@pytest.mark.parametrize(
    ("value", "hint"), [(VALUE, "cret"), ("123456789012", "9012"), ("12345678901", ""), ("abc", "")]
)
def test_only_the_end_of_a_long_token_is_shown(value, hint):
    assert Token(value, "a test").hint == hint


def test_a_saved_token_is_its_owners_alone_from_the_first_byte(tmp_path):
    state_dir = tmp_path / "state"
    save_token(state_dir, "the-first-token")
    save_token(state_dir, f"Bearer {VALUE}\n")
    path = saved_token_path(state_dir)
    assert path.read_text(encoding="utf-8") == f"{VALUE}\n"
    assert is_its_owners_alone(path)
    assert is_its_owners_alone(state_dir)
    assert [entry.name for entry in state_dir.iterdir()] == ["token"]


KILLED_WHILE_SAVING = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from pack import load_pack
load_pack()
from sora2pro.nodes.runcomfy import credentials, files
files.give_name = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
credentials.save_token(Path(sys.argv[2]), sys.argv[3])
"""


def kill_while_saving(state_dir):
    """A process that dies with the token on the disk and its name not given yet."""
    command = [sys.executable, "-c", KILLED_WHILE_SAVING, str(ROOT / "tests"), str(state_dir), VALUE]
    assert subprocess.run(command, timeout=60, check=False).returncode == -signal.SIGKILL


def files_with_the_token(state_dir):
    return [path for path in state_dir.rglob("*") if path.is_file() and VALUE.encode() in path.read_bytes()]


needs_sigkill = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")


@needs_sigkill
@pytest.mark.parametrize("saved", [None, "another-token"])
def test_forgetting_leaves_no_token_on_the_disk_also_after_a_kill_while_saving(tmp_path, saved):
    if saved:
        save_token(tmp_path, saved)
    kill_while_saving(tmp_path)
    assert files_with_the_token(tmp_path)
    assert saved_token_files(tmp_path)
    forget_token(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert saved_token_files(tmp_path) == []


@needs_sigkill
def test_the_next_save_removes_what_a_kill_while_saving_left(tmp_path):
    kill_while_saving(tmp_path)
    save_token(tmp_path, "another-token")
    assert files_with_the_token(tmp_path) == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["token"]


@needs_sigkill
def test_a_start_removes_what_a_kill_while_saving_left_once_nobody_can_be_saving_any_more(tmp_path):
    kill_while_saving(tmp_path)
    remove_unfinished_saves(tmp_path, now_s=time.time())
    assert files_with_the_token(tmp_path)
    remove_unfinished_saves(tmp_path, now_s=time.time() + 120)
    assert list(tmp_path.iterdir()) == []


def test_forgetting_leaves_the_files_of_others_alone(tmp_path):
    for name in ("token-of-mine", "token.bak", ".tokens", "journal.sqlite3"):
        (tmp_path / name).write_text("mine", encoding="utf-8")
    save_token(tmp_path, VALUE)
    forget_token(tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


def test_a_token_that_cannot_be_saved_leaves_the_old_one_and_no_scrap(tmp_path):
    save_token(tmp_path, VALUE)
    with pytest.raises(MissingTokenError, match="settings dialog"):
        save_token(tmp_path, "two words")
    assert find_token({}, tmp_path).value == VALUE
    (tmp_path / "token").unlink()
    (tmp_path / "token").mkdir()
    with pytest.raises(OSError, match="token"):
        save_token(tmp_path, VALUE)
    assert [entry.name for entry in tmp_path.iterdir()] == ["token"]


def test_forgetting_a_token_twice_is_not_an_error(tmp_path):
    save_token(tmp_path, VALUE)
    forget_token(tmp_path)
    forget_token(tmp_path)
    with pytest.raises(MissingTokenError):
        find_token({}, tmp_path)


@pytest.mark.parametrize("damage", ["a folder", "no text"])
def test_a_saved_token_that_cannot_be_read_is_named(tmp_path, damage):
    path = saved_token_path(tmp_path)
    if damage == "a folder":
        path.mkdir()
    else:
        path.write_bytes(b"\xff\xfe\x80")
    with pytest.raises(MissingTokenError) as raised:
        find_token({}, tmp_path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("variable", TOKEN_VARIABLES)
def test_a_token_in_the_environment_is_enough_whatever_is_wrong_with_the_files_below_it(tmp_path, variable):
    saved_token_path(tmp_path).mkdir()
    (tmp_path / "token.json").mkdir()
    environ = {variable: VALUE, "RUNCOMFY_CONFIG_DIR": str(tmp_path)}
    assert find_token(environ, tmp_path).value == VALUE


def test_a_saved_token_is_enough_whatever_is_wrong_with_the_file_of_the_client(tmp_path):
    (tmp_path / "token.json").mkdir()
    save_token(tmp_path, VALUE)
    assert find_token({"RUNCOMFY_CONFIG_DIR": str(tmp_path)}, tmp_path).value == VALUE


# --- a token in a file that a variable names, as containers and services hand over secrets


@pytest.mark.parametrize("content", [VALUE, f"{VALUE}\n", f'  "{VALUE}"\r\n', f"\ufeffBearer {VALUE}\n\n"], ids=repr)
@pytest.mark.parametrize("around", ["{}", ' "{}" '])
def test_a_token_is_read_from_the_file_that_the_variable_names(tmp_path, content, around):
    path = tmp_path / "secret"
    path.write_text(content, encoding="utf-8")
    token = find_token({TOKEN_FILE_VARIABLE: around.format(path)}, tmp_path / "state")
    assert token.value == VALUE
    assert (str(path) in token.source, TOKEN_FILE_VARIABLE in token.source) == (True, True)


def test_the_file_comes_after_the_variables_with_a_token_and_before_the_saved_one(tmp_path):
    path = tmp_path / "secret"
    path.write_text(VALUE, encoding="utf-8")
    save_token(tmp_path / "state", "the-saved-token")
    assert find_token({TOKEN_FILE_VARIABLE: str(path)}, tmp_path / "state").value == VALUE
    for variable in TOKEN_VARIABLES:
        environ = {variable: "another-token", TOKEN_FILE_VARIABLE: str(tmp_path / "not there")}
        assert find_token(environ, tmp_path / "state").value == "another-token"
    assert find_token({TOKEN_FILE_VARIABLE: ' "" '}, tmp_path / "state").value == "the-saved-token"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes in folders")
def test_a_pipe_nobody_writes_to_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "secret")
    with pytest.raises(MissingTokenError, match="not a regular file"):
        find_token({TOKEN_FILE_VARIABLE: str(tmp_path / "secret")}, tmp_path / "state")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(None, "does not exist", id="missing"),
        pytest.param("a folder", "not a regular file", id="a folder"),
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b" \r\n", "is empty", id="blank"),
        pytest.param(b"\xff\xfe\x80", "cannot be read", id="not text"),
        pytest.param(b"line-of-secret\nline-of-secret", "is not valid", id="two lines"),
    ],
)
def test_a_file_without_a_token_is_an_error_and_never_another_token(tmp_path, content, words):
    """The user would not know which account pays."""
    path = tmp_path / "place"
    if content == "a folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    save_token(tmp_path / "state", VALUE)
    with pytest.raises(MissingTokenError) as raised:
        find_token({TOKEN_FILE_VARIABLE: str(path)}, tmp_path / "state")
    said = str(raised.value) + "".join(traceback.format_exception(raised.value))
    for part in (words, str(path), TOKEN_FILE_VARIABLE, "Correct the variable or its file, then restart ComfyUI."):
        assert part in str(raised.value)
    assert "Settings" not in str(raised.value)
    assert "line-of-secret" not in said


def test_the_file_must_not_depend_on_where_comfyui_is_started(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text(VALUE, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="RUNCOMFY_API_TOKEN_FILE must be an absolute path"):
        find_token({TOKEN_FILE_VARIABLE: "secret"}, tmp_path / "state")
