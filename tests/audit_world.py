"""A whole Kassa in one process for the audit: real broker, shards, loader and warehouse, and an office that decides.

No Faust here: the office reads what waits, verifies and decides it with the real parts, and commits its offsets as the
workers' group does.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import orjson
from confluent_kafka import Consumer, KafkaError, TopicPartition

from agents.verify import Verifier
from console.requests import command_request, payment_request
from schemas.command import DirectoryCommand, TreeCommand
from schemas.entry import Entry
from schemas.envelope import SigningKey, VerifyingKey
from schemas.keys import SERVER_KID
from schemas.outcome import Verdict
from schemas.payment import PaymentOrder
from schemas.sealing import OpeningKey
from schemas.terminal import Terminal
from sinks.loader import run_loader
from streams.arrival import Arrival, Ask, Item
from streams.clients import WORKERS, producer, reader
from streams.directory import Directory
from streams.ledger.commands import FeeDue
from streams.partitioner import partition_of
from streams.settings import Settings
from streams.shard import Shard
from streams.topics import COMMANDS, PAYMENTS, Topic
from tests.builders import (
    a_deposit,
    a_gateway,
    a_settle,
    a_tariff,
    an_order,
    open_agent,
    set_gateway,
    set_payee,
    set_tariff,
    set_terminal,
)
from tests.builders_reversal import a_cancel
from tests.builders_routes import a_payee_with
from tests.builders_vouchers import KIDS

OPERATOR = SigningKey.generate("chief:1")


def tree_on(partition: int, partitions: int) -> str:
    """A tree's id that belongs on this partition."""
    return next(name for name in (f"T{n}" for n in range(1_000)) if partition_of(name, partitions) == partition)


@dataclass
class Office:
    """Everything a worker does but the waiting. Close it when done."""

    settings: Settings
    directory: Directory = field(default_factory=lambda: Directory({OPERATOR.kid: OPERATOR.public()}))
    terminals: dict[str, SigningKey] = field(default_factory=dict)
    clock: int = 0

    def __post_init__(self) -> None:
        server = SigningKey.generate(SERVER_KID)
        self.verifier = Verifier(self.settings, self.directory, VerifyingKey.load(server.public()), lambda: KIDS)
        self.shards = [Shard(self.settings, number, server) for number in self.partitions]
        for shard in self.shards:
            shard.open()
        # An idempotent one would wait half a second for its id.
        self.producer = producer(
            self.settings, enable_idempotence=False
        )  # an idempotent one waits half a second for its id
        self.consumer = reader(self.settings, group_id=WORKERS)
        self.passed = {(topic.name, number): 0 for topic in (COMMANDS, PAYMENTS) for number in self.partitions}

    @property
    def partitions(self) -> range:
        return range(self.settings.partitions)

    def close(self) -> None:
        self.consumer.close()

    def send(self, topic: Topic, key: str, value: bytes) -> None:
        self.producer.produce(topic.name, value, key)

    def command(self, *commands: TreeCommand | DirectoryCommand) -> None:
        for command in commands:
            request = command_request(command, OPERATOR)
            self.send(request.topic, request.key, request.value)

    def pay(self, *orders: PaymentOrder, key: str | None = None) -> None:
        """Sign and send payment orders, under their tree's key if not given another."""
        for order in orders:
            tree = self.directory.terminals[order.terminal].tree
            request = payment_request(order, key or tree, self.terminals[order.terminal])
            self.send(request.topic, request.key, request.value)

    def work(self) -> list[Entry]:
        """Decide all that waits, also what deciding it brings, and commit that it was passed."""
        entries: list[Entry] = []
        while batch := self._waiting():
            by_shard: dict[int, list[Item]] = defaultdict(list)
            for arrival in batch:
                verify = self.verifier.command if arrival.topic == COMMANDS.name else self.verifier.payment
                by_shard[arrival.partition].append(verify(arrival))
                self.passed[arrival.topic, arrival.partition] = arrival.offset + 1
            for partition, items in by_shard.items():
                entries += self._decided(partition, items)
            offsets = [TopicPartition(*place, offset) for place, offset in self.passed.items() if offset]
            self.consumer.commit(offsets=offsets, asynchronous=False)
        return entries

    def settle(self, payment: str, verdict: Verdict, step: str = "pay", code: str = "0") -> None:
        """A payee's answer about an open payment."""
        shard = next(one for one in self.shards if one.state is not None and payment in one.state.open)
        assert shard.state is not None
        book = shard.state.open[payment].book
        state = shard.state.open[payment].state
        answer = a_settle(payment, verdict, step, code=code, book=book)  # type: ignore[arg-type]
        if state == "REVERSING":
            answer = a_cancel(payment, verdict, code=code, book=book)
        self._decided(shard.partition, [Ask(answer, self._now())])

    def charge(self, due: FeeDue) -> None:
        """A period of a plan has begun."""
        shard = next(one for one in self.shards if one.state is not None and due.book in one.state.books)
        self._decided(shard.partition, [Ask(due, self._now())])

    def _decided(self, partition: int, items: list[Item]) -> list[Entry]:
        entries, records = self.shards[partition].decide(items)
        self.shards[partition].commit(records)
        for entry in entries:
            if entry.record is not None:
                self.directory.apply(entry.record.table, entry.record.id, orjson.dumps(entry.record.value))
        return entries

    def _now(self) -> int:
        return self.clock

    def _waiting(self) -> list[Arrival]:
        self.producer.flush(10)
        places = [TopicPartition(*place, offset) for place, offset in self.passed.items()]
        self.consumer.assign(places)
        return list(_until_the_end(self.consumer, len(places), self))


