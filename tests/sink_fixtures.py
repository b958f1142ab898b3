"""The processes the sinks' tests run on, one of each a module, and a database of its own for every test."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from schemas.entry import Entry
from sinks import rows as row_of
from sinks.blocks import Pending
from sinks.columns import DIRECTORY_TABLES, ENTRIES, LEGS, PAYMENT_STATES, Table
from sinks.embedded import EmbeddedWarehouse
from sinks.inserts import Inserter
from sinks.migrations import migrate
from sinks.rows import Place, Row
from sinks.warehouse import open_warehouse
from streams.embedded import EmbeddedBroker
from streams.settings import Settings
from streams.topics import create_or_verify

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def sink_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedWarehouse]:
    with EmbeddedWarehouse.start(tmp_path_factory.mktemp("warehouse")) as warehouse:
        yield warehouse


@pytest.fixture
def sink_broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """A broker for one test: topics have fixed names."""
    with EmbeddedBroker.start(tmp_path) as broker:
        yield broker


@pytest.fixture
def sink_settings(sink_warehouse: EmbeddedWarehouse, tmp_path: Path) -> Settings:
    """The warehouse with a database of this test's own; no broker."""
    return Settings(dir=tmp_path, clickhouse=sink_warehouse.url, database=f"kassa_{next(_numbers)}", sink_within_ms=50)


@pytest.fixture
def stack(sink_broker: EmbeddedBroker, sink_settings: Settings) -> Settings:
    """Broker with all topics, warehouse with a database of this test's own."""
    settings = sink_settings.model_copy(update={"kafka": sink_broker.bootstrap})
    create_or_verify(settings)
    return settings


@pytest.fixture
def client(sink_settings: Settings) -> Iterator[Client]:
    """A client of a migrated database."""
    opened = open_warehouse(sink_settings)
    migrate(opened, sink_settings.database)
    yield opened
    opened.close()


def eventually(what: str, is_so: Callable[[], bool], within_s: float = 30) -> None:
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
