"""Payers' own money, checked from the entries alone: none is less than nothing, expires early or moves when blocked."""

from __future__ import annotations

from collections.abc import Iterator

from console.audit_ledger import where
from console.audit_report import Check
from schemas.entry import Entry, EntryKind, Leg, PaymentFacts

_DAY_MS = 86_400_000

Key = tuple[str, str, str]


class ChangeAudit:
    """Sees every entry once. kept, expired: (book, account, currency) -> minor units, as added up here."""

    def __init__(self) -> None:
        self.check = Check("ledger.change")
        self.kept: dict[Key, int] = {}
        self.expired: dict[Key, int] = {}
        self._touched: dict[Key, int] = {}  # ms UTC
        self._blocked: set[tuple[str, str]] = set()  # book, account

    def see(self, partition: int, offset: int, entry: Entry) -> None:
        if entry.kind is EntryKind.CHANGE_BLOCKED or entry.kind is EntryKind.CHANGE_UNBLOCKED:
            self._stand(partition, offset, entry)
        for leg in entry.legs:
            if leg.account.startswith("change:"):
                self.check.looked_at += 1
                for wrong in self._wrong(entry, leg):
                    self.check.fail(f"{where(partition, offset, entry)}: {leg.account} {wrong}")

    def _stand(self, partition: int, offset: int, entry: Entry) -> None:
        """Blocked, or not any more: its days begin anew then."""
        self.check.looked_at += 1
        account = entry.change.account if entry.change is not None else ""
        one, blocks = (entry.book, account), entry.kind is EntryKind.CHANGE_BLOCKED
        keys = [key for key in self.kept if key[:2] == one]
        if (one in self._blocked) == blocks or not keys:
            self.check.fail(f"{where(partition, offset, entry)}: {account or 'nothing'} was so, or is no change")
        if blocks:
            self._blocked.add(one)
        else:
            self._blocked.discard(one)
            self._touched |= dict.fromkeys(keys, entry.at)

    def _wrong(self, entry: Entry, leg: Leg) -> Iterator[str]:
        key = (entry.book, leg.account, leg.currency)
        before = self._touched.get(key, entry.at)
        self._touched[key] = entry.at
        self.kept[key] = kept = self.kept.get(key, 0) + leg.amount
        if kept < 0:
            yield f"has {kept} {leg.currency}"
        if leg.amount < 0 and key[:2] in self._blocked:
            yield f"moved {leg.amount} {leg.currency} while it was blocked"
        if entry.kind is EntryKind.CHANGE_EXPIRED:
            self.expired[key] = self.expired.get(key, 0) - leg.amount
            days = entry.change.days if entry.change is not None else 0
            if days < 1 or entry.at - before < days * _DAY_MS or entry.cause.by != "timer":
                yield f"expired by {entry.cause.by} after {(entry.at - before) / _DAY_MS:g} of {days} days"
            if kept:
                yield f"expired, and {kept} {leg.currency} are left on it"
        elif entry.kind is EntryKind.CHANGE_RECLAIMED and leg.amount > 0:
            self.expired[key] = left = self.expired.get(key, 0) - leg.amount
            if left < 0:
                yield f"was reclaimed, {-left} {leg.currency} more than had expired of it"


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


def is_expiry(moved: list[tuple[str, int]]) -> bool:
    """Accounts of change were emptied, and what was on them is on `unclaimed`, a line for each currency."""
    taken = [amount for account, amount in moved if account.startswith("change:")]
    given = [amount for account, amount in moved if account == "unclaimed"]
    return len(taken) + len(given) == len(moved) and all(amount < 0 for amount in taken) and sum(given) == -sum(taken)


def is_reclaim(moved: list[tuple[str, int]]) -> bool:
    """From `unclaimed` through the payer's change to an agent who gave as much cash."""
    match moved:
        case [("unclaimed", taken), (change, back), (again, out), (agent, amount)]:
            is_through = change == again and change.startswith("change:") and agent.startswith("agent:")
            return is_through and -taken == back == -out == amount > 0
    return False


def is_pay_out(moved: list[tuple[str, int]]) -> bool:
    """An agent's money grew by what a payer's change became less."""
    match sorted(moved):
        case [(agent, amount), (change, taken)]:
            return agent.startswith("agent:") and change.startswith("change:") and amount > 0 and taken == -amount
    return False
