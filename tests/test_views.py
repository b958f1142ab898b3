"""What analysts and the audit read: views and checks over hand-made ledgers."""

from __future__ import annotations

import itertools
import threading
from datetime import date
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from schemas.entry import Entry, EntryKind
from schemas.ids import ms_instant
from sinks.blocks import Block
from sinks.columns import PAYMENT_STATES
from sinks.inserts import Inserter
from sinks.rows import Place, payment_rows
from sinks.warehouse import rows
from tests.sink_builders import NOON, Bookkeeper, facts
from tests.sink_loading import load_directory, load_entries

pytest_plugins = ["tests.sink_fixtures"]
pytestmark = pytest.mark.integration


def table(client: Client, query: str) -> list[dict[str, Any]]:
    answer = client.query(query)
    return [dict(zip(answer.column_names, row, strict=True)) for row in answer.result_rows]


def payment(client: Client, id: str = "kiosk-1.1") -> dict[str, Any]:
    (found,) = table(client, f"SELECT * FROM payments WHERE payment_id = '{id}'")
    return found


_offsets = itertools.count(0, 100)

# --- payments


def test_a_posted_payment_is_one_row_with_everything_known_of_it(client: Client) -> None:
    book = Bookkeeper()
    entries = [
        book.hold(facts(), at=NOON),
        book.defer(facts(), at=NOON + 1_000),
        book.unclear(facts(), at=NOON + 2_000),
        book.post(facts(), at=NOON + 3_000),
    ]
    for offset, entry in enumerate(entries):
        load_entries(client, [entry], first_offset=offset)
    row = payment(client)
    assert (row["state"], row["refusal"], row["tries"], row["provider_ref"]) == ("POSTED", 0, 1, "prv-1")
    assert (row["outcome_verdict"], row["outcome_code"], row["outcome_step"]) == ("PAID", "0", "pay")
    assert (row["received_at"], row["held_at"]) == (ms_instant(NOON), ms_instant(NOON))
    assert (row["final_at"], row["changed_at"], row["due_at"]) == (
        ms_instant(NOON + 3_000),
        ms_instant(NOON + 3_000),
        None,
    )
    assert row["subscriber"] == {"phone": "9161234567"}
    assert (row["amount"], row["fee"], row["processing"], row["held"]) == (95_000, 5_000, 950, 95_950)
    assert [tuple(share.values()) for share in row["rewards"]] == list(facts().rewards)
    assert (row["book"], row["agent"], row["payer_agent"], row["terminal"]) == ("A", "S", "S", "kiosk-1")


def test_a_reversed_payment_says_when_it_was_posted_and_its_refund_and_keeps_the_payees_number(client: Client) -> None:
    book = Bookkeeper()
    load_entries(client, [*book.pay(facts()), *book.reverse(facts(), NOON + 86_400_000, "change")])
    row = payment(client)
    assert (row["state"], row["refund"], row["provider_ref"]) == ("REVERSED", "change", "prv-1")
    assert (row["posted_at"], row["final_at"]) == (ms_instant(NOON), ms_instant(NOON + 86_400_000))
    assert (row["outcome_step"], row["outcome_verdict"]) == ("cancel", "CANCELLED")


def test_a_payment_whose_payee_kept_it_is_posted_as_before(client: Client) -> None:
    book = Bookkeeper()
    load_entries(client, [*book.pay(facts()), *book.keep(facts(), NOON + 1_000)])
    row = payment(client)
    assert (row["state"], row["refund"], row["provider_ref"]) == ("POSTED", "", "prv-1")
    assert (row["posted_at"], row["final_at"], row["changed_at"]) == (
        ms_instant(NOON), ms_instant(NOON), ms_instant(NOON + 1_000),
    )  # fmt: skip
    assert (row["refusal"], row["reason"]) == (300, "Money was spent")


def test_a_day_has_what_was_reversed_on_it_and_the_day_of_the_payment_stays_as_it_was(client: Client) -> None:
    book = Bookkeeper()
    load_entries(client, [*book.pay(facts(1)), *book.pay(facts(2)), *book.reverse(facts(1), NOON + 86_400_000)])
    days = table(client, "SELECT business_day, payments_count, amount, fee, reversals_count FROM payee_day")
    assert [tuple(day.values()) for day in days] == [
        (date(2026, 3, 12), 2, 190_000, 10_000, 0),
        (date(2026, 3, 13), 0, -95_000, -5_000, 1),
    ]


@pytest.mark.parametrize(
    ("steps", "state", "is_final"),
    [
        (["hold"], "HELD", False),
        (["hold", "defer"], "HELD", False),
        (["hold", "unclear"], "UNKNOWN", False),
        (["hold", "defer", "unclear"], "UNKNOWN", False),
        (["hold", "void"], "VOIDED", True),
        (["decline"], "DECLINED", True),
        (["hold", "unclear", "post"], "POSTED", True),
    ],
)
def test_a_payments_state_is_what_the_last_entry_made_it(
    shared_client: Client, steps: list[str], state: str, is_final: bool
) -> None:
    book = Bookkeeper()
    name = "-".join(steps)
    for step in steps:
        getattr(book, step)(facts(id=name, held=0 if step == "decline" else 95_950))
    load_entries(shared_client, book.entries, first_offset=next(_offsets))
    row = payment(shared_client, name)
    assert row["state"] == state
    assert (row["final_at"] is not None) == is_final
    assert (row["held_at"] is not None) == (steps[0] == "hold")
    assert (row["due_at"] is not None) == (steps[-1] in ("defer", "unclear"))


