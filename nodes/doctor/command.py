"""The doctor without ComfyUI: where a ComfyUI around the pack keeps what is examined, and what the command says and returns."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import host
from .checks import Installation, examine
from .report import report_of

PACK = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report; returns 0 if all is well, else 1."""
    report = report_of(examine(installation_of(parse_options(arguments), PACK)), os.environ)
    encoding = sys.stdout.encoding or "ascii"
    print(report.text.encode(encoding, "backslashreplace").decode(encoding))  # noqa: T201 - it is a command
    return 0 if report.is_well else 1


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options: those with which ComfyUI itself is started, as far as they move what is examined."""
    parser = argparse.ArgumentParser(
        prog="python -m nodes.doctor",
        description="Checks this installation of the RunComfy nodes. Nothing is bought and nothing is changed.",
    )
    parser.add_argument("--user-directory", type=Path, help="the value that ComfyUI is started with")
    parser.add_argument("--output-directory", type=Path, help="the value that ComfyUI is started with")
    return parser.parse_args(arguments)


def installation_of(options: argparse.Namespace, pack: Path) -> Installation:
    """What there is to examine around a pack: ComfyUI's folders are beside `custom_nodes`; elsewhere, those of the platform."""
    base = host.comfyui_around(pack)
    user, output = options.user_directory, options.output_directory
    if base is not None:
        user, output = user or base / "user", output or base / "output"
    return Installation(
        environ=os.environ,
        state_dir=host.default_state_dir if user is None else lambda: user.absolute() / f"__{host.APP_NAME}",
        output_dir=host.default_output_dir if output is None else lambda: output.absolute() / host.APP_NAME,
        comfyui_version="" if base is None else _version_of(base),
        pack_dir=pack,
    )


def _version_of(base: Path) -> str:
    try:
        found = re.search(r'__version__ = "([\w.+-]{1,40})"', (base / "comfyui_version.py").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return ""
    return found[1] if found else ""
