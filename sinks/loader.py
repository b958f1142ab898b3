"""The loader: from Kafka's topics into the warehouse's tables, every record exactly once.

Where to go on is read from the tables themselves (see `positions`); what Kafka keeps as this group's offsets is a
courtesy to tools that show lag. While the warehouse is away nothing is consumed once a few blocks wait for it, so
memory is bounded by those, by one growing block per table and partition, and by librdkafka's queue.
"""

from __future__ import annotations

import gc
import math
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from sinks.ahead import InsertAhead
from sinks.blocks import Pending
from sinks.errors import KafkaRefused, LedgerMismatch, LedgerUnreadable, Stopped
from sinks.feeds import FEEDS
from sinks.inserts import Inserter, MarkMoved
from sinks.migrations import migrate
from sinks.spans import span
from sinks.vitals import SinkVitals
from sinks.warehouse import Patience, open_warehouse
from streams.clients import SINKS, reader
from streams.ends import Ends, EndsUnknown, Place
from streams.health import serving
from streams.settings import Settings

log = structlog.get_logger(__name__)

_AT_ONCE = 10_000
_BLOCK_BYTES = 32 * 1024 * 1024
_COURTESY_S = 2.0
_STOP_WITHIN_S = 0.5
_LOOK_S = 0.1
_LONGEST_REST_S = 5.0
_SILENCE_S = 10.0
# Trouble the client library gets over by itself.
_PASSING = frozenset(
    {KafkaError._PARTITION_EOF, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._MAX_POLL_EXCEEDED}
)