def test_a_payments_state_never_steps_back_however_its_rows_arrive(client: Client) -> None:
    book = Bookkeeper()
    for entry in (book.hold(facts()), book.unclear(facts()), book.post(facts())):
        load_entries(client, [entry], first_offset=entry.seq)
    _insert_late(client, Bookkeeper().hold(facts()), offset=1)
    for merged in (False, True):
        if merged:
            client.command("OPTIMIZE TABLE payment_states FINAL")
        row = payment(client)
        assert (row["state"], row["offset"], row["provider_ref"]) == ("POSTED", 3, "prv-1")


def _insert_late(client: Client, entry: Entry, offset: int) -> None:
    """Insert an entry's payment state without looking: what a loader does that slept in the middle of an insert."""
    again = payment_rows(Place(0, offset, NOON), entry)
    Inserter(client, threading.Event()).send(Block(PAYMENT_STATES, 0, -1, 0, offset, again))


# --- statements and balances


def test_an_agents_statement_reads_like_a_banks(client: Client) -> None:
    book = Bookkeeper()
    book.deposit("S", 1_000_000)
    book.pay(facts())
    load_entries(client, book.entries)
    lines = table(
        client, "SELECT seq, amount, balance, kind, payment_id, cause_id FROM agent_statement WHERE agent = 'S'"
    )
    assert [tuple(line.values()) for line in lines] == [
        (1, 1_000_000, 1_000_000, "DEPOSITED", "", "A-1"),
        (2, -95_950, 904_050, "HELD", "kiosk-1.1", "A-2"),
        (3, 950, 905_000, "POSTED", "kiosk-1.1", "A-3"),
    ]


def test_the_trial_balance_is_zero_in_every_book_and_currency(client: Client) -> None:
    book, other = Bookkeeper("A"), Bookkeeper("B")
    for keeper in (book, other):
        keeper.deposit("S", 1_000_000)
        keeper.pay(facts(1))
        keeper.hold(facts(2))
    other.hold(facts(3, currency="KZT"))
    load_entries(client, book.entries, partition=0)
    load_entries(client, other.entries, partition=1)
    lines = table(client, "SELECT * FROM trial_balance WHERE book = 'A'")
    assert {
        (line["account_kind"], line["debit_turnover"], line["credit_turnover"], line["balance"]) for line in lines
    } == {
        ("bank", 1_000_000, 0, -1_000_000),
        ("agent", 191_900, 1_001_425, 809_525),
        ("hold", 95_950, 191_900, 95_950),
        ("payee", 1_900, 95_000, 93_100),
        ("fee", 0, 950, 950),
        ("reward", 0, 475, 475),
    }
    sums = table(client, "SELECT book, currency, sum(balance) AS total FROM trial_balance GROUP BY ALL ORDER BY ALL")
    assert [tuple(line.values()) for line in sums] == [("A", "RUB", 0), ("B", "KZT", 0), ("B", "RUB", 0)]


# --- days


def test_a_payees_day_ends_at_its_own_midnight(client: Client) -> None:
    moscow_midnight = 1_773_262_800_000  # 2026-03-12 00:00:00 in Moscow
    load_directory(client, "payees", [(b"mobile", b'{"time_zone":"Europe/Moscow"}')])
    book = Bookkeeper()
    book.pay(facts(1, received_at=moscow_midnight - 1))
    book.pay(facts(2, received_at=moscow_midnight, amount=100, fee=7))
    book.pay(facts(3, received_at=moscow_midnight, payee="unlisted"))
    book.hold(facts(4, received_at=moscow_midnight))
    book.decline(facts(5, received_at=moscow_midnight, held=0))
    load_entries(client, book.entries)
    lines = table(client, "SELECT payee, business_day, currency, payments_count, amount, fee FROM payee_day")
    assert [tuple(line.values()) for line in lines] == [
        ("mobile", date(2026, 3, 11), "RUB", 1, 95_000, 5_000),
        ("mobile", date(2026, 3, 12), "RUB", 1, 100, 7),
        ("unlisted", date(2026, 3, 11), "RUB", 1, 95_000, 5_000),  # in UTC, for want of a zone
    ]


# --- the directory


