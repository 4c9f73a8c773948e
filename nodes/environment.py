"""Environment variables as they were meant: without what launchers and editors leave around a value."""

from __future__ import annotations

import os
import string
from collections.abc import Mapping
from pathlib import Path

from .errors import ConfigurationError

# The characters of https://www.unicode.org/Public/UCD/latest/ucd/PropList.txt with the property White_Space, those without
# width that come along when a path is copied (Windows puts U+202A in front of it), the byte order mark, and quotes:
# docker compose passes those of `- NAME="value"` on (https://github.com/docker/compose/issues/2854), and
# cmd.exe those of `set NAME="value"`.
AROUND = (
    string.whitespace
    + "\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
    + "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069"
    + "\ufeff\"'"
)


def unquoted(text: str) -> str:
    """A value without the blanks, quotes and byte order marks around it, matching or not."""
    return text.strip(AROUND)


def read_variable(environ: Mapping[str, str], name: str) -> str:
    """The value of a variable; empty if it is not set, or has nothing but quotes and blanks."""
    return unquoted(environ.get(name, ""))


def parse_folder(text: str, origin: str) -> Path:
    """The folder of a setting, with `~` for the home folder.

    A relative folder would be another one, with another journal, for each folder that ComfyUI is started from: the same
    inputs would be bought again.

    Args:
        text: The setting.
        origin: For the message of an error: where it stands.

    Raises:
        ConfigurationError: It is not an absolute path. On Windows that takes a drive or a server.
    """
    try:
        folder = Path(text).expanduser()
    except RuntimeError:  # nobody of this name has a home folder
        folder = Path(text)
    if not folder.is_absolute():
        raise ConfigurationError(
            f"{origin} must be an absolute path, and {text!r} is not: it depends on the folder that ComfyUI is started from.",
            remedy="Enter the full path, without variables in it, then run the node again.",
        )
    return Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() follows links
