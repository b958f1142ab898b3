"""The clock of payers' change: what nobody has touched for `change_days` expires, in the trees that are open here."""

from __future__ import annotations

from typing import Any

import structlog

from agents.clockwork import BookClock
from schemas.entry import Entry
from streams.clock import Clock
from streams.ledger.change_expiry import has_due
from streams.ledger.commands import ChangeDue
from streams.ledger.state import Book
from streams.shards import Shards

log = structlog.get_logger()


class ChangeClock(BookClock):
    """A service of the Faust app. days: the setting `change_days`."""

    look_s = 10.0

    def __init__(self, shards: Shards, clock: Clock, days: int, **kwargs: Any) -> None:
        super().__init__(shards, clock, **kwargs)
        self._days = days

    def due(self, book: Book, now: int) -> ChangeDue | None:
        return ChangeDue(book.id, self._days) if has_due(book, self._days, now) else None

    def done(self, entry: Entry) -> None:
        log.info("change_expired", tree=entry.book, entry=entry.seq, accounts=len(entry.legs))
