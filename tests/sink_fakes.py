"""A broker, a warehouse and a clock for the loader's tests that do only as they are told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from sinks.blocks import Block
from sinks.columns import Table
from sinks.inserts import MarkMoved
from sinks.loader import Loader
from streams.settings import Settings

BATCH_ROWS = 20
WITHIN_MS = 300


Turn = Callable[["Turns"], "list[FakeMessage]"]


class FakeMessage:
    def __init__(
        self, offset: int, value: bytes | None, topic: str = "ledger", error: KafkaError | None = None
    ) -> None:
        self._offset, self._value, self._topic, self._error = offset, value, topic, error

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def value(self) -> bytes | None:
        return self._value

    def key(self) -> bytes | None:
        return b"key"

    def timestamp(self) -> tuple[int, int]:
        return (2, 1_000)

    def error(self) -> KafkaError | None:
        return self._error


class FakeInserter:
    """A warehouse that takes every block, or refuses those it was told to."""

    def __init__(self, **marks: int) -> None:
        self.blocks: list[Block] = []
        self.marks = marks
        self.moved: set[str] = set()

    def mark(self, table: Table, partition: int) -> int:
        return self.marks.get(table.name, -1)

    def insert(self, block: Block) -> None:
        if block.table.name in self.moved:
            self.moved.clear()
            raise MarkMoved(block.token)
        self.blocks.append(block)
        self.marks[block.table.name] = block.last

    def settle(self) -> None:
        """Every block is in already."""

    def begin_anew(self) -> None:
        """Nothing is ever on its way."""

    def of(self, table: str) -> list[tuple[int, int, int]]:
        """(first, last, rows) of the table's blocks."""
        return [(block.first, block.last, len(block.rows)) for block in self.blocks if block.table.name == table]


class FakeConsumer:
    """Hands over what a script says, one list a turn; at its end the loader is stopped."""

    def __init__(self, topic: str, script: Sequence[Callable[[], list[FakeMessage]]], stop: threading.Event) -> None:
        self.topic, self.script, self.stop = topic, list(script), stop
        self.starts: list[int] = []
        self.first, self.end = 0, 1_000
        self.span_fails: list[int] = []  # error codes, each for one question
        self.committed: list[int] = []
        self.assigned = 0

    def subscribe(self, topics: list[str], on_assign: Any, on_revoke: Any, on_lost: Any) -> None:
        self.on_revoke = on_revoke
        on_assign(self, [TopicPartition(self.topic, 0)])

    def revoke(self) -> None:
        self.on_revoke(self, [TopicPartition(self.topic, 0)])

    def unassign(self) -> None:
        self.assigned = 0

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int]:
        if self.span_fails:
            raise KafkaException(KafkaError(self.span_fails.pop(0)))
        return self.first, self.end

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned = len(partitions)
        self.starts += [partition.offset for partition in partitions]

    def consume(self, num_messages: int, timeout: float) -> list[FakeMessage]:
        turn = self.script.pop(0)()
        if not self.script:
            self.stop.set()
        return turn

    def commit(self, offsets: list[TopicPartition], asynchronous: bool) -> None:
        self.committed += [partition.offset for partition in offsets]


class FakeEnds:
    """Says where the topic ends; by default nothing new is there."""

    end = 0

    def now(self, places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        return dict.fromkeys(places, self.end)


class Turns:
    """A loader over fakes: `run` plays the script, each step of which is given this and may move the clock."""

    def __init__(self, *script: Turn, topic: str = "ledger", **marks: int) -> None:
        self.now_s = 0.0
        stop = threading.Event()
        self.inserter = FakeInserter(**marks)
        self.consumer = FakeConsumer(topic, [partial(turn, self) for turn in script], stop)
        settings = Settings(sink_batch_rows=BATCH_ROWS, sink_within_ms=WITHIN_MS)
        consumer: Any = self.consumer
        inserter: Any = self.inserter
        self.ends = FakeEnds()
        ends: Any = self.ends
        self.loader = Loader(settings, consumer, inserter, stop, ends, clock=lambda: self.now_s)

    def run(self) -> Turns:
        self.loader.run()
        return self
