"""Records as rows, and rows as blocks: pure, so every case is a line in a table."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.alert import Alert, AlertKind, Severity
from schemas.entry import EntryKind
from schemas.ids import ms_instant
from schemas.reject import HEADER_OFFSET, HEADER_PARTITION, HEADER_REASON, HEADER_RECEIVED_AT, HEADER_TOPIC
from sinks.blocks import Pending
from sinks.columns import ALERTS, DIRECTORY_TABLES, ENTRIES, LEGS, PAYMENT_STATES, REJECTS, Table
from sinks.rows import Place, Row, alert_row, directory_row, entry_row, leg_rows, payment_rows, reject_row
from tests.sink_builders import NOON, PAID, Bookkeeper, facts

HERE = Place(partition=3, offset=41, appended_at=NOON + 7)


def named(table: Table, row: Row) -> dict[str, Any]:
    """A row by the names of its columns; fails when it has not as many."""
    return dict(zip(table.names, row, strict=True))


def test_an_entry_has_all_of_its_payment_and_outcome() -> None:
    book = Bookkeeper("A")
    book.hold(facts())
    row = named(ENTRIES, entry_row(HERE, book.post(facts())))
    assert row["partition"] == 3
    assert row["offset"] == 41
    assert row["appended_at"] == NOON + 7
    assert (row["book"], row["entry_seq"], row["kind"], row["at"]) == ("A", 2, "POSTED", NOON)
    assert (row["cause_id"], row["cause_digest"], row["caused_by"]) == ("A-2", "ab" * 16, "kiosk-1:1")
    assert (row["payment_id"], row["number"], row["terminal"]) == ("kiosk-1.1", 1, "kiosk-1")
    assert (row["agent"], row["payer_agent"], row["payee"], row["gateway"]) == ("S", "S", "mobile", "osmp")
    assert row["subscriber"] == {"phone": "9161234567"}
    assert (row["amount"], row["fee"], row["processing"], row["collected"]) == (95_000, 5_000, 950, 100_000)
    assert (row["held"], row["txn"], row["tariff_version"]) == (95_950, 1_000_001, 3)
    assert row["rewards"] == (("agent:S", 950), ("agent:A", 475), ("reward", 475))
    assert (row["made_at"], row["received_at"]) == (NOON - 60_000, NOON)
    assert (row["outcome_step"], row["outcome_verdict"], row["outcome_code"]) == ("pay", "PAID", "0")
    assert (row["provider_ref"], row["outcome_comment"]) == ("prv-1", "thank you")
    assert row["leg_count"] == 7


def test_an_entry_without_a_payment_has_blanks_there() -> None:
    row = named(ENTRIES, entry_row(HERE, Bookkeeper().open_agent("S", overdraft=500)))
    assert row["payment_id"] == row["payee"] == row["outcome_verdict"] == row["record"] == ""
    assert row["amount"] == row["received_at"] == row["leg_count"] == 0
    assert row["subscriber"] == {}
    assert (row["terms_agent"], row["terms_parent"], row["terms_name"]) == ("S", "", "Agent S")
    assert (row["terms_currency"], row["terms_overdraft"], row["terms_funding"]) == ("RUB", 500, "own")


def test_a_directory_entry_has_its_record_as_json() -> None:
    row = named(ENTRIES, entry_row(HERE, Bookkeeper("payees/p").set_record("payees", "p", {"name": "Связь", "n": [1]})))
    assert (row["record_table"], row["record_id"]) == ("payees", "p")
    assert row["record"] == '{"name":"Связь","n":[1]}'


def test_legs_are_numbered_as_they_stand() -> None:
    book = Bookkeeper("A")
    book.hold(facts())
    legs = [named(LEGS, row) for row in leg_rows(HERE, book.post(facts()))]
    assert [leg["leg_no"] for leg in legs] == [1, 2, 3, 4, 5, 6, 7]
    assert {(leg["partition"], leg["offset"], leg["payment_id"], leg["cause_id"]) for leg in legs} == {
        (3, 41, "kiosk-1.1", "A-2")
    }
    second_of_payee = legs[3]
    assert (second_of_payee["account"], second_of_payee["account_kind"]) == ("payee:mobile", "payee")
    assert (second_of_payee["amount"], second_of_payee["seq"], second_of_payee["balance"]) == (-1_900, 2, 93_100)
    assert {leg["account_kind"] for leg in legs} == {"hold", "payee", "fee", "agent", "reward"}
    assert sum(leg["amount"] for leg in legs) == 0


def test_an_entry_without_legs_has_no_leg_rows() -> None:
    assert leg_rows(HERE, Bookkeeper().open_agent("S")) == []


def test_only_entries_about_payments_say_where_a_payment_stands() -> None:
    assert payment_rows(HERE, Bookkeeper().deposit("S", 100)) == []


@pytest.mark.parametrize(
    ("kind", "state", "final_at"),
    [
        (EntryKind.HELD, "HELD", 0),
        (EntryKind.DEFERRED, "HELD", 0),
        (EntryKind.REROUTED, "HELD", 0),
        (EntryKind.SENT, "SENT", 0),
        (EntryKind.UNKNOWN, "UNKNOWN", 0),
        (EntryKind.MANUAL, "MANUAL", 0),
        (EntryKind.POSTED, "POSTED", NOON + 5),
        (EntryKind.VOIDED, "VOIDED", NOON + 5),
        (EntryKind.DECLINED, "DECLINED", NOON + 5),
        (EntryKind.WAITING_FUNDS, "WAITING_FUNDS", 0),
    ],
)
def test_where_a_payment_stands_after_an_entry(kind: EntryKind, state: str, final_at: int) -> None:
    entry = Bookkeeper().entry(kind, payment=facts(), at=NOON + 5, tries=2, deferrals=1, due_at=NOON + 9, outcome=PAID)
    (row,) = (named(PAYMENT_STATES, row) for row in payment_rows(HERE, entry))
    held_at = 0 if kind in (EntryKind.DECLINED, EntryKind.WAITING_FUNDS) else NOON
    assert (row["state"], row["final_at"], row["changed_at"], row["held_at"]) == (state, final_at, NOON + 5, held_at)
    assert (row["tries"], row["deferrals"], row["due_at"]) == (2, 1, NOON + 9)
    assert (row["outcome_verdict"], row["outcome_code"], row["provider_ref"]) == ("PAID", "0", "prv-1")


def test_a_payment_that_held_nothing_has_no_time_of_it() -> None:
    (row,) = payment_rows(HERE, Bookkeeper().decline(facts(held=0)))
    assert named(PAYMENT_STATES, row)["held_at"] == 0


def test_a_reject_keeps_its_bytes_and_its_story() -> None:
    headers = [
        (HEADER_REASON, b"NOT_JWS"),
        (HEADER_TOPIC, b"payments"),
        (HEADER_PARTITION, b"2"),
        (HEADER_OFFSET, b"77"),
        (HEADER_RECEIVED_AT, str(NOON).encode()),
    ]
    row = named(REJECTS, reject_row(HERE, b"\xff", b"\x00\xfe;", headers))
    assert (row["key"], row["value"], row["reason"], row["detail"]) == (b"\xff", b"\x00\xfe;", "NOT_JWS", "")
    assert (row["origin_topic"], row["origin_partition"], row["origin_offset"]) == ("payments", 2, 77)
    assert (row["received_at"], row["appended_at"]) == (NOON, NOON + 7)


def test_an_alert_is_a_row() -> None:
    moment = ms_instant(NOON)
    alert = Alert(kind=AlertKind.REJECT_STORM, subject="payments/3", severity=Severity.INFO, text="It is over.",
                  at=moment, since=ms_instant(NOON - 5_000), count=9, over=True)  # fmt: skip
    row = named(ALERTS, alert_row(HERE, alert))
    assert (row["kind"], row["subject"], row["agent"], row["severity"]) == ("REJECT_STORM", "payments/3", "", "info")
    assert (row["at"], row["since"], row["count"], row["over"]) == (NOON, NOON - 5_000, 9, 1)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (b"12", 12),
        (b"", -1),
        (b"-5", -1),
        (b"\xd9\xa3", -1),  # an Arabic digit
        (b"99999999999", -1),  # more than the column holds
        (b"9" * 5_000, -1),
        (None, -1),
    ],
)
def test_a_header_that_is_no_number_is_no_error(text: bytes | None, number: int) -> None:
    row = named(REJECTS, reject_row(HERE, None, None, [(HEADER_PARTITION, text)]))
    assert row["origin_partition"] == number
    assert (row["origin_offset"], row["received_at"]) == (-1, 0)


@pytest.mark.parametrize(
    ("value", "stored", "deleted"), [(b'{"id":"p"}', b'{"id":"p"}', 0), (None, b"", 1), (b"", b"", 0)]
)
def test_a_tombstone_marks_a_directory_record_deleted(value: bytes | None, stored: bytes, deleted: int) -> None:
    row = named(DIRECTORY_TABLES["payees"], directory_row(HERE, b"p", value))
    assert (row["id"], row["value"], row["deleted"], row["offset"]) == (b"p", stored, deleted, 41)


# --- blocks


def test_a_block_has_only_what_the_table_has_not() -> None:
    pending = Pending(LEGS, 3, after=10)
    pending.add(9, [("old",)], 5, now_s=1.0)
    pending.add(10, [("old",)], 5, now_s=1.0)
    pending.add(11, [], 5, now_s=1.0)
    pending.add(14, [("a",), ("b",)], 5, now_s=2.0)
    pending.add(19, [("c",)], 5, now_s=3.0)
    assert pending.born_s == 2.0
    block = pending.take()
    assert block.rows == [("a",), ("b",), ("c",)]
    assert (block.after, block.first, block.last, block.token) == (10, 14, 19, "legs-3-14-19")


def test_the_next_block_begins_after_the_last() -> None:
    pending = Pending(LEGS, 3, after=-1)
    pending.add(0, [("a",)], 5, now_s=1.0)
    pending.take()
    assert (pending.after, pending.rows, pending.weight) == (0, [], 0)
    pending.add(4, [("b",)], 5, now_s=9.0)
    assert (pending.take().after, pending.born_s) == (0, 9.0)


@pytest.mark.parametrize(
    ("there", "weight_there", "count", "weight", "fits"),
    [
        (0, 0, 500, 10**9, True),  # one record is never cut, however big
        (7, 70, 3, 30, True),
        (7, 70, 4, 30, False),
        (7, 70, 3, 31, False),
    ],
)
def test_a_block_has_a_bound_in_rows_and_in_bytes(
    there: int, weight_there: int, count: int, weight: int, fits: bool
) -> None:
    pending = Pending(LEGS, 0, after=-1)
    pending.add(5, [("x",)] * there, weight_there, now_s=0.0)
    assert pending.fits(count, weight, most_rows=10, most_bytes=100) is fits
