"""Many trees, some on every partition, that pay at a steady rate while workers come and go."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

import orjson
from confluent_kafka import KafkaError, Message, TopicPartition

from agents.gateways.simulator import Simulator
from agents.gateways.simulator_faults import Behaviour
from console import demo_network as network
from console.client import Client
from console.demo import carry_out
from console.fleet_world import FleetPayee, FleetTerminal, Orders, World
from console.stack import Broker, Stack
from schemas.command import Deposit, OpenAgent
from schemas.entry import Entry, EntryKind
from streams.clients import producer, reader
from streams.keyring import ensure_terminal_key, load_operator_key
from streams.partitioner import partition_of
from streams.settings import Settings
from streams.topics import LEDGER, PAYMENTS

TREES_A_PARTITION = 2
# Of one payee, requests are always under way when something happens; the others are quick.
SLOW = "electro"
BEHAVIOURS = {
    **{name: Behaviour() for name in network.BEHAVIOURS},
    SLOW: Behaviour(delay_ms=700, jitter_ms=300),
    "water": Behaviour(drop_after_accept_pct=5),
    "internet": Behaviour(decline_pct=5),
}
_DECIDED = frozenset({EntryKind.HELD, EntryKind.DECLINED})
_OPEN = frozenset({EntryKind.HELD, EntryKind.DEFERRED, EntryKind.REROUTED, EntryKind.SENT, EntryKind.UNKNOWN})


class Watch:
    """Follows the ledger: how often each payment was decided, which are open where, when each partition last moved."""

    def __init__(self, settings: Settings) -> None:
        self.decided: Counter[str] = Counter()
        self.open: dict[str, tuple[int, str]] = {}  # payment -> its partition and payee
        self.ends: Counter[EntryKind] = Counter()
        self._moved: dict[int, int] = {}
        self._consumer = reader(settings)
        self._consumer.assign([TopicPartition(LEDGER.name, number, 0) for number in range(settings.partitions)])

    def look(self, time_out_s: float = 0.05) -> Self:
        """Take in what is new."""
        for message in self._consumer.consume(2000, time_out_s):
            if message.error() is None:
                self._moved[message.partition() or 0] = message.timestamp()[1]
                self._see(message.partition() or 0, Entry.decode(message.value() or b""))
        return self

    def has_moved(self, partitions: set[int], since: int) -> bool:
        """Was something decided on all of these after `since` (ms UTC)?"""
        self.look()
        return all(self._moved.get(partition, 0) > since for partition in partitions)

    def close(self) -> None:
        self._consumer.close()

    def _see(self, partition: int, entry: Entry) -> None:
        if entry.payment is None:
            return
        payment = entry.payment.id
        self.decided[payment] += entry.kind in _DECIDED
        if entry.kind in _OPEN:
            self.open[payment] = (partition, entry.payment.payee)
        else:
            self.open.pop(payment, None)
            self.ends[entry.kind] += 1


class Flow:
    """Good payments at `rate` a second from a thread of its own, for as long as the block lasts."""

    def __init__(self, settings: Settings, orders: Orders, rate: float) -> None:
        self.taken: list[str] = []  # ids of the payments that Kafka acknowledged
        self._orders = orders
        self._rate = rate
        self._producer = producer(settings)
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flow")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._enough.set()
        self._thread.join()
        left = self._producer.flush(60)
        assert left == 0, f"{left} payments could not be sent"

    def _run(self) -> None:
        start, sent = time.monotonic(), 0
        while not self._enough.wait(max(0.0, start + sent / self._rate - time.monotonic())):
            terminal = self._orders.next_terminal()
            order = self._orders.order(terminal, self._orders.payee_for(terminal))
            self._send(terminal, str(order["id"]), terminal.key.sign(orjson.dumps(order)))
            sent += 1

    def _send(self, terminal: FleetTerminal, payment: str, value: bytes) -> None:
        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is None:
                self.taken.append(payment)

        self._producer.produce(PAYMENTS.name, value, terminal.tree.encode(), on_delivery=delivered)
        self._producer.poll(0)


@dataclass
class WideNetwork:
    """A running stack whose trees are spread over all partitions, two on each, a terminal a tree."""

    stack: Stack
    simulator: Simulator
    orders: Orders
    watch: Watch

    @property
    def partitions(self) -> set[int]:
        return set(range(self.stack.settings.partitions))

    def paying(self, rate: float) -> Flow:
        return Flow(self.stack.settings, self.orders, rate)

    def holders(self, *workers: str) -> list[set[int]]:
        """What each of these workers holds; nothing for one that is not ready."""
        return [self.stack.held(worker) or set() for worker in workers]

    def share_all(self, *workers: str) -> bool:
        """Do these workers hold every partition between them, each exactly once, and nobody nothing?"""
        held = self.holders(*workers)
        return all(held) and sorted(number for numbers in held for number in numbers) == sorted(self.partitions)

    def deposit(self, number: int) -> None:
        """A command to every tree, so to every partition; returns when each was answered."""
        trees = _trees(len(self.partitions))
        with Client(self.stack.settings, ["root"], many=True) as client:
            deposits = [
                Deposit(
                    id=f"wide.{number}.{tree}", issued_at=datetime.now(UTC), tree=tree, agent=tree, amount=10**9,
                    currency=network.CURRENCY, document=f"wide {number}",
                )
                for tree in trees
            ]  # fmt: skip
            carry_out(client, deposits, load_operator_key(self.stack.settings, "root"))

    def log(self, worker: str) -> str:
        """All that the worker has logged."""
        return (self.stack.directory / "run" / f"{worker}.log").read_text(errors="replace")


@contextmanager
def wide_network(
    directory: Path, seed: int, *, partitions: int, workers: int, start_broker: Callable[[Path], Broker]
) -> Iterator[WideNetwork]:
    """A stack with its simulator and trees, ready to pay."""
    with (
        Stack(directory, workers=workers, partitions=partitions, start_broker=start_broker) as stack,
        Simulator.start(directory / "run" / "simulator", BEHAVIOURS, seed) as simulator,
    ):
        stack.tell(simulator=simulator.url)
        stack.wait_ready()
        fleet = [
            FleetTerminal(f"t-{tree}", tree, tree, network.CURRENCY, ensure_terminal_key(stack.settings, f"t-{tree}"))
            for tree in _trees(partitions)
        ]
        with Client(stack.settings, ["root"], many=True) as client:
            key = load_operator_key(stack.settings, "root")
            carry_out(client, [*_roots(fleet), *network.first_commands(simulator.url_of, fleet)], key)
        rng = Random(seed)
        payees = [FleetPayee.of(payee, network.tariff(payee.id), rng) for payee in network.payees()]
        found = WideNetwork(
            stack, simulator, Orders(World(fleet, payees, datetime.now(UTC)), rng), Watch(stack.settings)
        )
        found.deposit(0)
        try:
            yield found
        finally:
            found.watch.close()


def _trees(partitions: int) -> list[str]:
    """Names of trees, as many on each partition."""
    room = Counter(dict.fromkeys(range(partitions), TREES_A_PARTITION))
    names: list[str] = []
    number = 0
    while +room:
        name = f"wide-{number}"
        number += 1
        home = partition_of(name, partitions)
        if room[home]:
            room[home] -= 1
            names.append(name)
    return names


def _roots(fleet: list[FleetTerminal]) -> Iterator[OpenAgent]:
    for one in fleet:
        yield OpenAgent(
            id=f"wide.{one.tree}", issued_at=datetime.now(UTC), tree=one.tree, agent=one.tree, name=one.tree,
            currency=one.currency,
        )  # fmt: skip
