"""Alerts about registries: one is not delivered (REGISTRY_LATE), or the payee does not answer (REGISTRY_UNANSWERED).

Each of a payee: how many registries it is about is in the text.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.alert import Alert, AlertKind, Severity
from schemas.ids import ms_instant
from schemas.registry import REGISTRIES
from streams.ledger.registry_state import RegistryUnderWay
from streams.ledger.state import State
from streams.open_alerts import OpenAlerts


def registries_late(opened: OpenAlerts, state: State, at: int, undelivered_ms: int, unanswered_ms: int) -> list[Alert]:
    """Begins and ends of both kinds; at: ms UTC."""
    late: dict[str, list[RegistryUnderWay]] = {}
    silent: dict[str, list[RegistryUnderWay]] = {}
    for payee, registry in _under_way(state):
        if not registry.delivered_at and at - registry.cut.until >= undelivered_ms:
            late.setdefault(payee, []).append(registry)
        elif registry.delivered_at and at - registry.delivered_at >= unanswered_ms:
            silent.setdefault(payee, []).append(registry)
    return [
        *_told(opened, AlertKind.REGISTRY_LATE, {one: _late(one, found, at) for one, found in late.items()}, at),
        *_told(
            opened, AlertKind.REGISTRY_UNANSWERED, {one: _silent(one, found, at) for one, found in silent.items()}, at
        ),
    ]


def _under_way(state: State) -> Iterator[tuple[str, RegistryUnderWay]]:
    for book in state.books.values():
        if book.registries is not None:
            for registry in book.registries.under_way.values():
                yield book.id.removeprefix(REGISTRIES), registry


def _told(opened: OpenAlerts, kind: AlertKind, now: dict[str, Alert], at: int) -> list[Alert]:
    alerts = [opened.begin(alert) for payee, alert in now.items() if opened.find(kind, payee) is None]
    for begun in list(opened.of(kind)):
        if begun.subject not in now:
            what = "undelivered" if kind is AlertKind.REGISTRY_LATE else "without an answer"
            alerts.append(
                opened.end(begun, f"no registry of payee {begun.subject} is {what} for too long any more", at)
            )
    return alerts


def _late(payee: str, found: list[RegistryUnderWay], at: int) -> Alert:
    minutes = (at - found[0].cut.until) // 60_000
    text = (
        f"{len(found)} registries of payee {payee} are not delivered; the oldest, {found[0].number}, was cut "
        f"{minutes:,} minutes ago"
    )
    return _alert(AlertKind.REGISTRY_LATE, payee, Severity.CRITICAL, text, at, len(found))


def _silent(payee: str, found: list[RegistryUnderWay], at: int) -> Alert:
    days, lines = (at - found[0].delivered_at) // 86_400_000, sum(len(one.lines) for one in found)
    text = (
        f"payee {payee} has not answered {lines:,} lines of {len(found)} registries; the oldest, {found[0].number}, "
        f"was delivered {days:,} days ago"
    )
    return _alert(AlertKind.REGISTRY_UNANSWERED, payee, Severity.WARNING, text, at, lines)


def _alert(kind: AlertKind, payee: str, severity: Severity, text: str, at: int, count: int) -> Alert:
    moment = ms_instant(at)
    return Alert(kind=kind, subject=payee, severity=severity, text=text, at=moment, since=moment, count=count)
