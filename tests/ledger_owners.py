"""Owners of a ledger partition that a test stops at any step, and what is on the ledger afterwards.

The shards, the producers and the broker are real. A step is a place in the thread that opens or commits: the test
waits until the owner has come there, lets something else happen, and lets it go on.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from schemas.entry import Entry
from schemas.envelope import SigningKey
from streams.apache_kafka import ApacheKafka
from streams.arrival import Ask
from streams.embedded import EmbeddedBroker
from streams.fold import Fold
from streams.ledger.evolve import evolve
from streams.ledger.state import State
from streams.outbox import Record
from streams.settings import Settings
from streams.shard import Shard
from streams.shards import Shards
from streams.topics import LEDGER
from streams.workplace import Workplace
from tests.broker_clients import TIMEOUT_S, read
from tests.builders import AT, a_deposit, a_place, open_agent

# In the order of opening and of a batch. FENCED and FOLDED are the halves of opening.
Step = Literal["FENCED", "FOLDED", "DECIDED", "WRITTEN", "COMMITTED"]
WAIT_S = 60.0


@dataclass
class Stop:
    """A place where an owner waits; `goes_on` lets it. `then` is done in its thread when it goes on."""

    steps: tuple[Step, ...]
    then: Callable[[], None] = lambda: None
    _reached: threading.Event = field(default_factory=threading.Event)
    _may_go: threading.Event = field(default_factory=threading.Event)

    async def reached(self) -> None:
        """Wait until the owner has come here."""
        assert await asyncio.to_thread(self._reached.wait, WAIT_S), f"it never came to {self.steps}"

    def goes_on(self) -> None:
        self._may_go.set()

    def here(self) -> None:
        """In the owner's thread: it has come here."""
        self._reached.set()
        assert self._may_go.wait(2 * WAIT_S), f"nobody let it go on from {self.steps}"
        self.then()


class Owner:
    """One worker's shards, of which one partition matters. `is_assigned` is what it believes about the assignment."""

    def __init__(self, settings: Settings, partition: int, *, is_assigned: bool = True) -> None:
        self.partition = partition
        self.is_assigned = is_assigned
        self.opened: list[list[str]] = []  # the open payments that each opening found
        self.commit_time_out_s: Callable[[], float] | None = None
        self._stops: list[Stop] = []
        key = SigningKey.generate("server:1")
        self.shards = Shards(settings, key, lambda _: self.is_assigned, self._on_opened, shard=self._stepped)

    async def decides(self, *payments: int) -> list[str]:
        """Decide these payments in one batch; what the new entries are, as `on_ledger` has them."""
        return [_told(entry) for entry in await self.shards.decide(self.partition, [asked(n) for n in payments])]

    def close(self) -> None:
        """What else ends with a worker's process."""
        self.shards._threads.shutdown()
        for partition in self.shards.partitions():
            self.shards._shards[partition].drop()
        if self.shards._work is not None:
            self.shards._work.close()

    async def opens(self) -> None:
        await self.shards.decide(self.partition, ())

    def stops_at(self, *steps: Step, then: Callable[[], None] = lambda: None) -> Stop:
        """The next time it comes to one of these steps it waits there, once."""
        stop = Stop(steps, then)
        self._stops.append(stop)
        return stop

    def loses_the_answer(self) -> None:
        """The next commit is done, and the word of it does not arrive."""
        self.stops_at("COMMITTED", then=_time_out).goes_on()

    def at(self, step: Step) -> None:
        for stop in self._stops:
            if step in stop.steps:
                self._stops.remove(stop)
                stop.here()
                return

    def _on_opened(self, state: State) -> None:
        self.opened.append([payment.id for payment in state.outstanding()])

    def _stepped(self, settings: Settings, partition: int, key: SigningKey, work: Workplace | None) -> Shard:
        return _SteppedShard(settings, partition, key, work, self)


