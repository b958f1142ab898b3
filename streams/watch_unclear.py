"""Alerts about payments of which nobody knows for too long: PAYMENT_UNKNOWN_LONG, and when they grow old
PAYMENT_UNKNOWN_OLD.

Each of a partition and a gateway, not of a payment: a payee that is away for an hour is one thing to know.
"""

from __future__ import annotations

from typing import NamedTuple

from schemas.alert import Alert, AlertKind, Severity
from schemas.entry import EntryKind
from schemas.ids import ms_instant
from streams.ledger.state import State
from streams.open_alerts import OpenAlerts

_UNCLEAR = frozenset(
    {EntryKind.SENT, EntryKind.UNKNOWN, EntryKind.MANUAL, EntryKind.REVERSING, EntryKind.REVERSAL_MANUAL}
)
_IN_REVERSAL = frozenset({EntryKind.REVERSING, EntryKind.REVERSAL_MANUAL})
# An hour is for the morning, a day is for now: so many times as long.
_OLD = 24


class _Step(NamedTuple):
    kind: AlertKind
    severity: Severity
    after_ms: int
    too_long: str


class _Waiting(NamedTuple):
    payment: str
    since: int


class Unclear:
    """One partition's."""

    def __init__(self, opened: OpenAlerts) -> None:
        self._open = opened
        self._reversals: dict[str, int] = {}  # since when a payment was seen to be in a reversal, ms UTC

    def look(self, state: State, at: int, after_ms: int) -> list[Alert]:
        """Begins and ends at `at`: by the age of what is SENT, UNKNOWN or MANUAL since its receipt, and of a reversal
        since it was first seen here; both ms (UTC).
        """
        reversals: dict[str, int] = {}
        by_subject: dict[str, list[_Waiting]] = {}
        for payment in state.open.values():
            if payment.state not in _UNCLEAR or payment.facts is None:
                continue
            since = payment.facts.received_at
            if payment.state in _IN_REVERSAL:
                since = reversals[payment.id] = self._reversals.get(payment.id, payment.at)
            if at - since >= after_ms:
                subject = f"{payment.facts.gateway}/{state.partition}"
                by_subject.setdefault(subject, []).append(_Waiting(payment.id, since))
        self._reversals = reversals
        steps = (
            _Step(AlertKind.PAYMENT_UNKNOWN_LONG, Severity.WARNING, after_ms, "too long"),
            _Step(AlertKind.PAYMENT_UNKNOWN_OLD, Severity.CRITICAL, after_ms * _OLD, f"{_OLD} times too long"),
        )
        return [alert for step in steps for alert in _told(self._open, step, by_subject, at)]


def _told(opened: OpenAlerts, step: _Step, by_subject: dict[str, list[_Waiting]], at: int) -> list[Alert]:
    late = {subject: [one for one in all if at - one.since >= step.after_ms] for subject, all in by_subject.items()}
    alerts = [
        opened.begin(_unclear(step, subject, payments, at))
        for subject, payments in late.items()
        if payments and opened.find(step.kind, subject) is None
    ]
    for begun in opened.of(step.kind):
        if not late.get(begun.subject):
            gateway, _, partition = begun.subject.rpartition("/")
            text = f"no payment of gateway {gateway} on partition {partition} is open {step.too_long} any more"
            alerts.append(opened.end(begun, text, at))
    return alerts


def _unclear(step: _Step, subject: str, payments: list[_Waiting], at: int) -> Alert:
    gateway, _, partition = subject.rpartition("/")
    oldest = min(payments, key=lambda one: one.since)
    return Alert(
        kind=step.kind,
        subject=subject,
        severity=step.severity,
        text=f"it is not known what became of {len(payments):,} payments of gateway {gateway} on partition "
        f"{partition}; the oldest is {oldest.payment}, open for {(at - oldest.since) // 60_000:,} minutes",
        at=ms_instant(at),
        since=ms_instant(at),
        count=len(payments),
    )
