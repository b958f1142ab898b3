"""Agents' maxima and permitted payees, checked from the entries alone: what was sold is added up anew. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from console.audit_currencies import Purses
from console.audit_ledger import where
from console.audit_report import Check
from schemas.entry import AgentTerms, Entry, EntryKind, PaymentFacts


class LimitAudit:
    """Sees every entry once, each partition in its order."""

    def __init__(self) -> None:
        self._purses = Purses()
        self._days: dict[tuple[str, str], str] = {}  # book, currency -> the last day on which anything was held
        # book, agent, currency, day or month -> minor units
        self._sold: dict[tuple[str, str, str, str], int] = defaultdict(int)
        self._check = Check("agents.limits")

    def see(self, partition: int, offset: int, entry: Entry) -> None:
        if entry.agent is not None:
            self._purses.see(entry.book, entry.agent)
        facts = entry.payment
        if facts is None or entry.kind not in (EntryKind.HELD, EntryKind.VOIDED):
            return
        if entry.kind is EntryKind.HELD:
            self._check.looked_at += 1
            for wrong in self._wrong(entry.book, facts):
                self._check.fail(f"{where(partition, offset, entry)}: payment {facts.id} {wrong}")
        for agent in facts.chain:
            for period in (facts.day, facts.day[:7]):
                counts = facts.amount if entry.kind is EntryKind.HELD else -facts.amount
                self._sold[entry.book, agent, facts.currency, period] += counts

    def checks(self) -> list[Check]:
        return [self._check]

    def _wrong(self, book: str, facts: PaymentFacts) -> Iterator[str]:
        """Before the payment is counted. Of an earlier release's there is no day: nothing was limited then."""
        before = self._days.get((book, facts.currency), "")
        if facts.day < before:
            yield f"is of day {facts.day or 'none'}, after {before}"
        if not facts.day:
            return
        self._days[book, facts.currency] = max(before, facts.day)
        line = self._purses.line(book, facts.agent, facts.currency)
        if [one.agent for one in line] != list(facts.chain):
            yield f"counts for {', '.join(facts.chain) or 'nobody'}, not for {', '.join(one.agent for one in line)}"
        for one in line:
            yield from self._beyond(book, one, facts)

    def _beyond(self, book: str, one: AgentTerms, facts: PaymentFacts) -> Iterator[str]:
        if one.payees and facts.payee not in one.payees:
            yield f"is to {facts.payee}, which is not permitted to agent {one.agent}"
        if one.payment_max is not None and facts.amount > one.payment_max:
            yield f"of {facts.amount} is above agent {one.agent}'s maximum of a payment, {one.payment_max}"
        for period, most in ((facts.day, one.daily_max), (facts.day[:7], one.monthly_max)):
            sold = self._sold[book, one.agent, facts.currency, period] + facts.amount
            if most is not None and sold > most:
                yield f"brings agent {one.agent} to {sold} in {period}, above its maximum of {most}"
