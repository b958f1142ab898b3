"""Rows on their way into one table, gathered into blocks that are inserted whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sinks.columns import Table
from sinks.rows import Row


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one table and one Kafka partition, for one insert.

    `after` is the highest offset the table had of that partition when the block was begun, -1: none. A block is
    never cut again: whoever repeats it repeats the same bytes under the same token.
    """

    table: Table
    partition: int
    after: int
    first: int
    last: int
    rows: Sequence[Row]

    @property
    def token(self) -> str:
        """What ClickHouse knows a repeat by."""
        return f"{self.table.name}-{self.partition}-{self.first}-{self.last}"


@dataclass(slots=True)
class Pending:
    """The next block of a table and partition, while it grows.

    `after`: the highest offset the table has. `born_s`: when its first row came, on the loader's monotonic clock.
    """

    table: Table
    partition: int
    after: int
    first: int = -1
    last: int = -1
    weight: int = 0
    born_s: float = 0.0
    rows: list[Row] = field(default_factory=list)

    def fits(self, count: int, weight: int, most_rows: int, most_bytes: int) -> bool:
        """May `count` further rows of `weight` bytes join? Into an empty block anything goes: a record is never cut."""
        return not self.rows or (len(self.rows) + count <= most_rows and self.weight + weight <= most_bytes)

    def add(self, offset: int, rows: Sequence[Row], weight: int, now_s: float) -> None:
        """Take the rows of one record. What the table has already is passed over."""
        if offset <= self.after or not rows:
            return
        if not self.rows:
            self.first, self.born_s = offset, now_s
        self.last = offset
        self.weight += weight
        self.rows.extend(rows)

    def take(self) -> Block:
        """The block as it is; the next one begins after it."""
        block = Block(self.table, self.partition, self.after, self.first, self.last, self.rows)
        self.after, self.rows, self.weight = self.last, [], 0
        return block
