"""The settlement clock: closes the windows of the trees that are open here when their schedule says so.

It has no memory of its own. When a window closes next follows from the directory and the fold, so a worker that takes
a partition over goes on where the one before it stopped, and a moment that passed while nobody was there is kept late,
once. Whoever asks, the ledger closes a window by its number and so at most once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog

from agents.clockwork import RecordClock
from schemas.entry import Entry
from schemas.schedule import Schedule
from streams.ledger.commands import WindowDue

log = structlog.get_logger()


class SettlementClock(RecordClock[Schedule]):
    """A service of the Faust app."""

    def records(self) -> Iterable[Schedule]:
        """Payees' before trees': where both close at one moment, the tree's window has what its payees were paid."""
        return sorted(self._directory.schedules.values(), key=lambda one: one.payee is None)

    def book_of(self, record: Schedule) -> str:
        return record.tree

    def done(self, record: Schedule, entries: Sequence[Entry]) -> None:
        for entry in entries:
            window = entry.window.number if entry.window is not None else 0
            log.info("window_closed", tree=entry.book, payee=record.payee or "", window=window, entry=entry.seq)

    def due(self, record: Schedule, partition: int, now: int) -> Sequence[WindowDue]:
        """The window that is to be closed now (ms UTC); none: it is not time, or not our tree."""
        state = self._shards.state(partition)
        book = state.books.get(record.tree) if state is not None else None
        if book is None or not book.agents or record.is_paused:
            return ()
        subject = record.payee or ""
        window = book.window(subject)
        moment = record.next_after(window.opened_at)
        return [WindowDue(record.tree, subject, window.number, moment)] if moment <= now else ()
