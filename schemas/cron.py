"""Moments that come again: a cron expression in a time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field, StringConstraints

from schemas.ids import instant_ms, ms_instant

_FIELDS = 5
_NEVER_MS = int(timedelta(days=50 * 365).total_seconds()) * 1000


def _is_cron(text: str) -> str:
    """Five fields and no more: what happens every second would be a ledger of nothing else."""
    if len(text.split()) != _FIELDS:
        raise ValueError(f"{text!r} is not a cron expression of {_FIELDS} fields: minute hour day month weekday")
    try:
        next(CronSim(text, datetime(2026, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(f"{text!r} is not a cron expression: {error}") from None
    except StopIteration:
        raise ValueError(f"{text!r} is a moment that never comes") from None
    return text


Cron = Annotated[
    str, StringConstraints(min_length=9, max_length=100), AfterValidator(_is_cron), Field(examples=["0 0 * * *"])
]


# Clocks ask about every schedule of their worker each second, in turn: of one more than this, all would be worked out
# anew every time, at a tenth of a millisecond each.
@lru_cache(maxsize=65_536)
def next_moment(cron: str, time_zone: str, since: int) -> int:
    """The first moment later than `since`; both ms UTC.

    When a local time is skipped or comes twice in a night, it comes once: as Debian's cron has it. Clocks ask every
    second, and the answer changes when it has come.
    """
    # In an hour that comes twice CronSim goes by the wall alone: asked in the second, it also names times of the first.
    moments = map(instant_ms, CronSim(cron, ms_instant(since).astimezone(ZoneInfo(time_zone))))
    return next((moment for moment in moments if moment > since), since + _NEVER_MS)
