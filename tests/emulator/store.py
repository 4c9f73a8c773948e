"""Requests on disk, so that charges survive a restart of the emulator."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from .backend import Request
from .timeline import State

if TYPE_CHECKING:
    from pathlib import Path


def load_requests(path: Path) -> list[Request]:
    """The requests of an earlier process; none if there was none."""
    if not path.exists():
        return []
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [Request(**{**row, "state": State(row["state"]), "end": State(row["end"])}) for row in rows]


def save_requests(path: Path, requests: list[Request]) -> None:
    """Writes all requests, whole or not at all."""
    rows = [{**asdict(request), "state": request.state.value, "end": request.end.value} for request in requests]
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(rows, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
