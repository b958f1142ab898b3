"""ClickHouse against the ledger, row for row and in both directions."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from clickhouse_connect.driver.client import Client

from console import audit_rows
from console.audit_index import PaymentIndex, facts_fingerprint
from console.audit_ledger import LedgerAudit
from console.audit_reading import Record, read, spans
from console.audit_report import Check
from console.audit_rows import Comparison, Row
from schemas.entry import PaymentFacts
from sinks.warehouse import rows, translated
from streams.settings import Settings
from streams.topics import LEDGER, REJECTS

_LOOK_S = 0.1
_BLOCK_ROWS = 8_192
_PAYMENT_COLUMNS = (
    "payment_id, number, terminal, agent, payee, gateway, subscriber, amount, fee, processing, collected, currency, "
    "txn, tariff_version, payer_agent, held, rewards.account, rewards.amount, toUnixTimestamp64Milli(made_at), "
    "toUnixTimestamp64Milli(received_at), day, chain, tariff_rule, change_to, "
    "change_spent.mark, change_spent.amount, served, routes, rerouted_from, state, offset"
)


@dataclass(slots=True)
class Ends:
    """Offsets up to which the audit goes: by table, by partition, the newest record that makes a row there."""

    tables: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))

    def reached(self, table: str, partition: int, offset: int) -> None:
        self.tables[table][partition] = offset

    def of(self, table: str, partition: int) -> int:
        return self.tables[table].get(partition, -1)


class WarehouseAudit:
    """`client` is connected to the settings' database. Raises WarehouseAway and WarehouseRefused throughout."""

    def __init__(self, settings: Settings, client: Client, partitions: Sequence[int], ends: Ends) -> None:
        self._settings = settings
        self._partitions = partitions
        self._client = client
        self._ends = ends

    def wait(self, wait_s: float) -> str:
        """Wait until the tables have reached the topics' ends; "" when they have, else which have not."""
        deadline = time.monotonic() + wait_s
        while behind := self._behind():
            if time.monotonic() > deadline:
                others = f" and {len(behind) - 1} others" if behind[1:] else ""
                return f"after {wait_s:g} s {behind[0]}{others}"
            time.sleep(_LOOK_S)
        return ""

    def ledger_rows(self, seen: Callable[[int], None]) -> list[Check]:
        """Tables `entries` and `legs`. `seen` is told of every record compared."""
        entries, legs = Check("warehouse.entries"), Check("warehouse.legs")
        for partition in self._partitions:
            end = self._ends.of("entries", partition)
            ours = Comparison(entries, partition, tuple(audit_rows.ENTRY_COLUMNS), 1, self._entries(partition, end))
            their_legs = self._select("legs", audit_rows.LEG_COLUMNS, partition, end, "offset, leg_no")
            ours_legs = Comparison(legs, partition, tuple(audit_rows.LEG_COLUMNS), 2, their_legs)
            for record in self._records(partition, end):
                entry = _json(record)
                if entry is not None:
                    ours.expect(audit_rows.entry_row(record.offset, entry))
                    for row in audit_rows.leg_rows(record.offset, entry):
                        ours_legs.expect(row)
                seen(1)
            ours.end()
            ours_legs.end()
        self._beyond(entries, "entries")
        self._beyond(legs, "legs")
        return [entries, legs]

    def rejects(self) -> Check:
        check = Check("warehouse.rejects")
        end = self._ends.of("rejects", 0)
        found = self._select("rejects", audit_rows.REJECT_COLUMNS, 0, end, "offset")
        comparison = Comparison(check, 0, tuple(audit_rows.REJECT_COLUMNS), 1, found)
        for record in read(self._settings, REJECTS, 0):
            if record.offset > end:
                break
            comparison.expect(audit_rows.reject_row(record))
        comparison.end()
        return check

    def payments(self, index: PaymentIndex) -> Check:
        """View `payments`: one row for each payment, its facts and its state."""
        check = Check("warehouse.payments", len(index))
        seen, moved_on = bytearray(len(index)), 0
        for partition in self._partitions:
            end = self._ends.of("payment_states", partition)
            query = f"SELECT {_PAYMENT_COLUMNS} FROM payments WHERE partition = {{partition:UInt16}}"
            for row in self._stream(query, {"partition": partition}):
                number = index.numbers.get(row[0])
                if row[-1] > end:
                    moved_on += 1
                    if number is not None:
                        seen[number] = 1
                elif wrong := _payment_fault(row, number, index, seen):
                    check.fail(f"payments partition {partition}: payment {row[0]}: {wrong}")
        for number in _zeros(seen):
            check.fail(f"payments partition {index.partition[number]}: payment {index.ids[number]}: missing")
        self._beyond(check, "payment_states")
        check.note = f"{moved_on} moved on while the audit ran" if moved_on else ""
        return check

    def trial_balance(self, ledger: LedgerAudit) -> Check:
        """View `trial_balance`. Books that have moved on since the ledger was read are left out."""
        check = Check("warehouse.trial_balance")
        query = (
            "SELECT book, account_kind, currency, accounts, debit_turnover, credit_turnover, balance FROM trial_balance"
        )
        theirs = {tuple(row[:3]): tuple(map(int, row[3:])) for row in rows(self._client, query)}
        ours = _trial_balance(ledger)
        moved = self._books_moved()
        for key in sorted(key for key in theirs.keys() | ours.keys() if key[0] not in moved):
            check.looked_at += 1
            if theirs.get(key) != ours.get(key):
                check.fail(
                    f"book {key[0]} {key[1]} accounts in {key[2]}: (accounts, debit, credit, balance) is "
                    f"{theirs.get(key)}, should be {ours.get(key)}"
                )
        check.note = f"{len(moved)} books moved on while the audit ran" if moved else ""
        return check

    def _behind(self) -> list[str]:
        """Which tables have not reached where they must be, and how far they are."""
        behind: list[str] = []
        for table, ends in self._ends.tables.items():
            marks = self._marks(table)
            behind += [
                f"{table} partition {partition} is at offset {marks.get(partition, -1)} of {end}"
                for partition, end in ends.items()
                if marks.get(partition, -1) < end
            ]
        return behind

    def _marks(self, table: str) -> dict[int, int]:
        """Partition -> highest offset."""
        found = rows(self._client, f"SELECT partition, max(offset) FROM {table} GROUP BY partition")
        return {int(partition): int(offset) for partition, offset in found}

    def _beyond(self, check: Check, table: str) -> None:
        """Rows of partitions or offsets that the ledger does not have at all."""
        marks = self._marks(table)
        there = spans(self._settings, LEDGER)  # asked after the table, which can only be behind
        for partition, offset in sorted(marks.items()):
            end = there[partition].end if partition in there else 0
            if offset >= end:
                check.fail(f"{table} partition {partition} has offset {offset}; the ledger there ends before {end}")

    def _books_moved(self) -> set[str]:
        query = "SELECT DISTINCT book FROM entries WHERE partition = {partition:UInt16} AND offset > {end:Int64}"
        return {
            str(book)
            for partition in self._partitions
            for (book,) in rows(
                self._client, query, {"partition": partition, "end": self._ends.of("entries", partition)}
            )
        }

    def _records(self, partition: int, end: int) -> Iterator[Record]:
        for record in read(self._settings, LEDGER, partition):
            if record.offset > end:
                return
            yield record

    def _entries(self, partition: int, end: int) -> Iterator[Row]:
        found = self._select("entries", audit_rows.ENTRY_COLUMNS, partition, end, "offset")
        return (audit_rows.entry_found(row) for row in found)

    def _select(self, table: str, columns: Mapping[str, str], partition: int, end: int, order: str) -> Iterator[Row]:
        """Not FINAL: what is physically there twice must be seen twice."""
        query = (
            f"SELECT {', '.join(columns.values())} FROM {table} "
            f"WHERE partition = {{partition:UInt16}} AND offset <= {{end:Int64}} ORDER BY {order}"
        )
        return self._stream(query, {"partition": partition, "end": end})

    def _stream(self, query: str, parameters: Mapping[str, Any]) -> Iterator[Row]:
        settings = {"max_block_size": _BLOCK_ROWS}
        with translated(), self._client.query_row_block_stream(query, dict(parameters), settings=settings) as blocks:
            for block in blocks:
                yield from block


