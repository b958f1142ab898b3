"""Too much of everything on a real stack: memory stays bounded, what is held settles, a storm is one alert."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import orjson
import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from agents.gateways.simulator_faults import Behaviour
from console.audit_run import run_audit
from console.demo_network import BEHAVIOURS
from console.fleet_messages import FleetMessage
from schemas.alert import Alert, AlertKind
from schemas.entry import Entry, EntryKind
from schemas.reject import HEADER_OFFSET, HEADER_PARTITION, KEPT_BYTES
from streams.clients import producer, reader
from streams.partitioner import partition_of
from streams.topics import ALERTS, LEDGER, PAYMENTS, REJECTS, Topic, partitions_of
from tests.network import Network, running_network, until

pytestmark = [pytest.mark.long, pytest.mark.timeout(280)]

FLOOD = int(os.environ.get("TEST_FLOOD", "10000"))
HELD = 300
GROWTH_MB = 150  # of the worker, while it has ten times more to do than it can
_MIB = 1024 * 1024
QUICK = {name: Behaviour() for name in BEHAVIOURS}


class Records:
    """What comes on a topic from now on; `look` takes in what there is. Entries of the ledger are kept decoded too."""

    def __init__(self, network: Network, topic: Topic) -> None:
        self._decodes = topic is LEDGER
        settings = network.stack.settings
        self._consumer: Consumer = reader(settings)
        places = [(topic.name, partition) for partition in range(partitions_of(topic, settings))]
        starts = network.ends.now(places)
        self._consumer.assign([TopicPartition(*place, offset) for place, offset in starts.items()])
        self.seen: list[Message] = []
        self.entries: list[Entry] = []

    def look(self) -> list[Message]:
        while messages := self._consumer.consume(2_000, 0.05):
            fresh = [message for message in messages if message.error() is None]
            self.seen += fresh
            self.entries += [Entry.decode(one.value() or b"") for one in fresh] if self._decodes else []
            if not fresh:
                break
        return self.seen

    def close(self) -> None:
        self._consumer.close()


@contextmanager
def records(network: Network, *topics: Topic) -> Iterator[list[Records]]:
    found = [Records(network, topic) for topic in topics]
    try:
        yield found
    finally:
        for one in found:
            one.close()


def entries(of: Records) -> list[Entry]:
    of.look()
    return of.entries


def alerts(of: Records) -> list[Alert]:
    return [Alert.model_validate_json(message.value() or b"") for message in of.look()]


def memory_mb(pid: int) -> int:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024


def seeded() -> int:
    seed = Random().randrange(1, 10**6)
    print(f"seed {seed}")
    return seed


def audit(network: Network) -> None:
    report = run_audit(network.stack.settings, simulator=network.simulator.url, wait_s=60)
    assert report.passed, [f"{check.name}: {failure}" for check in report.checks for failure in check.failures[:3]]


def test_a_flood_stays_in_kafka_and_what_was_held_settles_meanwhile(tmp_path: Path) -> None:
    seed = seeded()
    slow = {name: Behaviour(delay_ms=150) for name in BEHAVIOURS}
    with running_network(tmp_path, slow, seed=seed) as network, records(network, LEDGER) as (ledger,):
        everything = list(network.messages(seed, HELD + FLOOD))  # signed before, so that the flood comes at once
        network.send(iter(everything[:HELD]))
        until("all are held", lambda: _count(ledger, EntryKind.HELD, EntryKind.DECLINED) >= HELD)
        first = {entry.payment.id for entry in entries(ledger) if entry.kind is EntryKind.HELD and entry.payment}

        pid = network.stack.pid("worker-1")
        before, peak, seen, decided, settled_at = memory_mb(pid), 0, 0, -HELD, dict[str, int]()
        began = time.monotonic()
        network.send(iter(everything[HELD:]))

        def consumed() -> bool:
            nonlocal peak, decided, seen
            peak = max(peak, memory_mb(pid))
            news, seen = entries(ledger)[seen:], len(ledger.entries)
            for entry in news:
                decided += entry.kind in (EntryKind.HELD, EntryKind.DECLINED)
                if entry.payment is not None and entry.kind in (EntryKind.POSTED, EntryKind.VOIDED):
                    settled_at[entry.payment.id] = decided
            return decided >= FLOOD

        until("the flood is consumed", consumed, 200, lambda: decided, every_s=0.1)
        meanwhile = sum(settled_at.get(payment, FLOOD) < FLOOD * 9 // 10 for payment in first)
        print(f"{FLOOD / (time.monotonic() - began):,.0f}/s; worker {before} MB, at most {peak} MB; of {len(first)} "
              f"held before, {meanwhile} settled before nine tenths of the flood were decided")  # fmt: skip
        assert peak - before < GROWTH_MB
        assert meanwhile == len(first)
        audit(network)


def _count(ledger: Records, *kinds: EntryKind) -> int:
    return sum(entry.kind in kinds for entry in entries(ledger))


def test_a_reject_storm_is_one_alert_slows_its_partition_alone_and_is_over_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KASSA_REJECTS_PER_S", "100")
    monkeypatch.setenv("KASSA_REJECTS_BURST", "200")
    seed = seeded()
    with (
        running_network(tmp_path, QUICK, seed=seed) as network,
        records(network, LEDGER, REJECTS, ALERTS) as (ledger, rejects, told),
    ):
        stormy, elsewhere = _two_trees(network)
        flood(network, stormy, 900)
        good = _good(network, seed, elsewhere, 60)
        network.send(iter(good))
        until("good payments elsewhere are posted", lambda: _posted(ledger) >= {one.id for one in good})
        assert len(rejects.look()) < 900, "the storm was over before the good payments were posted"

        began = time.monotonic()
        already = len(rejects.look())
        until("all are in quarantine", lambda: len(rejects.look()) >= 900)
        seconds = time.monotonic() - began
        print(f"{900 - already} rejects in {seconds:.1f} s; the limit is 100/s")
        assert 900 - already < 100 * (seconds + 2), "read faster than the limit"
        origins = Counter((_header(one, HEADER_PARTITION), _header(one, HEADER_OFFSET)) for one in rejects.look())
        assert len(origins) == 900
        assert set(origins.values()) == {1}

        until("it is over", lambda: any(alert.over for alert in alerts(told)))
        place = f"payments/{partition_of(stormy, network.stack.settings.partitions)}"
        assert [(one.kind, one.subject, one.over) for one in alerts(told)] == [
            (AlertKind.REJECT_STORM, place, False),
            (AlertKind.REJECT_STORM, place, True),
        ]
        # It begins with the batch that emptied the bucket of 200, into which each second had put 100 more meanwhile.
        assert 500 <= alerts(told)[-1].count <= 900
        late = _good(network, seed + 1, stormy, 20)
        network.send(iter(late))
        until("the partition is as before", lambda: _posted(ledger) >= {one.id for one in late})
        audit(network)


def test_a_terminal_whose_messages_are_all_rejected_is_told_of_once(tmp_path: Path) -> None:
    seed = seeded()
    with running_network(tmp_path, QUICK, seed=seed) as network, records(network, ALERTS) as (told,):
        terminal = network.fleet[0]
        with_key = [terminal.key.sign(orjson.dumps({"number": number})) for number in range(30)]
        send = producer(network.stack.settings)
        for value in with_key:
            send.produce(PAYMENTS.name, value, terminal.tree.encode())
        assert send.flush(30) == 0
        until("it is told", lambda: len(alerts(told)) >= 1)
        good = [one for one in _good(network, seed, terminal.tree, 400) if one.terminal == terminal.id][:3]
        network.send(iter(good))
        until("it is over", lambda: len(alerts(told)) >= 2)
        assert [(one.kind, one.subject, one.agent, one.over) for one in alerts(told)] == [
            (AlertKind.REJECTS_IN_A_ROW, terminal.id, terminal.agent, False),
            (AlertKind.REJECTS_IN_A_ROW, terminal.id, terminal.agent, True),
        ]
        assert [message.key() for message in told.look()] == [terminal.agent.encode()] * 2


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_no_codec_of_a_sender_stalls_a_partition(shared: Network, codec: str) -> None:
    with records(shared, LEDGER) as (ledger,):
        good = _good(shared, seeded(), shared.fleet[0].tree, 30)
        send = producer(shared.stack.settings, compression_type=codec)
        for one in good:
            send.produce(PAYMENTS.name, one.value, one.key)
        assert send.flush(30) == 0
        until("they are posted", lambda: _posted(ledger) >= {one.id for one in good})


def test_messages_larger_than_any_worker_could_want_are_quarantined_one_after_the_other(shared: Network) -> None:
    """Compression brings them past the broker's bound. The last one is longer than what quarantine keeps."""
    tree, sizes = shared.fleet[0].tree, [11 * _MIB] * 8 + [20 * _MIB]
    with records(shared, LEDGER, REJECTS) as (ledger, rejects):
        send = producer(shared.stack.settings, compression_type="zstd", message_max_bytes=32 * _MIB)
        for size in sizes:
            send.produce(PAYMENTS.name, b"x" * size, tree.encode())
            assert send.flush(30) == 0
        good = _good(shared, seeded(), tree, 5)
        shared.send(iter(good))
        until("a good payment behind them is posted", lambda: _posted(ledger) >= {one.id for one in good}, 120)
        until("all are in quarantine", lambda: len(rejects.look()) >= len(sizes))
        assert [len(one.value() or b"") for one in rejects.look()] == [min(size, KEPT_BYTES) for size in sizes]
        audit(shared)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with running_network(tmp_path_factory.mktemp("shared"), QUICK) as network:
        yield network


