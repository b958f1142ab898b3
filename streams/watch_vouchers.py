"""Alerts about vouchers: few of a denomination are left to sell (LOW_STOCK)."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.alert import Alert, AlertKind, Severity
from schemas.entry import Entry
from schemas.ids import ms_instant
from schemas.money import Money
from schemas.payee import Payee, StockLevel
from schemas.voucher import VOUCHERS, stock_book
from streams.ledger.state import State
from streams.open_alerts import OpenAlerts

_KIND = AlertKind.LOW_STOCK


class Stocks:
    """LOW_STOCK begins below the payee's threshold for the denomination and is over a tenth above it.

    What is reserved, blocked or expired is not left to sell. A product that never had a batch here is not watched.
    """

    def __init__(self, opened: OpenAlerts, payees: Mapping[str, Payee]) -> None:
        """payees: by id, kept up to date by whoever gives it."""
        self._open = opened
        self._payees = payees

    def entry(self, state: State, entry: Entry) -> list[Alert]:
        """After an entry in a product's book."""
        table, _, payee = entry.book.partition("/")
        return self._product(state, payee, entry.at) if table == VOUCHERS else []

    def look(self, state: State, at: int) -> list[Alert]:
        """After thresholds were changed, or a batch expired; at: ms UTC."""
        watched = [one.id for one in list(self._payees.values()) if one.low_stock]
        begun = [alert.subject.rpartition("/")[0] for alert in self._open.of(_KIND)]
        alerts = []
        for payee in dict.fromkeys([*watched, *begun]):
            alerts += self._product(state, payee, at)
        return alerts

    def _product(self, state: State, payee: str, at: int) -> list[Alert]:
        book = state.books.get(stock_book(payee))
        if book is None or book.stock is None:
            return []
        on_file = self._payees.get(payee)
        levels = {_subject(payee, one.denomination): one for one in on_file.low_stock} if on_file is not None else {}
        alerts = []
        for subject, level in levels.items():
            begun, left = self._open.find(_KIND, subject), book.stock.left(level.denomination, at)
            if begun is None and left < level.below and on_file is not None:
                alerts.append(self._open.begin(_low(on_file, level, left, at)))
            elif begun is not None and left >= level.below + max(1, level.below // 10):
                alerts.append(self._open.end(begun, f"{left} vouchers of {subject} are for sale again", at, left))
        for begun in self._open.of(_KIND):
            if begun.subject not in levels and begun.subject.rpartition("/")[0] == payee:
                alerts.append(self._open.end(begun, f"the stock of {begun.subject} is not watched any more", at))
        return alerts


def _subject(payee: str, denomination: int) -> str:
    return f"{payee}/{denomination}"


def _low(payee: Payee, level: StockLevel, left: int, at: int) -> Alert:
    face = Money(level.denomination, payee.currency)
    return Alert(
        kind=_KIND,
        subject=_subject(payee.id, level.denomination),
        severity=Severity.CRITICAL if not left else Severity.WARNING,
        text=f"{left} vouchers of {face} {payee.currency} are left of {payee.id}; below {level.below} is few",
        at=ms_instant(at),
        since=ms_instant(at),
        count=left,
    )
