"""The clock of reservations: a voucher that was kept for a payment which did not come in time is for sale again.

It has no memory: what is over follows from the fold. Whoever fires it, the ledger takes each reservation back once.
"""

from __future__ import annotations

from typing import Any

import structlog
from mode import Service

from streams.arrival import Ask
from streams.clock import Clock
from streams.ledger.commands import VoucherDue
from streams.ledger.vouchers import has_lapsed
from streams.shards import NotOurs, Shards

log = structlog.get_logger()

_LOOK_S = 1.0
_MORE_S = 0.1  # an entry takes so many and no more


class VoucherClock(Service):
    """A service of the Faust app."""

    def __init__(self, shards: Shards, clock: Clock, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._shards = shards
        self._clock = clock

    @Service.task
    async def _run(self) -> None:
        while not self.should_stop:
            found = [await self.look(partition) for partition in self._shards.partitions()]
            await self.sleep(_MORE_S if any(found) else _LOOK_S)

    async def look(self, partition: int) -> int:
        """Let lapse what is over on the partition, an entry a product; how many entries it was."""
        state, now = self._shards.state(partition), self._clock.now_ms()
        books = list(state.books.values()) if state is not None else []
        due = [Ask(VoucherDue(book.id), now) for book in books if has_lapsed(book, now)]
        if not due:
            return 0
        try:
            entries = await self._shards.decide(partition, due, tenure=self._shards.tenure(partition))
        except NotOurs:
            return 0
        for entry in entries:
            lapsed = len(entry.voucher.lapsed) if entry.voucher is not None else 0
            log.info("vouchers_lapsed", book=entry.book, entry=entry.seq, reservations=lapsed)
        return len(entries)
