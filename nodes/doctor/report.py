"""Findings become a text that is safe to publish. Pure but for the question where this user's home is."""

from __future__ import annotations

import getpass
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..runcomfy import shown

HIDDEN = "(hidden)"
MIN_SECRET_CHARS = 6
MIN_NAME_CHARS = 3
MAX_SENTENCE_CHARS = 600
# Variables that hold a secret by their name, such as AWS_SECRET_ACCESS_KEY, PGPASSWORD and HF_TOKEN.
SECRET_NAME = re.compile(r"(?i)token|secret|passw|_key|apikey|credential|_auth$|_pat$")
PASSWORD_IN_ADDRESS = re.compile(r"(?i)[a-z][a-z0-9+.-]*://([^\s]*)@")
HOMES = r"((?:/home|/Users|[a-z]:[\\/]Users|[a-z]:[\\/]Documents and Settings)[\\/])[^\\/\s'\":]+"
END = r"(?=[\\/\s'\",;:)]|\.?$|\.\s)"  # of a name in a path
INTRODUCTION = (
    "Check of the RunComfy nodes. It holds no token, no password and no user name, and can be pasted into a bug report.",
    "Nothing was bought and nothing was changed.",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        subject: What was looked at.
        sentence: How it is.
        remedy: What to do; empty where it is as it should be.
    """

    subject: str
    sentence: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The text, and whether everything is as it should be."""

    text: str
    is_well: bool


def report_of(findings: Sequence[Finding], environ: Mapping[str, str]) -> Report:
    """The report, a finding a line, without anything that is nobody's business."""
    hide = hiding(secrets_in(environ), list(homes_in(environ)), _user_name())
    wrong = sum(bool(finding.remedy) for finding in findings)
    verdict = f"Checks with a problem: {wrong} of {len(findings)}." if wrong else "Everything is in order."
    return Report("\n".join([*INTRODUCTION, "", *(hide(_line(one)) for one in findings), "", verdict]), wrong == 0)


def secrets_in(environ: Mapping[str, str]) -> set[str]:
    """What a reader of the environment would find in it: tokens, keys, passwords, also in addresses."""
    found = {value.strip() for name, value in environ.items() if SECRET_NAME.search(name)}
    # The path of a file with a secret is none, and is needed to find it.
    found = {value for value in found if not Path(value).is_absolute()}
    for value in environ.values():
        for login in PASSWORD_IN_ADDRESS.findall(value):
            found |= {login, login.partition(":")[2]}
    return {value for value in found if len(value) >= MIN_SECRET_CHARS}


def homes_in(environ: Mapping[str, str]) -> Iterator[str]:
    """Every way in which this user's home folder may be written."""
    for home in (environ.get("HOME"), environ.get("USERPROFILE"), str(Path.home())):
        if home and Path(home).is_absolute() and len(Path(home).parts) > 1:
            yield home.rstrip("/\\")
            yield str(Path(home).resolve())


def hiding(secrets: Iterable[str], homes: Iterable[str], user_name: str) -> Callable[[str], str]:
    """What takes secrets, home folders and the user's name out of a text."""
    is_telling = len(user_name) >= MIN_NAME_CHARS and user_name != "root"
    hidden = {
        **{re.escape(secret): HIDDEN for secret in sorted(secrets, key=len, reverse=True)},
        r"([a-z][a-z0-9+.-]*://)\S*@": r"\1",
        r"([a-z][a-z0-9+.-]*://[^\s?#]+)[?#]\S*": r"\1",
        **{rf"{re.escape(home)}{END}": "~" for home in sorted(set(homes), key=len, reverse=True)},
        HOMES: r"\1(user)",
        **({rf"(?<=[\\/]){re.escape(user_name)}{END}": "(user)"} if is_telling else {}),
    }
    patterns = [(re.compile(pattern, re.IGNORECASE), instead) for pattern, instead in hidden.items()]

    def hide(text: str) -> str:
        for pattern, instead in patterns:
            text = pattern.sub(instead, text)
        return text

    return hide


def _line(finding: Finding) -> str:
    sentence = shown(finding.sentence, MAX_SENTENCE_CHARS)
    if not finding.remedy:
        return f"OK  {finding.subject}: {sentence}"
    return f"!!  {finding.subject}: {sentence} What to do: {shown(finding.remedy, MAX_SENTENCE_CHARS)}"


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may run as somebody without a name
        return ""
