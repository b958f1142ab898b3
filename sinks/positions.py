"""High-water marks: how far each table has each partition of its topic. Only ClickHouse is asked, never Kafka.

A table's mark is the highest offset among its rows, so mark and rows cannot disagree. Offsets in between may be
missing for good reasons (transaction markers, aborted records, entries without legs), so nothing is made of gaps.
"""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

from sinks.columns import Table
from sinks.warehouse import rows

NOTHING = -1

_HIGHEST = """
SELECT offset FROM {table}
WHERE partition = {{partition:UInt16}} AND offset >= {{expected:Int64}}
ORDER BY offset DESC LIMIT 1
"""


def mark(client: Client, table: Table, partition: int, expected: int = NOTHING) -> int:
    """The highest offset the table has of this partition; NOTHING when it has none. Raises WarehouseAway.

    It is found at once where it is not below `expected`: by the sorting key, or by the index on offset.
    """
    found = rows(client, _HIGHEST.format(table=table.name), {"partition": partition, "expected": expected})
    if not found and expected > NOTHING:
        return mark(client, table, partition)
    return int(found[0][0]) if found else NOTHING
