"""Payments whose cash was taken while the agent lacked funds: first come, first held. From the entries alone."""

from __future__ import annotations

from console.audit_ledger import where
from console.audit_report import Check
from schemas.entry import Entry, EntryKind, PaymentFacts


class WaitingAudit:
    """Sees every entry about a payment once, each partition in its order."""

    def __init__(self) -> None:
        self.check = Check("payments.waiting")
        self._lines: dict[tuple[str, str, str], list[str]] = {}  # book, payer, currency -> payments, oldest first

    def see(self, partition: int, offset: int, entry: Entry, facts: PaymentFacts) -> None:
        purse = (entry.book, facts.payer_agent, facts.currency)
        line = self._lines.get(purse)
        if entry.kind is EntryKind.WAITING_FUNDS:
            self._lines.setdefault(purse, []).append(facts.id)
            self.check.looked_at += 1
        elif line and (entry.kind is EntryKind.HELD or (entry.kind is EntryKind.DECLINED and entry.legs)):
            self.check.looked_at += 1
            by_hand = entry.kind is EntryKind.DECLINED and entry.cause.id != facts.id  # a person may take any out
            if line[0] != facts.id and not by_hand:
                self.check.fail(
                    f"{where(partition, offset, entry)}: payment {facts.id} had the money of "
                    f"{facts.payer_agent}, for which {line[0]} waited before"
                )
            if facts.id in line:
                line.remove(facts.id)

    def give(self, partition: int, offset: int, entry: Entry) -> None:
        """An agent's money was transferred or withdrawn: nobody whose cash was taken may have waited for it."""
        for leg in entry.legs:
            line = self._lines.get((entry.book, leg.account.removeprefix("agent:"), leg.currency))
            if line and leg.amount < 0:
                self.check.looked_at += 1
                self.check.fail(
                    f"{where(partition, offset, entry)}: {-leg.amount} left {leg.account}, for which {line[0]} waited"
                )
