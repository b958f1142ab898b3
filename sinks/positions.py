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


_UNDER_WAY = """
SELECT count() FROM system.processes
WHERE startsWith(query_id, {ours:String}) OR startsWith(Settings['log_comment'], {ours:String})
"""


def query_id(database: str, table: Table, partition: int, rest: str = "") -> str:
    """What inserts of a partition's rows are called in the server: a successor can see that one is still running."""
    return f"{database}-{table.name}-{partition}-{rest}"


def is_insert_under_way(client: Client, table: Table, partition: int) -> bool:
    """Is an insert of these rows running, for example one whose loader was killed? Raises WarehouseAway.

    The embedded warehouse, whose engine chooses query ids itself, keeps ours as the comment.
    """
    found = rows(client, _UNDER_WAY, {"ours": query_id(client.database or "", table, partition)})
    return int(found[0][0]) > 0


def are_inserts_under_way(client: Client) -> bool:
    """Is any insert of ours into the client's database running? Raises WarehouseAway."""
    return int(rows(client, _UNDER_WAY, {"ours": f"{client.database}-"})[0][0]) > 0


def mark(client: Client, table: Table, partition: int, expected: int = NOTHING) -> int:
    """The highest offset the table has of this partition; NOTHING when it has none. Raises WarehouseAway.

    It is found at once where it is not below `expected`: by the sorting key, or by the index on offset.
    """
    found = rows(client, _HIGHEST.format(table=table.name), {"partition": partition, "expected": expected})
    if not found and expected > NOTHING:
        return mark(client, table, partition)
    return int(found[0][0]) if found else NOTHING
