"""The receipt of a clip: what was bought, as a JSON file beside it. It is never in the way of the clip."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
import math
from pathlib import Path
from typing import Any

from .files import read_text, write_whole
from .foreign_text import unsigned
from .jobs import Job

DIGEST = "sha256"
logger = logging.getLogger("runcomfy.sora2pro.receipts")


def keep_receipt(job: Job) -> None:
    """Write the receipt of a clip that is on this disk, unless it is there already and still true.

    One that cannot be written is a line in the log, and is written when the clip is delivered next.
    """
    if job.path is None or not job.has_whole_file:
        return
    path = receipt_path(job.path)
    try:
        document = receipt_of(job, saved_at=job.path.stat().st_mtime)
        if _stored(path) == document:
            return
        with job.path.open("rb") as clip:
            digest = hashlib.file_digest(clip, DIGEST).hexdigest()
        write_whole(path, json.dumps({**document, DIGEST: digest}, indent=2, ensure_ascii=False) + "\n")
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        logger.warning(
            "The receipt %s could not be written (%s); the clip is safe. It is tried again when the clip is delivered next.",
            path,
            reason,
        )


def receipt_path(clip: Path) -> Path:
    """Where the receipt of a clip is: `<clip>.json`."""
    return clip.with_suffix(".json")


def receipt_of(job: Job, *, saved_at: float) -> dict[str, Any]:
    """What a receipt says, but for the digest of the file: times in UTC (RFC 3339), money in US dollars, no signed address.

    Args:
        job: Downloaded.
        saved_at: When its file was last written, in seconds since the epoch.
    """
    return {
        "clip": None if job.path is None else job.path.name,
        "job": job.name,
        "request_id": job.request_id,
        "model": job.model_id,
        "prompt": unsigned(job.prompt),
        "inputs": _plain(dict(job.inputs)),
        # Of a request that was made elsewhere only the id is known. A seed has more digits than many readers of JSON keep.
        "seed": None if job.is_imported else str(job.take),
        "created_at": _time(job.created_at),
        "submitted_at": _time(job.submitted_at),
        "started_at": _time(job.started_at),
        "completed_at": _time(job.completed_at),
        "saved_at": _time(saved_at),
        "cost_usd": _plain(job.cost_usd),
        "bytes": job.file_bytes,
    }


def _stored(path: Path) -> dict[str, Any] | None:
    """What the receipt that is there says, but for the digest; None where there is none that can be read."""
    try:
        document = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.pop(DIGEST, None) is None:
        return None
    return document


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A value without the queries of addresses, which may be signatures, and without what JSON has no number for."""
    if isinstance(value, dict):
        return {unsigned(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return unsigned(value) if isinstance(value, str) else value


def _time(seconds: float | None) -> str | None:
    """A moment as RFC 3339 writes it; None for none, and for one that no calendar has."""
    try:
        moment = None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return None if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")
