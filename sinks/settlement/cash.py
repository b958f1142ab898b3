"""Cash in terminals as the warehouse has it: what is expected now, and what was collected. Minor units."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from clickhouse_connect.driver.client import Client

from sinks.warehouse import rows


@dataclass(frozen=True, slots=True)
class Expected:
    """collected_at: when the terminal was last emptied, UTC; None: never."""

    tree: str
    terminal: str
    agent: str
    currency: str
    expected: int
    collected_at: datetime | None


@dataclass(frozen=True, slots=True)
class Collected:
    """A collection; as in schemas.cash. denominations: (minor units, pieces)."""

    tree: str
    terminal: str
    agent: str
    currency: str
    number: int
    collected_at: datetime
    expected: int
    counted: int
    shortage: int
    denominations: list[tuple[int, int]]
    first_entry: int
    last_entry: int
    bag: str
    comment: str
    collected_by: str


_EXPECTED = """
SELECT tree, terminal, agent, currency, expected, collected_at
FROM cash_expected
WHERE ({tree:String} = '' OR tree = {tree:String}) AND ({terminal:String} = '' OR terminal = {terminal:String})
ORDER BY tree, agent, terminal, currency
"""

_COLLECTED = """
SELECT
    tree, terminal, agent, currency, collection_no, collected_at, expected, counted, shortage, denominations,
    first_entry, last_entry, bag, comment, collected_by
FROM collections
WHERE ({tree:String} = '' OR tree = {tree:String}) AND ({terminal:String} = '' OR terminal = {terminal:String})
    AND (NOT {short:UInt8} OR shortage > 0)
ORDER BY collected_at, partition, offset
"""


def expected(client: Client, tree: str = "", terminal: str = "") -> list[Expected]:
    """What should be in each terminal that ever took cash; "": of all. Raises WarehouseAway."""
    return [Expected(*row) for row in rows(client, _EXPECTED, {"tree": tree, "terminal": terminal})]


def collections(client: Client, tree: str = "", terminal: str = "", *, short: bool = False) -> list[Collected]:
    """Oldest first; short: only those in which something was missing. Raises WarehouseAway."""
    asked = {"tree": tree, "terminal": terminal, "short": int(short)}
    return [Collected(*row) for row in rows(client, _COLLECTED, asked)]
