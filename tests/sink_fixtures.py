"""The warehouse that the sinks' tests run on, one for all, and its database, which is empty before every test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from sinks.embedded import EmbeddedWarehouse
from sinks.migrations import migrate
from sinks.warehouse import open_warehouse
from streams.embedded import EmbeddedBroker
from streams.settings import Settings
from streams.topics import create_or_verify
from tests.sink_loading import empty

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def sink_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedWarehouse]:
    with EmbeddedWarehouse.start(tmp_path_factory.mktemp("warehouse")) as warehouse:
        yield warehouse


@pytest.fixture
def sink_broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """A broker for one test: topics have fixed names."""
    with EmbeddedBroker.start(tmp_path) as broker:
        yield broker


@pytest.fixture(scope="session")
def sink_database() -> str:
    """One for all, since to migrate takes longer than most tests. A file that changes the schema overrides it."""
    return "kassa"


@pytest.fixture
def sink_settings(sink_warehouse: EmbeddedWarehouse, sink_database: str, tmp_path: Path) -> Settings:
    """The warehouse and its database; no broker."""
    return Settings(dir=tmp_path, clickhouse=sink_warehouse.url, database=sink_database, sink_within_ms=50)


@pytest.fixture
def sink_stack(sink_broker: EmbeddedBroker, sink_settings: Settings) -> Settings:
    """Broker with all topics, and the warehouse."""
    settings = sink_settings.model_copy(update={"kafka": sink_broker.bootstrap})
    create_or_verify(settings)
    return settings


@pytest.fixture
def client(sink_settings: Settings) -> Iterator[Client]:
    """A client of the migrated database, emptied after the test."""
    with _migrated(sink_settings) as opened:
        yield opened
        empty(opened, sink_settings.database)


@pytest.fixture(scope="module")
def shared_client(sink_warehouse: EmbeddedWarehouse) -> Iterator[Client]:
    """A client of a migrated database the module's tests share: each must look at its own rows only."""
    with _migrated(Settings(clickhouse=sink_warehouse.url, database=f"kassa_{next(_numbers)}")) as opened:
        yield opened


@contextmanager
def _migrated(settings: Settings) -> Iterator[Client]:
    opened = open_warehouse(settings)
    migrate(opened, settings.database)
    yield opened
    opened.close()
