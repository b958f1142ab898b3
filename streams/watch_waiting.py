"""Alerts about cash that is in the box while its payment waits for an agent's money: WAITING_FUNDS_LONG.

Of the agent whose money it is, not of a payment: who has none lets all of them wait.
"""

from __future__ import annotations

from schemas.alert import Alert, AlertKind, Severity
from schemas.contact import contact_id
from schemas.entry import PaymentFacts
from schemas.ids import ms_instant
from streams.ledger.state import State
from streams.open_alerts import OpenAlerts

_KIND = AlertKind.WAITING_FUNDS_LONG


def long_waiting(opened: OpenAlerts, state: State, at: int, after_ms: int) -> list[Alert]:
    """Begins and ends: payments received `after_ms` ago that are WAITING_FUNDS at `at`; both ms (UTC)."""
    late = _late(state, at - after_ms)
    alerts = [
        opened.begin(_waits(*whose, payments, at))
        for whose, payments in late.items()
        if opened.find(_KIND, contact_id(*whose)) is None
    ]
    still = {contact_id(*whose) for whose in late}
    for begun in opened.of(_KIND):
        if begun.subject not in still:
            text = f"no payment waits too long for the money of agent {begun.agent} of tree {begun.tree} any more"
            alerts.append(opened.end(begun, text, at))
    return alerts


def _late(state: State, until: int) -> dict[tuple[str, str], list[PaymentFacts]]:
    """By tree and payer, what was received by then and still waits; oldest first."""
    late: dict[tuple[str, str], list[PaymentFacts]] = {}
    for book in state.waiting.books():
        for payer, currency in state.waiting.payers(book):
            for payment in state.waiting.of(book, payer, currency):
                facts = state.open[payment].facts
                if facts is None or facts.received_at > until:
                    break  # who came later waits for less
                late.setdefault((book, payer), []).append(facts)
    for payments in late.values():  # of several currencies
        payments.sort(key=lambda facts: facts.received_at)
    return late


def _waits(tree: str, payer: str, payments: list[PaymentFacts], at: int) -> Alert:
    oldest = payments[0]
    minutes = (at - oldest.received_at) // 60_000
    return Alert(
        kind=_KIND,
        subject=contact_id(tree, payer),
        agent=payer,
        severity=Severity.WARNING,
        text=f"{len(payments):,} payments whose cash was taken wait for the money of agent {payer} of tree {tree}; "
        f"the oldest is {oldest.id}, received {minutes:,} minutes ago",
        at=ms_instant(at),
        since=ms_instant(at),
        count=len(payments),
        tree=tree,
    )
