"""The settlement clock: closes the windows of the trees that are open here when their schedule says so.

It has no memory of its own. When a window closes next follows from the directory and the fold, so a worker that takes
a partition over goes on where the one before it stopped, and a moment that passed while nobody was there is kept late,
once. Whoever asks, the ledger closes a window by its number and so at most once.
"""

from __future__ import annotations

from typing import Any

import structlog
from mode import Service

from schemas.schedule import Schedule
from streams.arrival import Ask
from streams.clock import Clock
from streams.directory import Directory
from streams.ledger.commands import WindowDue
from streams.partitioner import partition_of
from streams.shards import NotOurs, Shards

log = structlog.get_logger()

_LOOK_S = 1.0


class SettlementClock(Service):
    """A service of the Faust app."""

    def __init__(self, directory: Directory, shards: Shards, clock: Clock, partitions: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._directory = directory
        self._shards = shards
        self._clock = clock
        self._partitions = partitions

    @Service.task
    async def _run(self) -> None:
        while not self.should_stop:
            for schedule in list(self._directory.schedules.values()):
                await self._look_at(schedule)
            await self.sleep(_LOOK_S)

    async def _look_at(self, schedule: Schedule) -> None:
        partition, now = partition_of(schedule.tree, self._partitions), self._clock.now_ms()
        due = self.due(schedule, partition, now)
        if due is None:
            return
        try:
            entries = await self._shards.decide(partition, [Ask(due, now)], tenure=self._shards.tenure(partition))
        except NotOurs:
            return
        for entry in entries:
            log.info("window_closed", tree=entry.book, payee=due.subject, window=due.number, entry=entry.seq)

    def due(self, schedule: Schedule, partition: int, now: int) -> WindowDue | None:
        """The window that is to be closed now (ms UTC); None: it is not time, or not our tree."""
        state = self._shards.state(partition)
        book = state.books.get(schedule.tree) if state is not None else None
        if book is None or not book.agents or schedule.is_paused:
            return None
        subject = schedule.payee or ""
        window = book.window(subject)
        moment = schedule.next_after(window.opened_at)
        if moment > now:
            return None
        return WindowDue(schedule.tree, subject, window.number, moment)
