"""The proofs about a loaded ledger find every fault, and the ledger can be read back row for row."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from schemas.entry import Entry
from sinks import checks
from sinks.blocks import Block
from sinks.columns import ENTRIES, LEGS, PAYMENT_STATES
from sinks.comparing import LedgerRow, ledger_rows
from sinks.inserts import Inserter
from sinks.rows import Place, entry_row, leg_rows, payment_rows
from sinks.warehouse import rows
from tests.sink_builders import Bookkeeper, facts
from tests.sink_loading import load_entries

pytest_plugins = ["tests.sink_fixtures"]
pytestmark = pytest.mark.integration


def a_sound_book() -> Bookkeeper:
    book = Bookkeeper("A")
    book.open_agent("S")
    book.deposit("S", 1_000_000)
    book.pay(facts(1))
    book.hold(facts(2))
    book.hold(facts(3))
    book.void(facts(3))
    book.decline(facts(4, held=0))
    book.hold(facts(5, currency="KZT"))
    return book


def faults(client: Client) -> dict[str, int]:
    """How many faults each check finds, where it finds any."""
    found = {
        "chains": len(checks.broken_chains(client)),
        "unbalanced": len(checks.unbalanced_entries(client)),
        "totals": sum(total.total != 0 for total in checks.totals(client)),
        "holds": len(checks.hold_mismatches(client)),
        "books": len(checks.book_gaps(client)),
        "incomplete": len(checks.incomplete_entries(client)),
        "stale": len(checks.stale_payments(client)),
        "duplicates": len(checks.physical_duplicates(client)),
    }
    return {name: count for name, count in found.items() if count}


def test_a_sound_ledger_has_no_faults(client: Client) -> None:
    load_entries(client, a_sound_book().entries)
    assert faults(client) == {}
    assert [(total.currency, total.legs, total.total) for total in checks.totals(client)] == [
        ("KZT", 2, 0),
        ("RUB", 17, 0),
    ]


def _leg_changed(entries: list[Entry], at: int, leg: int, **changes: Any) -> list[Entry]:
    legs = list(entries[at].legs)
    legs[leg] = replace(legs[leg], **changes)
    return [*entries[:at], replace(entries[at], legs=tuple(legs)), *entries[at + 1 :]]


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda e: _leg_changed(e, 3, 4, balance=1), {"chains": 2}),  # this leg, and the next after it
        (lambda e: _leg_changed(e, 3, 1, amount=95_001), {"chains": 1, "unbalanced": 1, "totals": 1}),
        (lambda e: _leg_changed(e, 3, 2, seq=2), {"chains": 1}),
        (lambda e: [*e[:2], *e[4:]], {"chains": 2, "books": 1}),  # lost: a payment's entries
        (lambda e: [*e, e[-1]], {"chains": 2, "holds": 1, "books": 1}),  # decided twice
        (lambda e: [*e[:6], replace(e[6], legs=()), *e[7:]], {"holds": 1}),  # voided, and the hold not released
    ],
    ids=["balance", "amount", "seq", "lost", "twice", "hold kept"],
)
def test_every_fault_is_found(client: Client, spoil: Any, found: dict[str, int]) -> None:
    load_entries(client, spoil(a_sound_book().entries))
    assert faults(client) == found


def test_rows_missing_in_one_table_are_found(client: Client) -> None:
    entries = a_sound_book().entries
    load_entries(client, entries)
    client.command("ALTER TABLE legs DELETE WHERE offset = 3 AND leg_no = 7 SETTINGS mutations_sync = 1")
    client.command("ALTER TABLE payment_states DELETE WHERE offset = 3 SETTINGS mutations_sync = 1")
    (incomplete,) = checks.incomplete_entries(client)
    assert (incomplete.offset, incomplete.legs_due, incomplete.legs) == (3, 7, 6)
    (stale,) = checks.stale_payments(client)
    assert (stale.payment_id, stale.state_offset, stale.entry_offset) == ("kiosk-1.1", -1, 3)


def test_a_book_on_two_partitions_is_found(client: Client) -> None:
    entries = a_sound_book().entries
    load_entries(client, entries[:2], partition=0)
    load_entries(client, entries[2:], partition=1)
    (gap,) = checks.book_gaps(client)
    assert (gap.book, gap.partitions, gap.entries, gap.last_seq) == ("A", 2, 9, 9)


def test_doubled_rows_are_found_and_hidden_from_readers(client: Client) -> None:
    entries = a_sound_book().entries
    load_entries(client, entries)
    views = ("payments ORDER BY payment_id", "agent_statement", "trial_balance", "payee_day")
    before = [rows(client, f"SELECT * FROM {view}") for view in views]
    blind = Inserter(client, threading.Event())
    again = [(Place(0, n, e.at), e) for n, e in enumerate(entries[:4])]
    blind.send(Block(ENTRIES, 0, -1, 0, 3, [entry_row(place, entry) for place, entry in again]))
    blind.send(Block(LEGS, 0, -1, 1, 3, [row for place, entry in again for row in leg_rows(place, entry)]))
    blind.send(
        Block(PAYMENT_STATES, 0, -1, 1, 3, [row for place, entry in again for row in payment_rows(place, entry)])
    )
    assert [rows(client, f"SELECT * FROM {view}") for view in views] == before
    assert faults(client) == {"duplicates": 2}
    assert [(d.table, d.partition, d.rows - d.distinct) for d in checks.physical_duplicates(client)] == [
        ("entries", 0, 4),
        ("legs", 0, 11),
    ]


# --- the ledger read back


def test_the_warehouse_gives_the_ledger_back_row_for_row(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sinks.comparing.STEP", 13)
    entries = a_sound_book().entries
    load_entries(client, entries[:5], partition=2, first_offset=10)
    load_entries(client, entries[5:], partition=2, first_offset=100)  # a gap, as transactions leave them
    offsets = [*range(10, 15), *range(100, 104)]
    assert list(ledger_rows(client, 2)) == [LedgerRow.of(o, e) for o, e in zip(offsets, entries, strict=True)]
    assert list(ledger_rows(client, 7)) == []


def test_legs_without_an_entry_are_not_passed_over(client: Client) -> None:
    entries = a_sound_book().entries
    load_entries(client, entries)
    client.command("ALTER TABLE entries DELETE WHERE offset = 2 SETTINGS mutations_sync = 1")
    orphan = list(ledger_rows(client, 0))[2]
    assert (orphan.offset, orphan.book, orphan.kind, len(orphan.legs)) == (2, "", "", 2)
