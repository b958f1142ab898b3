"""Filling the warehouse's tables without a broker, and waiting for what takes a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from clickhouse_connect.driver.client import Client

from schemas.entry import Entry
from sinks import rows as row_of
from sinks.blocks import Pending
from sinks.columns import DIRECTORY_TABLES, ENTRIES, LEGS, PAYMENT_STATES, Table
from sinks.inserts import Inserter
from sinks.rows import Place, Row
from sinks.warehouse import rows as rows_of


def eventually(what: str, is_so: Callable[[], bool], within_s: float = 90) -> None:
    """Wait until it is so. Fails when it is not within `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.02)


def insert(client: Client, table: Table, partition: int, records: Sequence[tuple[int, Sequence[Row]]]) -> None:
    """Put rows into a table as the loader would: one block, after what is there."""
    inserter = Inserter(client, threading.Event())
    pending = Pending(table, partition, inserter.mark(table, partition))
    for offset, rows in records:
        pending.add(offset, rows, 0, 0.0)
    if pending.rows:
        inserter.insert(pending.take())


def load_entries(client: Client, entries: Sequence[Entry], partition: int = 0, first_offset: int = 0) -> None:
    """Put entries into the ledger's tables without a broker; the nth has offset `first_offset` + n."""
    places = [Place(partition, first_offset + n, entry.at) for n, entry in enumerate(entries)]
    placed = list(zip(places, entries, strict=True))
    insert(client, ENTRIES, partition, [(place.offset, [row_of.entry_row(place, entry)]) for place, entry in placed])
    insert(client, LEGS, partition, [(place.offset, row_of.leg_rows(place, entry)) for place, entry in placed])
    insert(
        client,
        PAYMENT_STATES,
        partition,
        [(place.offset, row_of.payment_rows(place, entry)) for place, entry in placed],
    )


def load_directory(client: Client, table: str, records: Sequence[tuple[bytes, bytes | None]], first: int = 0) -> None:
    """Put directory records (id, JSON; None deletes) into a directory table without a broker."""
    placed = [(Place(0, first + n, 0), key, value) for n, (key, value) in enumerate(records)]
    insert(
        client,
        DIRECTORY_TABLES[table],
        0,
        [(place.offset, [row_of.directory_row(place, key, value)]) for place, key, value in placed],
    )


def empty(client: Client, database: str) -> None:
    """Every table of Kassa's without its rows, and without its memory of what was inserted."""
    tables = f"SELECT name FROM system.tables WHERE database = '{database}' AND engine LIKE '%MergeTree'"
    for (table,) in rows_of(client, tables):
        if table != "schema_migrations":
            client.command(f"TRUNCATE TABLE {database}.{table}")
