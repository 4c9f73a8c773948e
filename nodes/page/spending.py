"""What was spent, job by job, as a table for spreadsheets: CSV (RFC 4180). Pure."""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
from collections.abc import Iterable

from ..runcomfy import Job, describe_inputs

COLUMNS = ("time", "job", "model", "state", "inputs", "price_usd", "cost_usd")
# With these, spreadsheets take a cell for a formula: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def table(jobs: Iterable[Job]) -> str:
    """A line for each job: times in UTC (RFC 3339), money in US dollars with a point."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for job in jobs:
        # What is not charged has no price, whatever was expected.
        price = _dollars(job.expected_usd if job.may_be_charged else None)
        words = (_time(job.created_at), job.name, job.model_id, job.state.value, ", ".join(describe_inputs(job.inputs)))
        writer.writerow([*map(harmless, words), price, _dollars(job.cost_usd)])
    return text.getvalue()


def harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def _dollars(amount: float | None) -> str:
    """At least cents, and what is behind them as far as there is any; empty for what is not an amount."""
    if amount is None or not math.isfinite(amount) or amount < 0:
        return ""
    whole, _, part = f"{amount:.6f}".partition(".")
    return f"{whole}.{part.rstrip('0'):0<2}"


def _time(seconds: float) -> str:
    try:
        moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (OverflowError, ValueError, OSError):
        return ""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
