"""When a settlement window closes: a cron expression in a time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field, StringConstraints

from schemas.ids import AgentId, Instant, PayeeId, Wire, instant_ms, ms_instant
from schemas.payee import ZoneName

_FIELDS = 5


def _is_cron(text: str) -> str:
    """Five fields and no more: a window that closes every second would be a ledger of nothing else."""
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


class Schedule(Wire):
    """Directory record, topic `schedules`, key: "<tree>" or "<tree>.<payee>"; ids have no dot.

    When a local time is skipped or comes twice in a night, the window closes once: as Debian's cron has it.
    """

    tree: AgentId
    payee: Annotated[PayeeId | None, Field(description="none: the window of the tree's own accounts")] = None
    cron: Annotated[Cron, Field(description="minute hour day month weekday, in the time zone")]
    time_zone: ZoneName = "UTC"
    is_paused: Annotated[bool, Field(description="the window stays open until somebody closes it")] = False
    set_at: Annotated[Instant | None, Field(description="the ledger's to give: no moment before it counts")] = None

    @property
    def id(self) -> str:
        return schedule_id(self.tree, self.payee)

    def next_after(self, at: int) -> int:
        """The first moment of the schedule later than `at` and than the schedule itself; both ms UTC."""
        since = max(at, instant_ms(self.set_at)) if self.set_at is not None else at
        return _next(self.cron, self.time_zone, since)


def schedule_id(tree: str, payee: str | None) -> str:
    return f"{tree}.{payee}" if payee is not None else tree


@lru_cache(maxsize=4096)
def _next(cron: str, time_zone: str, since: int) -> int:
    """Asked every second about every schedule, and the answer changes when a window closes."""
    moments = CronSim(cron, ms_instant(since).astimezone(ZoneInfo(time_zone)))
    return next((instant_ms(moment) for moment in moments), since + _NEVER_MS)


_NEVER_MS = int(timedelta(days=50 * 365).total_seconds()) * 1000
