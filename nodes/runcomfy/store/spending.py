"""What was spent and what a clip will cost, as far as the journal knows."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

from sqlalchemy import Connection, text

from ...errors import SpendLimitError
from ..jobs import LEAST_USD
from ..progress import PriceBound

# The most expensive clip known, 30 seconds of Seedance 2.5 at 1080p: it counts for a clip whose price nobody knows.
DEAREST_USD = 26.4

# A request that may have been charged counts with the best figure there is: the cost, the price expected, the list price.
#
# One that is stamped later than the end of the day was bought while the clock was wrong, or the clock is wrong now. It counts
# as bought today until a job with a higher number (numbers only grow) was begun on an earlier day: then it was too.
SPENT = text("""
    SELECT submitted_at >= :end, SUM(COALESCE(
        cost_usd,
        CASE WHEN expected_usd >= :least_usd THEN expected_usd END,
        list_usd
    ))
    FROM jobs
    WHERE submitted_at >= :start AND (may_be_charged = 1 OR cost_usd > 0) AND (
        submitted_at < :end
        OR id > COALESCE((SELECT id FROM jobs WHERE created_at < :start ORDER BY id DESC LIMIT 1), 0)
    )
    GROUP BY 1
""")


@dataclass(frozen=True, slots=True)
class Period:
    """Seconds since the epoch, the end not included."""

    start: float
    end: float


ALL_TIME = Period(0.0, math.inf)


@dataclass(frozen=True, slots=True)
class Spent:
    """US dollars spent, or perhaps spent.

    Attributes:
        usd: All of it.
        misdated_usd: The part that is stamped later than the end of the period.
    """

    usd: float
    misdated_usd: float


def day_of(now: float) -> Period:
    """The user's calendar day.

    A day goes from the first moment at which its midnight is on the clock (or, where the clocks skip that, the first after
    it) to the same moment of the next day. So each moment belongs to one day, also where clocks go back over midnight and an
    hour of the day before is shown again (PEP 495: `fold=0` is the first of two, and the earlier side of a gap).
    """
    today = dt.datetime.fromtimestamp(now).date()  # noqa: DTZ006 - the user's day
    if now < _start(today):
        today -= dt.timedelta(days=1)
    elif now >= _start(today + dt.timedelta(days=1)):
        today += dt.timedelta(days=1)
    return Period(_start(today), _start(today + dt.timedelta(days=1)))


def _start(day: dt.date) -> float:
    return dt.datetime.combine(day, dt.time()).timestamp()


def spent(connection: Connection, period: Period) -> Spent:
    """What was spent, or perhaps spent, on requests submitted in a period."""
    values = {
        "start": period.start,
        "end": period.end,
        "least_usd": LEAST_USD,
    }
    parts = {bool(is_misdated): float(usd) for is_misdated, usd in connection.execute(SPENT, values)}
    return Spent(usd=sum(parts.values()), misdated_usd=parts.get(True, 0.0))


def over_limit(price: str, today: Spent, max_usd_per_day: float) -> SpendLimitError:
    """Why a clip is not bought; its price in words, such as `about $1.20`."""
    misdated = (
        f" ${today.misdated_usd:.2f} of it is dated in the future: this machine's clock was wrong then, or is wrong now."
        if today.misdated_usd > 0
        else ""
    )
    return SpendLimitError(
        f"This clip ({price}) would go over the daily limit of ${max_usd_per_day:.2f}: ${today.usd:.2f} is "
        f"already spent or under way today.{misdated}",
        remedy="Raise the limit in Settings under RunComfy (or RUNCOMFY_MAX_USD_PER_DAY; 'none' for no limit), or wait until "
        "tomorrow; 'rehearse' is free.",
    )


def counted_usd(expected_usd: float | None, list_usd: float | None) -> float | None:
    """The price that counts: the one expected, or else the highest one known; None where it is not known."""
    return list_usd if expected_usd is None else expected_usd


def check_clip_limit(
    expected_usd: float | None, list_usd: float | None, max_usd_per_clip: float | None, bound: PriceBound
) -> None:
    """Refuse a clip that costs more than the user allows for one, or whose price is not known.

    Args:
        expected_usd: What it is expected to cost.
        list_usd: The highest price known for it; it counts where nothing is expected.
        max_usd_per_clip: What the user allows, or None.
        bound: What the price that counts says of the real one.

    Raises:
        SpendLimitError: It is not to be bought.
    """
    if max_usd_per_clip is None:
        return
    price_usd = counted_usd(expected_usd, list_usd)
    remedy = "Raise the limit in Settings under RunComfy (or RUNCOMFY_MAX_USD_PER_CLIP); 'rehearse' is free."
    if price_usd is None:
        raise SpendLimitError(
            f"The price of this clip is not known, and a limit of ${max_usd_per_clip:.2f} per clip is set.",
            remedy=f"Choose another model. {remedy}",
        )
    if price_usd > max_usd_per_clip + 1e-9:
        raise SpendLimitError(
            f"This clip ({bound.words(price_usd)}) would go over the limit of ${max_usd_per_clip:.2f} per clip.",
            remedy=remedy,
        )
