"""What a rebuilt warehouse is worth: does it add up, and what did the old one say that it does not?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver.client import Client

from sinks import checks
from sinks.columns import DIRECTORY_TABLES, PAYMENT_STATES, Table
from sinks.warehouse import rows

# Of these a newer row replaces an older one of the same key; rows of the others stay for ever.
_REPLACED_BY = {PAYMENT_STATES.name: "payment_id", **dict.fromkeys(DIRECTORY_TABLES, "id")}

_CHECKS: tuple[Callable[[Client], Sequence[Any]], ...] = (
    checks.broken_chains,
    checks.unbalanced_entries,
    checks.hold_mismatches,
    checks.book_gaps,
    checks.incomplete_entries,
    checks.stale_payments,
    checks.physical_duplicates,
)

_ENDS = "SELECT partition, max(offset) FROM {table} GROUP BY partition ORDER BY partition"

# Sums of 64-bit hashes modulo 2^64, which do not depend on an order. A row that has been replaced since is left out.
_FINGERPRINT = """
SELECT count(), sum(cityHash64({columns})) FROM {table} FINAL
WHERE partition = {{partition:UInt16}} AND offset <= {{end:Int64}}
"""
_NOT_REPLACED = """
AND {key} NOT IN (SELECT {key} FROM {new} WHERE partition = {{partition:UInt16}} AND offset > {{end:Int64}})
"""


@dataclass(frozen=True, slots=True)
class Compared:
    """A table before and after, up to the offset at which the old one ended in each partition.

    `before` and `now` count rows that FINAL shows; `doubled` what it hid in the old table; `further` are new rows
    beyond the old end, which were not loaded yet (or had been lost there). `differs` says how, "" for not at all.
    """

    table: str
    before: int
    now: int
    further: int
    doubled: int
    differs: str


def faults(client: Client) -> list[str]:
    """What does not add up in the client's database; every account, entry and payment is looked at."""
    found = [f"{name}: {faulty[0]}" for name, faulty in _found(client) if faulty]
    return found + [
        f"the legs in {total.currency} sum to {total.total}" for total in checks.totals(client) if total.total
    ]


def _found(client: Client) -> Iterator[tuple[str, Sequence[Any]]]:
    for check in _CHECKS:
        yield check.__name__.replace("_", " "), check(client)


def compare(client: Client, old: str, new: str, table: Table) -> Compared:
    """The same table in two databases, of which nobody writes either. Raises WarehouseAway, WarehouseRefused."""
    before_name, now_name = f"{old}.{table.name}", f"{new}.{table.name}"
    columns = _columns(client, new, table)
    total = _count(client, f"{now_name} FINAL")
    if (there := _columns(client, old, table)) != columns:
        return Compared(table.name, 0, 0, total, 0, "it had other columns" if there else "it was not there")
    before = now = 0
    same = True
    for partition, end in rows(client, _ENDS.format(table=before_name)):
        place = {"partition": partition, "end": end}
        ours, theirs = (
            rows(client, _fingerprint(name, now_name, table, columns), place)[0] for name in (before_name, now_name)
        )
        before, now, same = before + ours[0], now + theirs[0], same and tuple(ours) == tuple(theirs)
    differs = "" if same else f"{before:,} rows before" if before != now else "rows with other content"
    doubled = 0 if table.name in _REPLACED_BY else _count(client, before_name) - _count(client, f"{before_name} FINAL")
    return Compared(table.name, before, now, total - now, doubled, differs)


def _fingerprint(name: str, new: str, table: Table, columns: Sequence[str]) -> str:
    query = _FINGERPRINT.format(table=name, columns=", ".join(columns))
    key = _REPLACED_BY.get(table.name)
    return query + (_NOT_REPLACED.format(key=key, new=new) if key else "")


def _columns(client: Client, database: str, table: Table) -> list[str]:
    """All columns, those made of others included. Every one is made of the record: none tells when it was loaded."""
    query = (
        "SELECT name FROM system.columns WHERE database = {database:String} AND table = {table:String} ORDER BY name"
    )
    return [name for (name,) in rows(client, query, {"database": database, "table": table.name})]


def _count(client: Client, what: str) -> int:
    return int(rows(client, f"SELECT count() FROM {what}")[0][0])
