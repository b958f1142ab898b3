"""A command's connection to the warehouse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from console.context import load_settings
from console.errors import BadInput

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Row = Sequence[Any]


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


def select(query: str, asked: dict[str, Any]) -> list[Row]:
    """All rows of a query. Raises as `opened` does, and WarehouseRefused."""
    with opened() as client:
        from sinks.warehouse import rows

        return list(rows(client, query, asked))


def named(columns: Sequence[str], row: Row) -> dict[str, Any]:
    """A row by the names of its columns, its instants as RFC 3339."""
    pairs = zip(columns, row, strict=True)
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in pairs}