class _SteppedShard(Shard):
    def __init__(
        self, settings: Settings, partition: int, key: SigningKey, work: Workplace | None, owner: Owner
    ) -> None:
        super().__init__(settings, partition, key, work)
        self._owner = owner

    def fence(self) -> None:
        super().fence()
        self._owner.at("FENCED")

    def fold(self) -> Fold:
        fold = super().fold()
        self._owner.at("FOLDED")
        return fold

    def write(self, writer: Producer, records: Sequence[Record]) -> list[int]:
        self._owner.at("DECIDED")
        offsets = super().write(writer, records)
        if self._owner.commit_time_out_s is None:
            writer.flush(TIMEOUT_S)  # so that WRITTEN is what it says: all of it is on the broker
        self._owner.at("WRITTEN")
        return offsets

    def finish(self, writer: Producer) -> None:
        if self._owner.commit_time_out_s is not None:
            writer.commit_transaction(self._owner.commit_time_out_s())
        else:
            super().finish(writer)
        self._owner.at("COMMITTED")


@dataclass
class Ground:
    """A broker with the topics, whose partitions are taken one a test. `settings` reach it."""

    settings: Settings
    broker: EmbeddedBroker | ApacheKafka
    _partitions: itertools.count[int] = field(default_factory=itertools.count)
    _owners: list[Owner] = field(default_factory=list)

    async def owner(self, **changes: int) -> Owner:
        """The owner of a fresh partition, open, with an agent that has money for every payment of a test."""
        settings = self.settings.model_copy(update=changes)
        partition = next(self._partitions)
        assert partition < settings.partitions, f"all {settings.partitions} are taken: give the ground more partitions"
        owner = Owner(settings, partition)
        self._owners.append(owner)
        commands = (open_agent("A"), open_agent("S", "A"), a_deposit("S", 100_000_000))
        await owner.shards.decide(owner.partition, [Ask(command, AT) for command in commands])
        return owner

    def other(self, owner: Owner, *, is_assigned: bool = False) -> Owner:
        """Another worker, which has not opened the partition."""
        self._owners.append(Owner(self.settings, owner.partition, is_assigned=is_assigned))
        return self._owners[-1]

    def close(self) -> None:
        for owner in self._owners:
            owner.close()

    def on_ledger(self, owner: Owner) -> list[str]:
        """What was decided about payments, in order, as any reader finds it; the books must continue throughout."""
        state, told = State(owner.partition), []
        for message in read(self.settings.kafka, LEDGER.name, partition=owner.partition):
            entry = Entry.decode(message.value() or b"")
            evolve(state, entry)  # raises LedgerCorrupt at a gap, a repetition, a broken chain
            told += [_told(entry)] if entry.payment is not None else []
        return told

    def send(self, number: signal.Signals) -> None:
        """Freeze the broker (SIGSTOP), or let it go on (SIGCONT)."""
        if isinstance(self.broker, EmbeddedBroker):
            os.kill(self.broker.pid, number)
        else:
            {signal.SIGSTOP: self.broker.pause, signal.SIGCONT: self.broker.resume}[number](1)

    def move(self, loser: Owner, winner: Owner) -> None:
        """The assignment moves, and both have been told."""
        loser.is_assigned, winner.is_assigned = False, True


def a_reader_met_with_silence(ground: Ground) -> type[Consumer]:
    """A consumer whose broker freezes as it begins to read, until it has come back once with nothing.

    A freeze takes a moment, so now and then the broker answers all the same.
    """

    class Met(Consumer):
        def assign(self, partitions: list[TopicPartition]) -> None:
            ground.send(signal.SIGSTOP)
            super().assign(partitions)

        def poll(self, timeout: float = -1) -> Message | None:
            message = super().poll(timeout)
            if message is None:
                ground.send(signal.SIGCONT)
            return message

        def close(self) -> None:
            ground.send(signal.SIGCONT)
            super().close()

    return Met


def asked(number: int) -> Ask:
    return Ask(a_place(number=number), AT)


def held(*numbers: int) -> list[str]:
    """What payments leave on the ledger that were decided once each, in this order."""
    return [f"HELD kiosk-1.{number}" for number in numbers]


def _told(entry: Entry) -> str:
    return f"{entry.kind} {entry.payment.id if entry.payment is not None else entry.cause.id}"


def _time_out() -> None:
    raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
