"""What a book knows of payers' change beside its balances: when each was touched, and what of it has expired."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.change import ChangeNote
from schemas.entry import Entry, EntryKind, Leg
from streams.ledger.errors import LedgerCorrupt

Key = tuple[str, str]  # account, currency


@dataclass(slots=True)
class KeptChange:
    """touched: of each account with something on it, when it last moved, ms UTC, oldest first. expired: what went from
    it to `unclaimed` and was not reclaimed, minor units. blocked: accounts that nothing leaves. Changed by `evolve` and
    images alone.
    """

    touched: dict[Key, int] = field(default_factory=dict)
    expired: dict[Key, int] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)

    def touch(self, key: Key, balance: int, at: int) -> None:
        """The account moved, or its days begin anew. A clock that steps back does not: it would break the order."""
        self.touched.pop(key, None)
        if balance > 0:
            self.touched[key] = max(at, next(reversed(self.touched.values()), 0))

    def untouched_since(self, before: int) -> Iterator[Key]:
        """Accounts that nobody has touched since before (ms UTC) and nobody has blocked, oldest first."""
        for key, at in self.touched.items():
            if at > before:
                return
            if key[0] not in self.blocked:
                yield key

    def fold(self, entry: Entry, leg: Leg) -> None:
        """A leg of an account of change."""
        key = (leg.account, leg.currency)
        self.touch(key, leg.balance, entry.at)
        if entry.kind is EntryKind.CHANGE_EXPIRED:
            self.expired[key] = self.expired.get(key, 0) - leg.amount
        elif entry.kind is EntryKind.CHANGE_RECLAIMED and leg.amount > 0:
            left = self.expired.pop(key, 0) - leg.amount
            if left < 0:
                raise LedgerCorrupt(f"book {entry.book} entry {entry.seq}: {-left} more reclaimed than had expired")
            if left:
                self.expired[key] = left

    def note(self, entry: Entry, note: ChangeNote) -> None:
        """An account is blocked, or let go: then its days begin anew, since nobody could have come for it."""
        if entry.kind is EntryKind.CHANGE_BLOCKED:
            self.blocked.add(note.account)
        elif entry.kind is EntryKind.CHANGE_UNBLOCKED:
            self.blocked.discard(note.account)
            for key in [key for key in self.touched if key[0] == note.account]:
                self.touch(key, 1, entry.at)
