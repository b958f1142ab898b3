"""Another gateway is asked only about a payment of which nothing can have been sent: from the entries alone. Pure."""

from __future__ import annotations

from typing import NamedTuple

from console.audit_index import PaymentIndex
from console.audit_ledger import where
from console.audit_report import Check
from schemas.entry import Entry, EntryKind, PaymentFacts
from schemas.outcome import Verdict


class _Route(NamedTuple):
    gateway: str
    others: tuple[str, ...]
    before: tuple[str, ...]


class RouteAudit:
    """Sees every entry about a payment, in its order. What a payment may still go by is told by its entries."""

    def __init__(self, index: PaymentIndex) -> None:
        self.check = Check("payments.routes")
        self._index = index
        self._last: dict[int, _Route] = {}  # of payments that have a choice

    def see(self, partition: int, offset: int, entry: Entry, facts: PaymentFacts, number: int, state: str) -> None:
        """state: the payment's before this entry; "": it is new."""
        is_move = entry.kind is EntryKind.REROUTED
        if not (facts.routes or facts.rerouted_from or is_move):
            return
        self.check.looked_at += 1
        now, last = _Route(facts.gateway, facts.routes, facts.rerouted_from), self._last.get(number)
        if (wrong := _wrong_move(entry, state, last, now) if is_move else _wrong_rest(last, now)) is not None:
            self.check.fail(f"{where(partition, offset, entry)}: payment {facts.id} {wrong}")
        self._last[number] = now
        self._index.gateway[number] = self._index.gateways.number(facts.gateway)


def _wrong_rest(last: _Route | None, now: _Route) -> str | None:
    if last is None:
        return "was rerouted before it began" if now.before else None
    return None if now == last else f"went by gateway {last.gateway}, and now by {now.gateway}"


def _wrong_move(entry: Entry, state: str, last: _Route | None, now: _Route) -> str | None:
    outcome = entry.outcome
    if state != "HELD" or entry.tries or entry.legs or last is None:
        return f"is rerouted when it is {state or 'not known'}, after {entry.tries} tries"
    never_left = outcome is not None and outcome.verdict is Verdict.NOT_SENT
    was_check = outcome is not None and outcome.step == "check"
    if outcome is None or not (never_left or was_check) or outcome.verdict in (Verdict.PAID, Verdict.CHECKED):
        return "is rerouted, and the payee may have been paid"
    if now.gateway not in last.others or last.gateway not in now.before or not set(last.before) <= set(now.before):
        return f"went by gateway {last.gateway}, and is rerouted to {now.gateway}"
    if not set(now.others) <= {*last.others, last.gateway} - {now.gateway}:
        return "got a route that it had not"
    return None