def _json(record: Record) -> dict[str, Any] | None:
    """None: not an entry, which ledger.readable has said already; the table must not have it."""
    try:
        entry = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        return None
    return entry if isinstance(entry, dict) and "cause" in entry else None


def _payment_fault(row: Row, number: int | None, index: PaymentIndex, seen: bytearray) -> str:
    if number is None:
        return "not on the ledger"
    if seen[number]:
        return "there more than once"
    seen[number] = 1
    *facts, served, routes, left, state, offset = row
    *plain, accounts, amounts, made_at, received_at, day, chain, rule, change_to, marks, parts = facts
    # In the order of PaymentFacts; the types are as the view's columns have them. held_at is in no row of it: 0.
    shares = tuple(zip(accounts, amounts, strict=True))
    spent = tuple(zip(marks, parts, strict=True))
    values: list[Any] = [
        *plain,
        shares,
        made_at,
        received_at,
        day,
        chain,
        rule,
        0,
        change_to,
        spent,
        served,
        routes,
        left,
    ]
    if facts_fingerprint(PaymentFacts(*values)) != index.facts[number]:
        return "its facts differ"
    if state != index.state_of(number):
        return f"state is {state}, should be {index.state_of(number)}"
    return f"is of offset {offset}, should be {index.last[number]}" if offset != index.last[number] else ""


def _zeros(seen: bytearray) -> Iterator[int]:
    number = seen.find(0)
    while number >= 0:
        yield number
        number = seen.find(0, number + 1)


def _trial_balance(ledger: LedgerAudit) -> dict[tuple[str, ...], tuple[int, ...]]:
    """(book, kind of account, currency) -> accounts, debit turnover, credit turnover, balance."""
    sums: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for (book, account, currency), statement in ledger.statements.items():
        line = sums[book, account.partition(":")[0], currency]
        line[0] += 1
        line[1] += statement.debit
        line[2] += statement.total + statement.debit
        line[3] += statement.total
    return {key: tuple(line) for key, line in sums.items()}