def test_the_directory_shows_the_newest_record_and_no_deleted_one(client: Client) -> None:
    first = b'{"id":"mobile","name":"Old","gateway":"osmp","currency":"RUB","time_zone":"Asia/Almaty","max_amount":500}'
    second = first.replace(b"Old", b"New")
    load_directory(client, "payees", [(b"mobile", first), (b"gone", first), (b"odd", b"not json")])
    load_directory(client, "payees", [(b"mobile", second), (b"gone", None)], first=3)
    found = table(client, "SELECT id, name, gateway, currency, time_zone, max_amount FROM payees FINAL ORDER BY id")
    assert [tuple(line.values()) for line in found] == [
        ("mobile", "New", "osmp", "RUB", "Asia/Almaty", 500),
        ("odd", "", "", "", "", 0),
    ]


@pytest.mark.parametrize(
    ("name", "value", "columns", "expected"),
    [
        (
            "terminals",
            b'{"id":"t","agent":"S","tree":"A","keys":[{"kid":"t:1"},{"kid":"t:2"}],"address":null}',
            "agent, tree, address, keys",
            ("S", "A", "", ["t:1", "t:2"]),
        ),
        (
            "tariffs",
            b'{"payee":"p","version":4,"fee":{"rate_bps":500},"processing":{"rate_bps":100},"reward":{"rate_bps":200},'
            b'"reward_shares_bps":[5000,2500]}',
            "version, fee_bps, processing_bps, reward_bps, reward_shares_bps",
            (4, 500, 100, 200, [5_000, 2_500]),
        ),
        (
            "gateways",
            b'{"id":"g","protocol":"osmp","url":"https://p.example","time_out_ms":9000,"connections":15}',
            "protocol, url, time_out_ms, connections",
            ("osmp", "https://p.example", 9_000, 15),
        ),
        (
            "contacts",
            b'{"id":"A/S","mail":["a@b.example"],"webhooks":[{"url":"https://b.example","secret":"s"}],"low_balance":5}',
            "mail, webhooks, low_balance",
            (["a@b.example"], ["https://b.example"], 5),
        ),
        ("operators", b'{"id":"o","keys":[{"kid":"o:1"}]}', "keys", (["o:1"],)),
    ],
)
def test_directory_records_are_readable_as_columns(
    shared_client: Client, name: str, value: bytes, columns: str, expected: tuple[Any, ...]
) -> None:
    load_directory(shared_client, name, [(b"x", value)])
    assert rows(shared_client, f"SELECT {columns} FROM {name} FINAL") == [expected]


def test_kinds_that_set_no_state_are_few() -> None:
    """A new payment kind must be looked at: is it a state, or does it leave the state as it was?"""
    assert {kind for kind in EntryKind if kind.value not in _STATES} == {
        EntryKind.DEFERRED,
        EntryKind.REROUTED,
        EntryKind.REVERSAL_REFUSED,  # POSTED again
        EntryKind.AGENT_OPENED,
        EntryKind.LIMIT_SET,
        EntryKind.DEPOSITED,
        EntryKind.CHANGE_PAID_OUT,
        EntryKind.DIRECTORY_SET,
        EntryKind.REFUSED,
        EntryKind.AGENT_BLOCKED,
        EntryKind.AGENT_UNBLOCKED,
        EntryKind.AGENT_CLOSED,
        EntryKind.TRANSFERRED,
        EntryKind.WITHDRAWN,
        EntryKind.AGENT_MOVED,
        EntryKind.WINDOW_CLOSED,
        EntryKind.TRANSFER_SENT,
        EntryKind.TRANSFER_RECEIVED,
        EntryKind.TRANSFER_REJECTED,
        EntryKind.TRANSFER_RETURNED,
        EntryKind.TRANSFER_CONFIRMED,
        EntryKind.CHANGE_EXPIRED,
        EntryKind.CURRENCY_OPENED,
        EntryKind.CHANGE_RECLAIMED,
        EntryKind.EXCHANGED,
        EntryKind.FEE_CHARGED,
        EntryKind.CASH_COLLECTED,
        EntryKind.CHANGE_BLOCKED,
        EntryKind.CHANGE_UNBLOCKED,
        EntryKind.CORRECTION_PROPOSED,
        EntryKind.CORRECTION_DROPPED,
        EntryKind.CORRECTED,
        EntryKind.VOUCHERS_LOADED,
        EntryKind.VOUCHER_BATCH_OPENED,
        EntryKind.VOUCHER_BATCH_DROPPED,
        EntryKind.VOUCHER_BATCH_BLOCKED,
        EntryKind.VOUCHER_BATCH_UNBLOCKED,
        EntryKind.VOUCHER_RESERVED,
        EntryKind.VOUCHER_LAPSED,
        EntryKind.VOUCHER_SOLD,
        EntryKind.VOUCHER_NONE,
        EntryKind.VOUCHER_REPRINTED,
        EntryKind.SUPPLIER_PAID,
        EntryKind.REGISTRY_LINE,
        EntryKind.REGISTRY_CUT,
        EntryKind.REGISTRY_DELIVERED,
        EntryKind.REGISTRY_ANSWERED,
    }


_STATES = {"HELD", "DECLINED", "SENT", "UNKNOWN", "POSTED", "VOIDED", "MANUAL", "WAITING_FUNDS", "QUEUED", "REVERSING",
           "REVERSED", "REVERSAL_MANUAL"}  # fmt: skip
