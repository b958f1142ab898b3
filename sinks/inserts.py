"""Getting a block into its table once: look, insert, and when the answer is lost, look again."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable

import structlog
from clickhouse_connect.datatypes.registry import get_from_name
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.insert import InsertContext

from sinks.blocks import Block
from sinks.columns import Table
from sinks.errors import SinkError, WarehouseAway, WarehouseRefused
from sinks.positions import is_insert_under_way, mark, query_id
from sinks.warehouse import Patience, translated
from streams import metrics

log = structlog.get_logger(__name__)

# One block must stay one block, and so one part: taken whole or not at all.
_NEVER = 1 << 40
_SETTINGS = {
    "async_insert": 0,
    "insert_deduplicate": 1,
    "max_insert_block_size": _NEVER,
    "min_insert_block_size_rows": _NEVER,
    "min_insert_block_size_bytes": _NEVER,
}


class MarkMoved(SinkError):
    """The table has not what this loader thinks it has: rows of another loader, or rows lost by the server."""


class Inserter:
    """Inserts blocks through one client, waiting for as long as the warehouse is away."""

    def __init__(self, client: Client, stop: threading.Event, tell: Callable[[str], None] = lambda _: None) -> None:
        """tell: see Patience."""
        self._client = client
        self._patience = Patience(stop, tell)

    def mark(self, table: Table, partition: int) -> int:
        """The table's high-water mark, once no insert runs that could move it. Waits if need be; raises Stopped."""
        return self._patience.until_there(lambda: self._settled_mark(table, partition))

    def give_up(self) -> None:
        """Wait for the warehouse no longer: who waits now gets Stopped, within seconds."""
        self._patience.give_up()

    def insert(self, block: Block) -> None:
        """Return when the block is in its table. Raises MarkMoved, WarehouseRefused, Stopped.

        Looking first costs a few milliseconds and covers every way in which a block can be there already or must not
        go in: an insert whose answer was lost, a loader that took over while this one slept, a server restored from
        a copy. What two loaders insert in the very same moment is left to FINAL.
        """
        with metrics.SINK_INSERT_SECONDS.labels(block.table.name).time():
            self._patience.until_there(lambda: self._look_and_insert(block))
        metrics.SINK_BLOCKS.labels(block.table.name).inc()
        metrics.SINK_ROWS.labels(block.table.name).inc(len(block.rows))

    def _settled_mark(self, table: Table, partition: int) -> int:
        if is_insert_under_way(self._client, table, partition):
            raise WarehouseAway(f"an earlier insert into {table.name}, partition {partition}, is still running")
        return mark(self._client, table, partition)

    def _look_and_insert(self, block: Block) -> None:
        there = mark(self._client, block.table, block.partition, block.after)
        if there == block.last:
            return
        if there != block.after:
            raise MarkMoved(f"{block.token}: the table ends at {there}, expected {block.after}")
        self.send(block)

    def send(self, block: Block) -> None:
        """Insert without looking or waiting. Raises WarehouseAway (it may be in all the same) and WarehouseRefused."""
        called = query_id(self._client.database or "", block.table, block.partition, f"{block.first}-{block.last}")
        context = InsertContext(
            block.table.name,
            block.table.names,
            [get_from_name(type_) for type_ in block.table.types],
            list(zip(*block.rows, strict=True)),
            column_oriented=True,
            settings={**_SETTINGS, "insert_deduplication_token": block.token, "query_id": called},
            block_size=len(block.rows),
        )
        try:
            with translated():
                self._client.insert(context=context)
        except (TypeError, ValueError, OverflowError, struct.error) as error:
            raise WarehouseRefused(f"{block.token}: rows that do not fit their table: {error}") from error
        except WarehouseRefused as refused:
            raise WarehouseRefused(f"{block.token}: {refused}") from refused