def _two_trees(network: Network) -> tuple[str, str]:
    """Two trees on different partitions."""
    partitions = network.stack.settings.partitions
    trees = sorted({terminal.tree for terminal in network.fleet})
    stormy = trees[0]
    return stormy, next(tree for tree in trees if partition_of(tree, partitions) != partition_of(stormy, partitions))


def flood(network: Network, tree: str, count: int) -> None:
    send = producer(network.stack.settings)
    for number in range(count):
        send.produce(PAYMENTS.name, b"rubbish %d" % number, tree.encode())
    assert send.flush(30) == 0


def _good(network: Network, seed: int, tree: str, count: int) -> list[FleetMessage]:
    """At most `count` good payments of terminals of this tree, numbered after all that were made before."""
    network.fleet = [replace(one, first_number=one.first_number + 10_000) for one in network.fleet]
    trees = {terminal.id: terminal.tree for terminal in network.fleet}
    return [one for one in network.messages(seed, count * 8) if trees[one.terminal] == tree][:count]


def _posted(ledger: Records) -> set[str]:
    return {one.payment.id for one in entries(ledger) if one.kind is EntryKind.POSTED and one.payment is not None}


def _header(message: Message, name: str) -> bytes:
    return dict(message.headers() or ())[name]  # type: ignore[arg-type,return-value]
