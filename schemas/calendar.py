"""Which day it is somewhere."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo

from schemas.ids import ms_instant

_MINUTE_MS = 60_000


def day_of(at: int, zone: str) -> str:
    """The calendar day of a moment (ms UTC) in an IANA time zone: "2026-11-24". Raises ZoneInfoNotFoundError."""
    return _day_of_minute(at // _MINUTE_MS, zone)


@lru_cache(maxsize=4096)
def _day_of_minute(minute: int, zone: str) -> str:
    """Days begin on a whole minute in every zone, and many payments are of one minute."""
    return ms_instant(minute * _MINUTE_MS).astimezone(ZoneInfo(zone)).date().isoformat()
