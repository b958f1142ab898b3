"""Clocks of a worker on a real shard: several fire at once, and who takes the shard over finds what they did."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from mode import Service

from schemas.entry import Entry
from schemas.envelope import SigningKey
from streams.clock import Clock
from streams.directory import Directory
from streams.embedded import EmbeddedBroker
from streams.ledger_reader import read_records
from streams.settings import Settings
from streams.shards import Shards
from streams.topics import create_or_verify


@contextmanager
def one_partition(directory: Path) -> Iterator[Settings]:
    """The settings of a ledger of one partition, on a broker of its own."""
    with EmbeddedBroker.start(directory) as broker:
        settings = Settings(dir=directory, kafka=broker.bootstrap, partitions=1, snapshot_every=0)
        create_or_verify(settings)
        yield settings


def a_worker(settings: Settings) -> Shards:
    return Shards(settings, SigningKey.generate("server:1"), lambda _: True, lambda _: None)


def a_directory_of(table: str, *records: Any) -> Directory:
    directory = Directory()
    for one in records:
        directory.apply(table, one.id, one.model_dump_json().encode())
    return directory


def on_ledger(settings: Settings) -> list[Entry]:
    return [Entry.decode(value) for chunk in read_records(settings, 0) for _, value in chunk]


def ahead(settings: Settings, later_ms: int) -> Clock:
    """A clock this much ahead of the machine's."""
    shift = settings.dir / f"shift-{later_ms}"
    shift.write_text(str(later_ms))
    return Clock(shift)


@asynccontextmanager
async def at_work(*services: Service) -> AsyncIterator[None]:
    for one in services:
        await one.start()
    try:
        yield
    finally:
        for one in services:
            await one.stop()
