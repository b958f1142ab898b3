"""A command's connection to the warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from console.context import load_settings
from console.errors import BadInput

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@contextmanager
def opened() -> Iterator[Client]:
    """A client of the settings' database. Raises BadInput when no warehouse is known, WarehouseAway."""
    settings = load_settings()
    if not settings.clickhouse:
        raise BadInput("no warehouse is known: start one with `kassa up`, or set KASSA_CLICKHOUSE=http://host:8123")
    from sinks.warehouse import connect  # ClickHouse's client takes half a second to import

    client = connect(settings)
    try:
        yield client
    finally:
        client.close()
