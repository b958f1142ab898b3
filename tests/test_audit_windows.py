"""The audit of settlement windows: sound ones pass, and every way of breaking one is named by the right check."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from console.audit_ledger import LedgerAudit
from console.audit_payments import PaymentAudit
from console.audit_windows import WindowAudit
from schemas.entry import Entry, EntryKind
from streams.ledger.state import State
from tests.audit_ledgers import rechained
from tests.builders import AT, a_deposit, a_place, a_settle, close_window, decided, open_agent, window_due

CHAIN, COMPLETE, SETTLED, ZERO = "windows.chain", "windows.complete", "windows.settled", "windows.zero"


def a_ledger() -> list[Entry]:
    """Two payments and what closed around them: mobile 1 by the timer, the tree's 1, mobile 2 by hand, the tree's 2."""
    state = State(0)
    commands = (
        open_agent("A"),
        open_agent("S", "A"),
        a_deposit("S", 500_000),
        a_place(number=1),
        a_settle("kiosk-1.1"),
        window_due("mobile"),
        window_due(),
        a_place(number=2),
        a_settle("kiosk-1.2"),
        close_window("mobile", 2),
        window_due(number=2),
    )
    return [decided(state, command, AT + n) for n, command in enumerate(commands)]


def failed(entries: Iterable[Entry]) -> set[str]:
    ledger, payments = LedgerAudit(), PaymentAudit()
    windows = WindowAudit(ledger)
    for offset, entry in enumerate(entries):
        ledger.see(0, offset, entry)
        payments.see(0, offset, entry)
        windows.see(0, offset, entry)
    checks = (*windows.checks(), *payments.checks(ledger))
    return {check.name for check in checks if not check.passed}


def closing(entries: list[Entry], subject: str, number: int) -> int:
    return next(
        n
        for n, one in enumerate(entries)
        if one.window and (one.window.subject, one.window.number) == (subject, number)
    )


def changed(subject: str, which: int, /, **changes: Any) -> list[Entry]:
    """The ledger with this window altered."""
    entries = a_ledger()
    at = closing(entries, subject, which)
    entry = entries[at]
    assert entry.window is not None
    entries[at] = replace(entry, window=replace(entry.window, **changes))
    return entries


def moved(subject: str, which: int, place: int, /, **changes: Any) -> list[Entry]:
    """The ledger with one position of this window altered."""
    entries = a_ledger()
    window = entries[closing(entries, subject, which)].window
    assert window is not None
    positions = list(window.positions)
    positions[place] = replace(positions[place], **changes)
    return changed(subject, which, positions=tuple(positions))


def test_sound_windows_pass():
    assert failed(a_ledger()) == set()


@pytest.mark.parametrize(
    ("entries", "checks"),
    [
        (changed("mobile", 2, number=3), {CHAIN}),
        (changed("mobile", 2, first_entry=1), {CHAIN}),
        (changed("", 2, last_entry=2), {CHAIN}),
        (changed("", 2, opened_at=0), {CHAIN}),
        (moved("mobile", 2, 0, first=3), {CHAIN, COMPLETE}),
        (moved("mobile", 2, 0, opening=7), {CHAIN, COMPLETE}),
        (moved("mobile", 1, 0, last=2), {CHAIN, COMPLETE}),
        (moved("mobile", 1, 0, settled=93_099), {SETTLED}),
        (moved("mobile", 1, 0, account="payee:water"), {SETTLED, COMPLETE, CHAIN}),
        (moved("", 2, 0, closing=1), {COMPLETE, ZERO}),
        (moved("", 2, 0, opening=1), {CHAIN, ZERO}),
        (changed("mobile", 2, positions=()), {COMPLETE, SETTLED}),
    ],
)
def test_a_broken_window_fails_exactly_these_checks(entries, checks):
    assert failed(entries) == checks


def test_a_payee_that_is_paid_less_than_its_window_is_found():
    entries = a_ledger()
    at = closing(entries, "mobile", 2)
    less = [replace(leg, amount=leg.amount - 1 if leg.amount > 0 else leg.amount + 1) for leg in entries[at].legs]
    entries[at] = replace(entries[at], legs=tuple(less))
    assert SETTLED in failed(rechained(entries))


def test_a_window_closed_twice_is_found():
    entries = a_ledger()
    at = closing(entries, "", 2)
    assert CHAIN in failed([*entries, replace(entries[at], seq=entries[at].seq + 1)])


def test_a_closing_without_a_window_is_found():
    entries = a_ledger()
    at = closing(entries, "", 2)
    assert entries[at].kind is EntryKind.WINDOW_CLOSED
    assert failed([*entries[:at], replace(entries[at], window=None)]) == {CHAIN}
