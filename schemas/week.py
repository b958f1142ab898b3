"""The week on a wall: its minutes from Monday's first to Sunday's last, in some time zone. Pure integers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import StringConstraints

DAY = 1_440
WEEK = 7 * DAY
MINUTE_MS = 60_000

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# "24:00" is the end of the day.
ClockTime = Annotated[str, StringConstraints(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]


def clock_minute(time: str) -> int:
    """ "18:30" as minutes since midnight."""
    return int(time[:2]) * 60 + int(time[3:])


def minutes_of(weekdays: Iterable[Weekday], begins: int, ends: int) -> list[tuple[int, int]]:
    """The stretches [first, end) of the week, 0 to WEEK, that a band of minutes of the day covers on these weekdays.

    A band that ends before it begins goes over midnight, and belongs to the weekday on which it began.
    """
    length = (ends - begins - 1) % DAY + 1
    found = []
    for weekday in weekdays:
        first = WEEKDAYS.index(weekday) * DAY + begins
        found.append((first, min(first + length, WEEK)))
        if first + length > WEEK:
            found.append((0, first + length - WEEK))
    return found


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def week_minute(at: int, zone: str) -> int:
    """Which minute of the week it is there at this instant (ms UTC)."""
    there = datetime.fromtimestamp(at // 1000, _zone(zone))
    return there.weekday() * DAY + there.hour * 60 + there.minute


def offset_ms(at: int, zone: str) -> int:
    """How far the zone's clocks are ahead of UTC at this instant (ms UTC)."""
    ahead = datetime.fromtimestamp(at // 1000, _zone(zone)).utcoffset()
    assert ahead is not None
    return (ahead.days * 86_400 + ahead.seconds) * 1000


def wall_time(at: int, zone: str) -> str:
    """The instant (ms UTC) as people there read it: Fri 2026-01-02 18:00 Europe/Moscow."""
    there = datetime.fromtimestamp(at // 1000, _zone(zone))
    return f"{WEEKDAYS[there.weekday()].capitalize()} {there:%Y-%m-%d %H:%M} {zone}"
