"""What was spent and what a clip will cost, as far as the journal knows."""

from __future__ import annotations

import datetime as dt
import sqlite3

from .answers import CatalogueEntry

# A request that may have been charged counts with the best figure there is: the cost, the price expected, the list price.
SPENT = """
    SELECT COALESCE(SUM(COALESCE(cost_usd, expected_usd, list_usd)), 0) FROM jobs
    WHERE submitted_at >= :since AND (may_be_charged = 1 OR cost_usd > 0)
"""


def day_start(now: float) -> float:
    """The beginning of the user's calendar day, seconds since the epoch."""
    midnight = dt.datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)  # noqa: DTZ006 - the user's day
    return midnight.timestamp()


def spent_usd(connection: sqlite3.Connection, since: float) -> float:
    """US dollars spent, or perhaps spent, on requests submitted since then."""
    row = connection.execute(SPENT, {"since": since}).fetchone()
    return float(row[0])


def expected_usd(entry: CatalogueEntry | None, length_s: float) -> float | None:
    """What a clip of so many seconds costs by the catalogue's base price, or None where it cannot say.

    The base price knows nothing of sizes: what the user last paid for the same kind of clip is the better guide.
    """
    if entry is None or entry.base_price_usd is None:
        return None
    if entry.price_unit == "second":
        return entry.base_price_usd * length_s if length_s else None
    return entry.base_price_usd if entry.price_unit in ("output", "video") else None
