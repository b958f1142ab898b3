"""Throughput and latency of the running stack: accepted, settled, answered, loaded, recovered."""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import TopicPartition

from bench.figures import Figure
from bench.rig import CHECKED, DIRECT, PARKED, Rig
from console.client import Client
from console.fleet_tally import percentile
from schemas.entry import EntryKind
from sinks.warehouse import open_warehouse, rows
from streams.clients import reader
from streams.fold import recover
from streams.topics import LEDGER

_BOUND_S = 300.0


def accepted(rig: Rig, count: int) -> Figure:
    """Verified, decided and committed: the payee never answers, so nothing else happens."""
    orders = rig.orders(PARKED, count)
    seconds = _seconds_until(rig, EntryKind.HELD, count, lambda: rig.send(orders))
    return Figure("accepted", count / seconds, "payments/s", f"{count} signed payments to HELD, one worker")


def settled(rig: Rig, count: int, *, check: bool) -> Figure:
    """From signed message to POSTED, through HTTP to the simulator in another process."""
    orders = rig.orders(CHECKED if check else DIRECT, count)
    seconds = _seconds_until(rig, EntryKind.POSTED, count, lambda: rig.send(orders))
    name = "settled, check and pay" if check else "settled, pay only"
    return Figure(name, count / seconds, "payments/s", f"{count} signed payments to POSTED, one worker")


def answered(rig: Rig, rate: float, seconds: float) -> list[Figure]:
    """Time from producing a payment to reading its first signed reply, at a steady rate."""
    orders = rig.orders(PARKED, int(rate * seconds))
    sent: dict[str, float] = {}
    took: list[float] = []
    with Client(rig.stack.settings, [one.id for one in rig.fleet], many=True) as client:
        # A producer gets its id from the broker with its first message, and that takes half a second.
        _ = [answer for order in rig.orders(PARKED, 3) for answer in client.ask(order)]
        start = time.monotonic()
        for number, order in enumerate(orders):
            while (left := start + number / rate - time.monotonic()) > 0:
                _note(client, sent, took, min(left, 0.005))
            sent[order.id] = time.monotonic()
            client.send(order)
            _note(client, sent, took, 0)
        deadline = time.monotonic() + 30
        while sent and time.monotonic() < deadline:
            _note(client, sent, took, 0.02)
    how = f"produce to signed reply at {rate:,.0f}/s, half of accepted; {len(took)} of {len(orders)}"
    return [Figure(f"reply p{percent}", (percentile(took, percent) or 0) * 1000, "ms", how) for percent in (50, 99)]


def loaded(rig: Rig) -> Figure:
    """Rows of entries, legs and payment states into an empty warehouse."""
    expected = rig.entries()
    rig.stack.start_sink()
    began = None
    with open_warehouse(rig.stack.settings) as client:
        deadline = time.monotonic() + _BOUND_S
        while time.monotonic() < deadline:
            count = int(rows(client, "SELECT count() FROM entries")[0][0])
            if count and began is None:
                began, first = time.monotonic(), count
            if count >= expected:
                break
            time.sleep(0.05)
        assert began is not None
        seconds = time.monotonic() - began
        tables = rows(client, "SELECT (SELECT count() FROM legs) + (SELECT count() FROM payment_states)")
    total = (expected + int(tables[0][0])) * (expected - first) / expected
    return Figure("loaded", total / max(seconds, 0.05), "rows/s", f"{expected} entries with legs and states")


def recovered(rig: Rig) -> Figure:
    """Reading a ledger partition from Kafka to its end and folding it, as a starting worker does."""
    began, entries = time.monotonic(), 0
    for partition in range(rig.stack.settings.partitions):
        entries += recover(rig.stack.settings, partition).since
    return Figure("recovered", entries / (time.monotonic() - began), "entries/s", f"{entries} entries, one thread")


def _note(client: Client, sent: dict[str, float], took: list[float], time_out_s: float) -> None:
    reply = client.poll(time_out_s)
    while reply is not None:
        at = sent.pop(reply.id, None)
        if at is not None:
            took.append(time.monotonic() - at)
        reply = client.poll(0)


def _seconds_until(rig: Rig, kind: EntryKind, count: int, begin: Callable[[], None]) -> float:
    """Time from the first to the last of `count` new entries of a kind, by the ledger's own append times."""
    places = [(LEDGER.name, number) for number in range(rig.stack.settings.partitions)]
    starts = rig.ends.now(places)
    consumer = reader(rig.stack.settings)
    consumer.assign([TopicPartition(*place, offset) for place, offset in starts.items()])
    wanted, seen = f'"kind":"{kind}"'.encode(), list[int]()
    begin()
    deadline = time.monotonic() + _BOUND_S
    first = 0
    while len(seen) < count and time.monotonic() < deadline:
        for message in consumer.consume(1000, 0.1):
            if message.error() is None:
                first = first or message.timestamp()[1]
                if wanted in (message.value() or b"")[:200]:
                    seen.append(message.timestamp()[1])
    consumer.close()
    assert len(seen) == count, f"{len(seen)} of {count} {kind} in {_BOUND_S:.0f} s"
    return max((max(seen) - first) / 1000, 0.001)
