"""A real ledger topic for the loader's tests: written in transactions, some aborted, and read back as the truth."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from clickhouse_connect.driver.client import Client
from confluent_kafka import KafkaError, TopicPartition

from schemas.entry import Entry
from sinks import checks
from sinks.comparing import LedgerRow, ledger_rows
from sinks.warehouse import rows
from streams.clients import producer, reader
from streams.settings import Settings
from streams.topics import LEDGER
from tests.sink_builders import Bookkeeper, facts
from tests.sink_loading import eventually

_S = 30


class LedgerWriter:
    """Pays through one book a partition, in transactions; before every fourth or so another one is aborted.

    By a producer of its own: after an abort the embedded broker hides what that producer commits from then on.
    """

    def __init__(
        self, settings: Settings, chance: random.Random, name: str = "test", *, aborts_itself: bool = False
    ) -> None:
        self._committing, self._aborting = (
            producer(settings, transactional_id=f"writer-{name}-{what}") for what in ("commits", "aborts")
        )
        if aborts_itself:
            self._aborting = self._committing
        for either in {self._committing, self._aborting}:
            either.init_transactions(_S)
        self._chance = chance
        self._partitions = settings.partitions
        self._books = [Bookkeeper(f"book-{number}") for number in range(settings.partitions)]
        self._payments = 0

    def transactions(self, count: int, payments: int = 5) -> None:
        """Write so many transactions of so many payments each."""
        for _ in range(count):
            partition = self._chance.randrange(self._partitions)
            book = self._books[partition]
            if self._chance.random() < 0.25:
                self.write(partition, Bookkeeper("never").pay(facts(1)), commit=False)
            start = len(book.entries)
            for _ in range(payments):
                self._payments += 1
                self._pay(book, self._payments)
            self.write(partition, book.entries[start:])

    def _pay(self, book: Bookkeeper, number: int) -> None:
        payment = facts(number)
        book.hold(payment)
        if self._chance.random() < 0.3:
            book.unclear(payment)
        if self._chance.random() < 0.1:
            return
        (book.void if self._chance.random() < 0.1 else book.post)(payment)

    def write(self, partition: int, entries: Sequence[Entry], commit: bool = True) -> None:
        self.write_values(LEDGER.name, partition, [(entry.book.encode(), entry.encode()) for entry in entries], commit)

    def write_values(
        self, topic: str, partition: int, records: Sequence[tuple[bytes, bytes | None]], commit: bool = True
    ) -> None:
        writer = self._committing if commit else self._aborting
        writer.begin_transaction()
        for key, value in records:
            writer.produce(topic, value, key, partition)
        if commit:
            writer.commit_transaction(_S)
        else:
            writer.flush(_S)
            writer.abort_transaction(_S)


def ledger_of(settings: Settings) -> dict[int, list[LedgerRow]]:
    """What the ledger topic holds for who reads committed, by partition; sound entries only."""
    consumer = reader(settings)
    found: dict[int, list[LedgerRow]] = {number: [] for number in range(settings.partitions)}
    try:
        consumer.assign([TopicPartition(LEDGER.name, number, 0) for number in found])
        ended = 0
        while ended < len(found):
            message = consumer.poll(_S)
            assert message is not None, "the broker is silent"
            if (error := message.error()) is not None:
                assert error.code() == KafkaError._PARTITION_EOF, error
                ended += 1
                continue
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            found[partition].append(LedgerRow.of(offset, Entry.decode(message.value() or b"")))
    finally:
        consumer.close()
    return found


def loaded_of(client: Client, settings: Settings) -> dict[int, list[LedgerRow]]:
    return {number: list(ledger_rows(client, number)) for number in range(settings.partitions)}


def assert_loaded_once(client: Client, settings: Settings) -> None:
    """Wait for the warehouse to have the whole ledger, row for row; then nothing is stored twice or broken."""
    truth = ledger_of(settings)
    assert any(truth.values())
    lasts = {number: those[-1].offset for number, those in truth.items() if those}
    settled = {number: [row.offset for row in those if row.legs][-1] for number, those in truth.items() if those}
    eventually("every entry is loaded", lambda: _ends(client, "entries") == lasts)
    eventually("every leg is loaded", lambda: _ends(client, "legs") == settled)
    eventually("every payment is up to date", lambda: checks.stale_payments(client) == [])
    assert loaded_of(client, settings) == truth
    assert checks.physical_duplicates(client) == []
    assert checks.incomplete_entries(client) == []
    assert checks.broken_chains(client) == []
    assert checks.book_gaps(client) == []
    assert checks.hold_mismatches(client) == []
    assert [total.total for total in checks.totals(client)] == [0]


def _ends(client: Client, table: str) -> dict[int, int]:
    found = rows(client, f"SELECT partition, max(offset) FROM {table} GROUP BY partition")
    return {row[0]: row[1] for row in found}


def start_loader(settings: Settings) -> subprocess.Popen[bytes]:
    """A loader in a process of its own, as the command line runs it; its log is `loader.log` in the settings' dir."""
    environment = {
        **os.environ,
        "KASSA_DIR": str(settings.dir),
        "KASSA_CONFIG": str(settings.dir / "none.toml"),
        **{f"KASSA_{name.upper()}": str(getattr(settings, name)) for name in _PASSED_ON},
    }
    program = "from sinks.loader import main; from streams.settings import Settings; main(Settings())"
    with (settings.dir / "loader.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", program], env=environment, cwd=Path(__file__).parent.parent, stdout=log, stderr=log
        )


_PASSED_ON = (
    "kafka",
    "clickhouse",
    "database",
    "partitions",
    "sink_id",
    "sink_batch_rows",
    "sink_within_ms",
    "session_time_out_s",
)
