"""Billing periods by name: "2026-11" is a month, "2026-W48" an ISO week, "2026-11-24" a day. Of one kind they sort.

Days are ISO texts, as schemas.calendar has them.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Literal

PeriodKind = Literal["month", "week", "day"]

_DAY = timedelta(days=1)
_WEEK = 7 * _DAY


def kind_of(period: str) -> PeriodKind:
    """What kind of period has this name."""
    if "W" in period:
        return "week"
    return "month" if len(period) == len("2026-11") else "day"


def period_of(day: str, kind: PeriodKind) -> str:
    """The period a day lies in. Raises ValueError when that is no day."""
    return _period_of(date.fromisoformat(day), kind)


def first_day(period: str) -> str:
    """Raises ValueError when that is no period's name."""
    return _begins(period).isoformat()


@lru_cache(maxsize=4096)
def following(period: str) -> str:
    """The next one."""
    kind, begins = kind_of(period), _begins(period)
    if kind == "month":
        return _period_of(begins + 31 * _DAY, kind)
    return _period_of(begins + (_WEEK if kind == "week" else _DAY), kind)


@lru_cache(maxsize=4096)
def earlier(period: str, count: int) -> str:
    """The one that many periods before."""
    for _ in range(count):
        period = _period_of(_begins(period) - _DAY, kind_of(period))
    return period


def _period_of(day: date, kind: PeriodKind) -> str:
    match kind:
        case "month":
            return day.isoformat()[:7]
        case "week":
            year, week, _ = day.isocalendar()
            return f"{year:04}-W{week:02}"
        case "day":
            return day.isoformat()


@lru_cache(maxsize=4096)
def _begins(period: str) -> date:
    match kind_of(period):
        case "month":
            return date.fromisoformat(f"{period}-01")
        case "week":
            return date.fromisocalendar(int(period[:4]), int(period[6:]), 1)
        case "day":
            return date.fromisoformat(period)
