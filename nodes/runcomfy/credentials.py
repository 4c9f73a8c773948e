"""Where the token comes from, and how it is kept. It is shown to nobody: only its source and its last four characters."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..environment import parse_folder, read_variable, unquoted
from ..errors import MissingTokenError
from .files import read_text, remove_stale, unfinished, write_private

TOKEN_VARIABLES = ("RUNCOMFY_API_TOKEN", "RUNCOMFY_TOKEN", "RUNCOMFY_API_KEY")
TOKEN_FILE_VARIABLE = "RUNCOMFY_API_TOKEN_FILE"  # noqa: S105 - a name
MAX_TOKEN_CHARS = 8192
SAVING_AT_MOST_S = 60.0
SHOWN_CHARS = 4
# A token of the environment takes precedence, so ComfyUI's settings refuse another as long as it is there.
CORRECT_IT_THERE = "Correct the variable or its file, then restart ComfyUI."
MIN_CHARS_TO_SHOW_ANY = 12


@dataclass(frozen=True, slots=True)
class Token:
    """A token and where it was found. Its value is in no repr, and so in no traceback and no log."""

    value: str = field(repr=False)
    source: str

    @property
    def hint(self) -> str:
        """The last four characters, for the user to recognise it by; empty for one too short to show any of."""
        return self.value[-SHOWN_CHARS:] if len(self.value) >= MIN_CHARS_TO_SHOW_ANY else ""


def find_token(environ: Mapping[str, str], state_dir: Path) -> Token:
    """The first token there is: environment, a file it names, saved by the settings dialog, RunComfy's command-line client.

    Raises:
        MissingTokenError: There is none, or the first one found is malformed, or the file that RUNCOMFY_API_TOKEN_FILE names
            has none. The message never repeats a token.
        ConfigurationError: RUNCOMFY_API_TOKEN_FILE or RUNCOMFY_CONFIG_DIR is not an absolute path.
    """
    for source, text, remedy in _candidates(environ, state_dir):
        if text.strip():
            return Token(value=parse_token(text, source, remedy=remedy), source=source)
    raise MissingTokenError("No RunComfy token is set.")


def parse_token(text: str, source: str, *, remedy: str | None = None) -> str:
    """The bare token: quotes and a leading `Bearer` are taken off.

    Args:
        text: As it was found.
        source: Where, in words.
        remedy: What to do where it cannot be a token; None for the usual.

    Raises:
        MissingTokenError: It cannot be a token.
    """
    token = unquoted(re.sub(r"(?i)^bearer(\s+|$)", "", unquoted(text)))
    if not token:
        raise MissingTokenError(f"The RunComfy token in {source} is empty.", remedy=remedy)
    if len(token) > MAX_TOKEN_CHARS or not all("!" <= character <= "~" for character in token):
        raise MissingTokenError(
            f"The RunComfy token in {source} is not valid: it has spaces, line breaks or characters outside ASCII, "
            f"or is longer than {MAX_TOKEN_CHARS:,} characters.",
            remedy=remedy,
        )
    return token


def saved_token_path(state_dir: Path) -> Path:
    """Where the token typed into ComfyUI's settings is kept (mode 0600)."""
    return state_dir / "token"


def save_token(state_dir: Path, text: str) -> Token:
    """Keep a token the user typed.

    Raises:
        MissingTokenError: It cannot be a token.
        OSError: It cannot be written.
    """
    token = Token(value=parse_token(text, "the settings dialog"), source=str(saved_token_path(state_dir)))
    write_private(saved_token_path(state_dir), token.value + "\n")
    return token


def forget_token(state_dir: Path) -> None:
    """Delete the saved token, if there is one, and what is left of saves that were killed.

    Raises:
        OSError: It cannot be deleted.
    """
    for path in saved_token_files(state_dir):
        path.unlink(missing_ok=True)


def saved_token_files(state_dir: Path) -> list[Path]:
    """Every file that holds a token the user typed: the saved one, and what is left of saves that were killed."""
    path = saved_token_path(state_dir)
    return [*([path] if path.exists() else []), *unfinished(path)]


def remove_unfinished_saves(state_dir: Path, *, now_s: float) -> None:
    """Delete what is left of saves that were killed; one that may be under way is left alone."""
    remove_stale(unfinished(saved_token_path(state_dir)), now_s=now_s, after_s=SAVING_AT_MOST_S)


def _candidates(environ: Mapping[str, str], state_dir: Path) -> Iterator[tuple[str, str, str | None]]:
    """Each place, what is there, and what to do if that is not a token; None for the usual.

    A file is read only when nothing above it holds a token.
    """
    for name in TOKEN_VARIABLES:
        yield f"the environment variable {name}", environ.get(name, ""), CORRECT_IT_THERE
    if named := read_variable(environ, TOKEN_FILE_VARIABLE):
        path = parse_folder(named, TOKEN_FILE_VARIABLE)
        source = f"the file {path} of the environment variable {TOKEN_FILE_VARIABLE}"
        yield source, parse_token(_read_named(path, source), source, remedy=CORRECT_IT_THERE), CORRECT_IT_THERE
    saved = saved_token_path(state_dir)
    yield str(saved), _read(saved), None
    client = _client_token_path(environ)
    if client is not None:
        yield str(client), _access_token(_read(client)), None


def _client_token_path(environ: Mapping[str, str]) -> Path | None:
    """Where RunComfy's client keeps its token.

    A relative XDG_CONFIG_HOME is ignored, as https://specifications.freedesktop.org/basedir-spec/latest/ demands.
    """
    if own := read_variable(environ, "RUNCOMFY_CONFIG_DIR"):
        return parse_folder(own, "RUNCOMFY_CONFIG_DIR") / "token.json"
    for variable, below in (
        ("XDG_CONFIG_HOME", "runcomfy"),
        ("HOME", ".config/runcomfy"),
        ("USERPROFILE", ".config/runcomfy"),
    ):
        folder = Path(read_variable(environ, variable))
        if folder.is_absolute():
            return folder / below / "token.json"
    return None


def _read_named(path: Path, source: str) -> str:
    """The text of a file that the user names. Its rights are not looked at: Docker mounts secrets readable for everyone.

    See https://docs.docker.com/reference/compose-file/services/#secrets: mode 0444 unless it is set.

    Raises:
        MissingTokenError: It is not there, or cannot be read.
    """
    try:
        if path.is_file():
            return read_text(path)
        reason = "is not a regular file" if path.exists() else "does not exist"
    except (OSError, UnicodeDecodeError) as error:
        raise MissingTokenError(
            f"The RunComfy token cannot be read: {source} cannot be read.", remedy=CORRECT_IT_THERE
        ) from error
    raise MissingTokenError(f"The RunComfy token cannot be read: {source} {reason}.", remedy=CORRECT_IT_THERE)


def _read(path: Path) -> str:
    try:
        return read_text(path)
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise MissingTokenError(f"The file {path}, where the RunComfy token is kept, cannot be read.") from error


def _access_token(text: str) -> str:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    token = document.get("access_token") if isinstance(document, dict) else None
    return token if isinstance(token, str) else ""


def account_of(token: str, key: bytes) -> str:
    """What stands for the account of a token: HMAC-SHA256 in hex, of no use without the key of the same state folder."""
    return hmac.new(key, token.encode(), hashlib.sha256).hexdigest()


def known_account(find: Callable[[], Token], key: bytes) -> str | None:
    """The same for the token that `find` finds; None while there is none."""
    try:
        return account_of(find().value, key)
    except MissingTokenError:
        return None
