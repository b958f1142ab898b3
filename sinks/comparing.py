"""The loaded ledger beside the ledger itself, row for row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from clickhouse_connect.driver.client import Client

from schemas.entry import Entry
from sinks.warehouse import rows

STEP = 50_000  # offsets read at a time

CanonicalLeg = tuple[str, str, int, int, int]  # account, currency, amount, seq, balance


class LedgerRow(NamedTuple):
    """An entry's identity and money. Equal for a record and the rows made of it, or something is wrong."""

    offset: int
    book: str
    seq: int
    kind: str
    cause_id: str
    legs: tuple[CanonicalLeg, ...]

    @classmethod
    def of(cls, offset: int, entry: Entry) -> LedgerRow:
        legs = tuple((leg.account, leg.currency, leg.amount, leg.seq, leg.balance) for leg in entry.legs)
        return cls(offset, entry.book, entry.seq, entry.kind.value, entry.cause.id, legs)


_ENTRIES = """
SELECT offset, book, entry_seq, kind, cause_id
FROM entries FINAL
WHERE partition = {partition:UInt16} AND offset >= {low:Int64} AND offset < {high:Int64}
ORDER BY offset
"""

_LEGS = """
SELECT offset, account, currency, amount, seq, balance
FROM legs FINAL
WHERE partition = {partition:UInt16} AND offset >= {low:Int64} AND offset < {high:Int64}
ORDER BY offset, leg_no
"""

_BOUNDS = """
SELECT min(low), max(high)
FROM
(
    SELECT min(offset) AS low, max(offset) AS high, count() AS n FROM entries WHERE partition = {partition:UInt16}
    UNION ALL
    SELECT min(offset), max(offset), count() FROM legs WHERE partition = {partition:UInt16}
)
WHERE n > 0
HAVING count() > 0
"""


def ledger_rows(client: Client, partition: int) -> Iterator[LedgerRow]:
    """Everything the warehouse has of a ledger partition, by offset. Raises WarehouseAway, WarehouseRefused.

    Legs without an entry come as a row with an empty book and kind, which equals no record.
    """
    bounds = rows(client, _BOUNDS, {"partition": partition})
    if not bounds:
        return
    for low in range(bounds[0][0], bounds[0][1] + 1, STEP):
        yield from _between(client, {"partition": partition, "low": low, "high": low + STEP})


def _between(client: Client, bounds: dict[str, int]) -> Iterator[LedgerRow]:
    legs: dict[int, list[CanonicalLeg]] = defaultdict(list)
    for offset, account, currency, amount, seq, balance in rows(client, _LEGS, bounds):
        legs[offset].append((account, currency, amount, seq, balance))
    found = [
        LedgerRow(offset, book, seq, kind, cause_id, tuple(legs.pop(offset, ())))
        for offset, book, seq, kind, cause_id in rows(client, _ENTRIES, bounds)
    ]
    orphans = [LedgerRow(offset, "", 0, "", "", tuple(those)) for offset, those in legs.items()]
    yield from sorted(found + orphans)
