"""What a book knows of payers' change beside its balances: when each was touched, and what of it has expired."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.entry import Entry, EntryKind, Leg
from streams.ledger.errors import LedgerCorrupt

Key = tuple[str, str]  # account, currency


@dataclass(slots=True)
class KeptChange:
    """touched: of each account with something on it, when it last moved, ms UTC, oldest first. expired: what went from
    it to `unclaimed` and was not reclaimed, minor units. Changed by `evolve` and images alone.
    """

    touched: dict[Key, int] = field(default_factory=dict)
    expired: dict[Key, int] = field(default_factory=dict)

    def touch(self, leg: Leg, at: int) -> None:
        """The account moved, or its days begin anew. A clock that steps back does not: it would break the order."""
        key = (leg.account, leg.currency)
        self.touched.pop(key, None)
        if leg.balance > 0:
            self.touched[key] = max(at, next(reversed(self.touched.values()), 0))

    def untouched_since(self, before: int) -> Iterator[Key]:
        """Accounts that nobody has touched since before (ms UTC), oldest first."""
        for key, at in self.touched.items():
            if at > before:
                return
            yield key

    def fold(self, entry: Entry, leg: Leg) -> None:
        """A leg of an account of change."""
        self.touch(leg, entry.at)
        key = (leg.account, leg.currency)
        if entry.kind is EntryKind.CHANGE_EXPIRED:
            self.expired[key] = self.expired.get(key, 0) - leg.amount
        elif entry.kind is EntryKind.CHANGE_RECLAIMED and leg.amount > 0:
            left = self.expired.pop(key, 0) - leg.amount
            if left < 0:
                raise LedgerCorrupt(f"book {entry.book} entry {entry.seq}: {-left} more reclaimed than had expired")
            if left:
                self.expired[key] = left