def _until_the_end(consumer: Consumer, partitions: int, office: Office) -> Iterator[Arrival]:
    ended: set[tuple[str, int]] = set()
    while len(ended) < partitions:
        message = consumer.poll(10)
        assert message is not None, "the broker is silent"
        topic, partition, offset = str(message.topic()), message.partition() or 0, message.offset() or 0
        if (error := message.error()) is not None:
            assert error.code() == KafkaError._PARTITION_EOF, error
            ended.add((topic, partition))
            continue
        office.clock = message.timestamp()[1]
        yield Arrival(topic, partition, offset, message.key(), message.value() or b"", office.clock)


def introduce(office: Office, gateway_url: str) -> list[str]:
    """A tree with a terminal on every partition, a payee behind a gateway; returns the terminals' ids."""
    trees = [tree_on(number, len(office.partitions)) for number in office.partitions]
    office.command(set_gateway(a_gateway(url=gateway_url, cancels=True)).command)
    office.command(set_payee(a_payee_with("osmp-1", "osmp-2", reversal_s=86_400)).command)
    office.command(set_tariff(a_tariff()).command)
    for tree in trees:
        office.command(open_agent(tree, tree=tree).command, a_deposit(tree, 1_000_000, tree).command)
    for tree in trees:
        key = office.terminals[f"kiosk-{tree}"] = SigningKey.generate(f"kiosk-{tree}:1")
        sealing = OpeningKey.generate(f"kiosk-{tree}:1").public()
        terminal = Terminal(id=f"kiosk-{tree}", agent=tree, tree=tree, keys=(key.public(),), sealing=sealing)
        office.command(set_terminal(terminal, f"terminal-{tree}").command)
    office.work()
    return list(office.terminals)


def order(office: Office, terminal: str, number: int, **changes: object) -> PaymentOrder:
    """An order as this terminal makes it."""
    agent = office.directory.terminals[terminal].agent
    return an_order(number, terminal, agent=agent, **changes)


@contextmanager
def loading(settings: Settings) -> Iterator[None]:
    """The real loader at work in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=run_loader, args=(settings, stop), name="loader")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()
