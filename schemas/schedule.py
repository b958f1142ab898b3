"""When a settlement window closes: a cron expression in a time zone."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.cron import Cron, next_moment
from schemas.ids import AgentId, Instant, PayeeId, Wire, instant_ms
from schemas.payee import ZoneName


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
        return next_moment(self.cron, self.time_zone, since)


def schedule_id(tree: str, payee: str | None) -> str:
    return f"{tree}.{payee}" if payee is not None else tree
