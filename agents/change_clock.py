"""The clock of payers' change: what nobody has touched for `change_days` expires, in the trees that are open here.

It has no memory: what is due follows from the fold. Whoever fires it, the ledger takes each account once.
"""

from __future__ import annotations

from typing import Any

import structlog
from mode import Service

from streams.arrival import Ask
from streams.clock import Clock
from streams.ledger.change_expiry import has_due
from streams.ledger.commands import ChangeDue
from streams.shards import NotOurs, Shards

log = structlog.get_logger()

_LOOK_S = 10.0
_MORE_S = 0.1  # an entry takes so many and no more


class ChangeClock(Service):
    """A service of the Faust app. days: the setting `change_days`."""

    def __init__(self, shards: Shards, clock: Clock, days: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._shards = shards
        self._clock = clock
        self._days = days

    @Service.task
    async def _run(self) -> None:
        while not self.should_stop:
            found = [await self.look(partition) for partition in self._shards.partitions()]
            await self.sleep(_MORE_S if any(found) else _LOOK_S)

    async def look(self, partition: int) -> int:
        """Let expire what is due on the partition, an entry a tree; how many entries it was."""
        state, now = self._shards.state(partition), self._clock.now_ms()
        books = list(state.books.values()) if state is not None else []
        due = [Ask(ChangeDue(book.id, self._days), now) for book in books if has_due(book, self._days, now)]
        if not due:
            return 0
        try:
            entries = await self._shards.decide(partition, due, tenure=self._shards.tenure(partition))
        except NotOurs:
            return 0
        for entry in entries:
            log.info("change_expired", tree=entry.book, entry=entry.seq, accounts=len(entry.legs))
        return len(entries)