class Loader:
    """Loads what its consumer is assigned, until `stop` is set. `clock` counts monotonic seconds."""

    def __init__(
        self,
        settings: Settings,
        consumer: Consumer,
        inserter: InsertAhead,
        stop: threading.Event,
        ends: Ends,
        clock: Callable[[], float] = time.monotonic,
        vitals: SinkVitals | None = None,
    ) -> None:
        self._vitals = vitals or SinkVitals(settings)
        self._most_rows = settings.sink_batch_rows
        self._within_s = settings.sink_within_ms / 1000
        self._consumer = consumer
        self._inserter = inserter
        self._stop = stop
        self._clock = clock
        self._pending: dict[Place, list[Pending]] = {}
        self._read_to: dict[Place, int] = {}
        self._ends = ends
        self._end_seen: dict[Place, int] = {}
        self._silent_since = math.inf
        self._courtesy_at = clock()
        self._in_group = False

    def run(self) -> None:
        """Raises LedgerUnreadable, LedgerMismatch, KafkaRefused, WarehouseRefused: what no repeat will mend."""
        self._in_group = True
        self._consumer.subscribe(list(FEEDS), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked)
        try:
            while not self._stop.is_set():
                self._turn()
            self._insert_all()
            self._tell_kafka()
        except (Stopped, MarkMoved):
            log.info("stopped with rows still to be loaded; the next start loads them")

    def load_to(self, ends: Mapping[Place, int]) -> None:
        """Load up to `ends` from where the tables end, without the group. Raises what `run` raises, and Stopped."""
        self._assigned(self._consumer, [TopicPartition(*place) for place in ends])
        while any(max(self._read_to[place], self._end_seen.get(place, 0)) < end for place, end in ends.items()):
            self._turn()
        self._insert_all()

    def _turn(self) -> None:
        began_s = self._clock()
        self._vitals.heartbeat.beat()
        try:
            messages = self._consumer.consume(num_messages=_AT_ONCE, timeout=min(self._within_s, _STOP_WITHIN_S))
            if messages:
                self._silent_since = math.inf
            elif not any(pending.rows for tables in self._pending.values() for pending in tables):
                self._look_round()
            self._take(messages, began_s)
            self._insert_where(lambda pending: self._clock() - pending.born_s >= self._within_s)
            if self._clock() - self._courtesy_at >= _COURTESY_S:
                self._inserter.settle()
                self._tell_kafka()
        except MarkMoved as moved:
            log.warning("reading on from what the warehouse has", why=str(moved))
            self._assigned(self._consumer, [TopicPartition(*place) for place in self._pending])

    def _look_round(self) -> None:
        """Nothing came. Rest if all is read to its end; if there is more, wait for it, and say so when it takes long.

        A large fetch may take longer than a turn, and resting would throw it away: it would never come to its end.
        """
        self._inserter.settle()
        try:
            ends = self._ends.now(self._pending)
        except EndsUnknown as error:
            log.info("kafka", error=str(error))
            return
        if all(end <= max(self._read_to[place], self._end_seen.get(place, 0)) for place, end in ends.items()):
            self._silent_since = math.inf
            self._tell_kafka()  # a rest takes seconds, and would look like lag
            self._vitals.loaded = ends
            self._rest(ends)
            return
        now_s = self._clock()
        self._silent_since = min(self._silent_since, now_s)
        if now_s - self._silent_since >= _SILENCE_S:
            log.warning("there are records to be read, and none come", seconds=int(now_s - self._silent_since))
            self._silent_since = math.inf

    def _rest(self, ends: dict[Place, int]) -> None:
        """Wait for news without reading (see streams.ends); a rebalance is served meanwhile.

        Then read on from where we were, whatever the client library fetched or dropped in between. That happens every
        few seconds without news too, so that nothing can be overlooked for long.
        """
        self._consumer.unassign()
        until_s = self._clock() + _LONGEST_REST_S
        while not self._stop.is_set() and self._clock() < until_s and self._same(ends):
            self._consumer.consume(num_messages=1, timeout=_LOOK_S)
        self._end_seen = {}  # an end counts only when it is seen from here
        self._consumer.assign([TopicPartition(*place, offset) for place, offset in self._read_to.items()])

    def _same(self, ends: dict[Place, int]) -> bool:
        try:
            return self._ends.now(self._pending) == ends
        except EndsUnknown:
            return False  # reading finds out what the matter is

    def _take(self, messages: Iterable[Message], now_s: float) -> None:
        for message in messages:
            error = message.error()
            if error is not None:
                _judge(error)
                if error.code() == KafkaError._PARTITION_EOF:
                    self._end_seen[str(message.topic()), message.partition() or 0] = message.offset() or 0
                continue
            try:
                self._add(message, now_s)
            except LedgerUnreadable:
                self._insert_all()  # all that comes before it is sound
                raise

    def _add(self, message: Message, now_s: float) -> None:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None  # only messages never sent have none
        assert partition is not None
        assert offset is not None
        place = (topic, partition)
        if place not in self._pending:
            return  # no longer ours
        weight = len(message.value() or b"")
        for pending, rows in zip(self._pending[place], FEEDS[topic].rows_of(message), strict=True):
            if not pending.fits(len(rows), weight, self._most_rows, _BLOCK_BYTES):
                self._inserter.insert(pending.take())
            pending.add(offset, rows, weight, now_s)
        self._read_to[place] = offset + 1

    def _insert_all(self) -> None:
        self._insert_where(lambda _: True)
        self._inserter.settle()

    def _insert_where(self, is_due: Callable[[Pending], bool]) -> None:
        for tables in self._pending.values():
            for pending in tables:
                if pending.rows and is_due(pending):
                    self._inserter.insert(pending.take())

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Begin each partition where the table that is furthest behind ends. Drops what was gathered before."""
        self._inserter.begin_anew()
        self._pending = {}
        self._read_to = {}
        self._end_seen = {}
        starts = [self._start(consumer, part.topic, part.partition) for part in partitions]
        consumer.assign(starts)
        self._vitals.loaded = dict(self._read_to)
        log.info("assigned", starts=" ".join(f"{part.topic}/{part.partition}@{part.offset}" for part in starts))

    def _start(self, consumer: Consumer, topic: str, partition: int) -> TopicPartition:
        tables = FEEDS[topic].tables
        marks = [self._inserter.mark(table, partition) for table in tables]
        first, end = span(consumer, TopicPartition(topic, partition), self._stop)
        if max(marks) >= end:
            raise LedgerMismatch(
                f"{topic} partition {partition} ends before offset {end}, but the warehouse has offset {max(marks)}: "
                "is it the warehouse of another ledger?"
            )
        start = min(marks) + 1
        if FEEDS[topic].whole and start < first:
            raise LedgerMismatch(
                f"{topic} partition {partition} begins at offset {first}, but the warehouse needs it from {start} on"
            )
        start = max(start, first)
        self._pending[topic, partition] = [
            Pending(table, partition, mark) for table, mark in zip(tables, marks, strict=True)
        ]
        self._read_to[topic, partition] = start
        return TopicPartition(topic, partition, start)

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """What was gathered is dropped: whoever has the partition next reads it again, after what is on its way."""
        self._inserter.begin_anew()
        for part in partitions:
            self._pending.pop((part.topic, part.partition), None)
            self._read_to.pop((part.topic, part.partition), None)
        self._vitals.loaded = {place: end for place, end in self._vitals.loaded.items() if place in self._read_to}

    def _tell_kafka(self) -> None:
        """Commit how far everything is in its tables. Nobody reads it but tools, so nobody waits for it."""
        self._courtesy_at = self._clock()
        reached = {
            place: min([pending.first for pending in tables if pending.rows] + [self._read_to[place]])
            for place, tables in self._pending.items()
        }
        # Where nothing is waiting we may have looked past the last record already, at the marker after it.
        self._vitals.loaded = {place: max(end, self._vitals.loaded.get(place, 0)) for place, end in reached.items()}
        offsets = [TopicPartition(*place, end) for place, end in reached.items() if end > 0]
        if offsets and self._in_group:
            self._consumer.commit(offsets=offsets, asynchronous=True)


def _judge(error: KafkaError) -> None:
    """Raises KafkaRefused for what will not pass."""
    if error.fatal() or (error.code() not in _PASSING and not error.retriable()):
        raise KafkaRefused(f"{error.name()}: {error.str()}")
    if error.code() != KafkaError._PARTITION_EOF:
        log.info("kafka", error=error.str())


def run_loader(settings: Settings, stop: threading.Event, vitals: SinkVitals | None = None) -> None:
    """Wait for the warehouse, bring its schema up to date, load until `stop` is set. Raises what Loader.run raises,
    and MigrationError."""
    vitals = vitals or SinkVitals(settings)
    try:
        client = Patience(stop, vitals.warehouse).until_there(lambda: open_warehouse(settings))
        try:
            Patience(stop, vitals.warehouse).until_there(lambda: migrate(client, settings.database))
            _load(settings, Inserter(client, stop, vitals.warehouse), stop, vitals)
        finally:
            client.close()
    except Stopped:
        return


def _load(settings: Settings, inserter: Inserter, stop: threading.Event, vitals: SinkVitals) -> None:
    ahead = InsertAhead(inserter)
    consumer = reader(
        settings,
        group_id=SINKS,
        group_instance_id=settings.sink_id,
        session_timeout_ms=settings.session_time_out_s * 1000,
        auto_offset_reset="error",
    )
    try:
        Loader(settings, consumer, ahead, stop, Ends(settings), vitals=vitals).run()
    except KafkaException as error:
        raise KafkaRefused(str(error.args[0])) from error
    finally:
        ahead.close()
        consumer.close()


def main(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises what `run_loader` raises."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    gc.freeze()  # what is here now stays; what comes are rows, which have no cycles to be found
    gc.set_threshold(50_000, 20, 100)
    vitals = SinkVitals(settings)
    with serving(settings, "sink", settings.sink_id, vitals):
        run_loader(settings, stop, vitals)
