"""Cash in terminals, checked from the entries alone: what should have been in each is added up anew. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from console.audit_ledger import where
from console.audit_report import Check
from schemas.cash import Collection
from schemas.entry import Entry, EntryKind, PaymentFacts

_UNSIGNED = frozenset({"dispatch", "funds", "timer"})


@dataclass(slots=True)
class _Box:
    """What payments put in since the collection before, minor units; how many there were; the first entry since."""

    expected: int = 0
    collections: int = 0
    since: int = 1


class CashAudit:
    """Sees every entry once, each partition in its order."""

    def __init__(self) -> None:
        self.check = Check("cash.collections")
        self._boxes: dict[tuple[str, str, str, str], _Box] = {}  # book, terminal, agent, currency

    def see(self, partition: int, offset: int, entry: Entry) -> None:
        if entry.payment is not None:
            self._put_in(entry, entry.payment)
        if (entry.kind is EntryKind.CASH_COLLECTED) != (entry.cash is not None):
            self.check.fail(f"{where(partition, offset, entry)}: names {'a' if entry.cash else 'no'} collection")
        elif entry.cash is not None:
            self.check.looked_at += 1
            for wrong in self._wrong(entry, entry.cash):
                self.check.fail(f"{where(partition, offset, entry)}: terminal {entry.cash.terminal} {wrong}")

    def _put_in(self, entry: Entry, facts: PaymentFacts) -> None:
        if amount := _put_in(entry, facts):
            box = self._boxes.setdefault((entry.book, facts.terminal, facts.agent, facts.currency), _Box())
            box.expected += amount

    def _wrong(self, entry: Entry, found: Collection) -> list[str]:
        key = (entry.book, found.terminal, found.agent, found.currency)
        box = self._boxes.get(key)
        if box is None:
            box = self._boxes[key] = _Box()
            return [f"never took {found.currency} for agent {found.agent}"]
        counted = sum(worth * pieces for worth, pieces in found.denominations)
        should = {
            "number": box.collections + 1,
            "expected": box.expected,
            "counted": counted,
            "shortage": box.expected - counted,
            "first_entry": box.since,
            "last_entry": entry.seq,
        }
        wrong = [
            f"says {name} {getattr(found, name)}, should be {value}"
            for name, value in should.items()
            if getattr(found, name) != value
        ]
        box.expected, box.collections, box.since = 0, found.number, entry.seq + 1
        moved = [(leg.account, leg.currency, leg.amount) for leg in entry.legs]
        due = _due(found)
        return wrong if moved == due else [*wrong, f"should move {due}, moved {moved}"]


def _put_in(entry: Entry, facts: PaymentFacts) -> int:
    """Collected with the order, and kept; or handed to the cashier once the payee has the payment. Minor units."""
    if facts.collected == 0:
        by_change = sum(amount for _, amount in facts.spent)
        return max(0, facts.amount + facts.fee - by_change) if entry.kind is EntryKind.POSTED else 0
    at_receipt = entry.cause.id == facts.id and entry.cause.by not in _UNSIGNED
    if at_receipt and entry.kind in (EntryKind.HELD, EntryKind.WAITING_FUNDS):
        return facts.collected
    if at_receipt and entry.kind is EntryKind.DECLINED:
        return sum(leg.amount for leg in entry.legs if leg.account.startswith("change:"))
    return 0


def _due(found: Collection) -> list[tuple[str, str, int]]:
    """Out of the terminal what should be in it, and back what was: its shortage stays."""
    moves = []
    for amount in (-found.expected, found.counted):
        if amount:
            moves.append((f"cash:{found.terminal}", found.currency, amount))
            moves.append((f"cash-taken:{found.agent}", found.currency, -amount))
    return moves
