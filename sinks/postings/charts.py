"""The chart of accounts by which a closed window is posted, from the ledger as the warehouse has it."""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

from schemas.chart import COMMON, Chart
from sinks.postings.errors import NoChart
from sinks.warehouse import rows

_IN_FORCE = """
SELECT record
FROM entries FINAL
WHERE book = {book:String} AND kind = 'DIRECTORY_SET' AND at <= fromUnixTimestamp64Milli({at:Int64}, 'UTC')
ORDER BY entry_seq DESC
LIMIT 1
"""


def chart_in_force(client: Client, tree: str, at: int) -> Chart:
    """The tree's chart at that moment (ms UTC), or else that of all trees. Raises NoChart, WarehouseAway."""
    for book in (f"charts/{tree}", f"charts/{COMMON}"):
        found = rows(client, _IN_FORCE, {"book": book, "at": at})
        if found:
            return Chart.model_validate_json(found[0][0])
    raise NoChart(f"no chart of accounts was in force when the window of tree {tree} was closed: `kassa chart set`")
