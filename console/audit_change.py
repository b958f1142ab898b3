"""Payers' own money, checked from the entries alone: what is kept for them is never less than nothing."""

from __future__ import annotations

from console.audit_ledger import where
from console.audit_report import Check
from schemas.entry import Entry, EntryKind, PaymentFacts


class ChangeAudit:
    """Sees every entry once. kept: (book, account, currency) -> minor units, as added up here."""

    def __init__(self) -> None:
        self.check = Check("ledger.change")
        self.kept: dict[tuple[str, str, str], int] = {}

    def see(self, partition: int, offset: int, entry: Entry) -> None:
        for leg in entry.legs:
            if leg.account.startswith("change:"):
                self.check.looked_at += 1
                key = (entry.book, leg.account, leg.currency)
                self.kept[key] = kept = self.kept.get(key, 0) + leg.amount
                if kept < 0:
                    self.check.fail(f"{where(partition, offset, entry)}: {leg.account} has {kept} {leg.currency}")


def due_to_payer(kind: EntryKind, facts: PaymentFacts, moved: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """What the payer must be credited by an entry about this payment: cash that was taken is never nowhere.

    A declined one credits all of it, or nothing where its agent has no such money: then it must move nothing at all.
    """
    price, spent = facts.amount + facts.fee, sum(amount for _, amount in facts.spent)
    amounts = {
        EntryKind.HELD: max(0, facts.collected - (price - spent)),
        EntryKind.VOIDED: price - spent,
        EntryKind.DECLINED: facts.collected if moved else 0,
    }
    amount = amounts.get(kind, 0) if facts.collected else 0
    change = f"change:{facts.change_to}" if facts.change_to else f"change:payment:{facts.id}"
    back = [(f"change:{mark}", part) for mark, part in facts.spent] if kind is EntryKind.VOIDED else []
    return [(f"agent:{facts.payer_agent}", -amount - sum(part for _, part in back)), *back, (change, amount)]


def spent_wrongly(kind: EntryKind, facts: PaymentFacts) -> str | None:
    """What is wrong with the change that a payment says it spent, if anything: it and the cash are amount and fee."""
    if not facts.spent:
        return None
    if kind is EntryKind.DECLINED or kind is EntryKind.WAITING_FUNDS:
        return "spends change, and is not held"
    price, spent = facts.amount + facts.fee, sum(amount for _, amount in facts.spent)
    if min(amount for _, amount in facts.spent) <= 0 or len(dict(facts.spent)) < len(facts.spent):
        return f"spends change as {facts.spent}"
    if spent > price or 0 < facts.collected < price - spent:
        return f"has {spent} of change and {facts.collected} of cash for {price}"
    return None


def is_pay_out(moved: list[tuple[str, int]]) -> bool:
    """An agent's money grew by what a payer's change became less."""
    match sorted(moved):
        case [(agent, amount), (change, taken)]:
            return agent.startswith("agent:") and change.startswith("change:") and amount > 0 and taken == -amount
    return False
