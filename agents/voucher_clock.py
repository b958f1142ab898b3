"""The clock of reservations: a voucher that was kept for a payment which did not come in time is for sale again."""

from __future__ import annotations

import structlog

from agents.clockwork import BookClock
from schemas.entry import Entry
from streams.ledger.commands import VoucherDue
from streams.ledger.state import Book
from streams.ledger.vouchers import has_lapsed

log = structlog.get_logger()


class VoucherClock(BookClock):
    """A service of the Faust app."""

    def due(self, book: Book, now: int) -> VoucherDue | None:
        return VoucherDue(book.id) if has_lapsed(book, now) else None

    def done(self, entry: Entry) -> None:
        lapsed = len(entry.voucher.lapsed) if entry.voucher is not None else 0
        log.info("vouchers_lapsed", book=entry.book, entry=entry.seq, reservations=lapsed)
