"""The journal from the command line: `python -m nodes.journal copy`, in the pack's folder."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from . import host
from .errors import ConfigurationError, RunComfyError
from .packages import packages_named
from .runcomfy import CopyDirection, copy_journal, resolve_journal_url, resolve_state_dir


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m nodes.journal", description="The journal of the RunComfy nodes.")
    copy = parser.add_subparsers(dest="command", required=True).add_parser(
        "copy",
        help="copy all jobs between this machine's journal and PostgreSQL",
        description="Copy all jobs between the journal in the state folder and the one at RUNCOMFY_JOURNAL_URL. Stop every "
        "ComfyUI that uses them first. It can be run again at any time: no job is duplicated.",
    )
    copy.add_argument("--to", type=CopyDirection, choices=list(CopyDirection), required=True, help="where the jobs go")
    copy.add_argument("--dry-run", action="store_true", help="only say what would be done")
    copy.add_argument("--state-dir", type=Path, help="the state folder, if RUNCOMFY_STATE_DIR does not name it")
    chosen = parser.parse_args(arguments)
    try:
        with packages_named():
            state_dir = chosen.state_dir or resolve_state_dir(os.environ, _default_state_dir)
            print(copy_journal(state_dir, _journal_url(), chosen.to, is_dry_run=chosen.dry_run))  # noqa: T201 - the report
    except RunComfyError as error:
        print(error, file=sys.stderr)  # noqa: T201 - as above
        return 1
    return 0


def _journal_url() -> str:
    url = resolve_journal_url(os.environ)
    if not url:
        raise ConfigurationError(
            "RUNCOMFY_JOURNAL_URL is not set.",
            remedy="Set it to postgresql+psycopg://user@host/database, then try again.",
        )
    return url


def _default_state_dir() -> Path:
    """The folder of the ComfyUI that this pack is installed in, also before its first run; outside of one, the platform's."""
    base = host.comfyui_around(Path(__file__).resolve().parents[1])
    return host.default_state_dir() if base is None else base / "user" / f"__{host.APP_NAME}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
