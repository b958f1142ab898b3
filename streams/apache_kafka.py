"""A real Apache Kafka without Docker: KRaft brokers from Maven Central's jars, on 127.0.0.1.

For the tests that must not trust an emulator, and for operators who have Java. Has the embedded broker's interface
(`start`, `.bootstrap`, `.stop()`), and besides can lose a broker on purpose.

    with ApacheKafka.start(Path("var/kafka"), brokers=3) as kafka:
        Producer({"bootstrap.servers": kafka.bootstrap})
"""

import base64
import signal
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.kafka_broker import HOST, ApacheKafkaFailed, Broker, Door, Port, jvm, server_properties
from streams.kafka_jars import ApacheKafkaMissing

__all__ = ["ApacheKafka", "ApacheKafkaFailed", "ApacheKafkaMissing", "ClusterOfAnotherSize"]

START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 10.0

# From the port a broker has for a listener to the port that clients of that listener are told.
Advertise = Callable[[int], int]


class ClusterOfAnotherSize(ValueError):
    """The directory holds the data of more or fewer brokers than asked for."""


class ApacheKafka:
    """A running cluster. Nodes are numbered from 1."""

    def __init__(self, directory: Path, brokers: int, doors: Mapping[str, Advertise]) -> None:
        self._cluster_id = _cluster_id(directory)
        command = jvm()
        self._brokers = {node: Broker(node, directory / f"broker-{node}", command) for node in range(1, brokers + 1)}
        for broker in self._brokers.values():
            for name, advertise in doors.items():
                port = Port()
                broker.doors.append(Door(name, advertise(port.number), port))

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        brokers: int = 1,
        doors: Mapping[str, Advertise] | None = None,
        properties: Mapping[str, str] | None = None,
        users: Mapping[str, str] | None = None,
    ) -> Self:
        """A cluster that serves, new or with the data that `directory` has from before.

        doors: further listeners of every broker by name (capital letters and digits); each function is told the
        port a broker has for that listener, and answers with the port its clients are to be told instead.
        properties: further server properties, which win over ours. users: name to password, SCRAM-SHA-512; made
        when the storage is new.
        Raises ApacheKafkaMissing without Java 17 or Maven, ApacheKafkaFailed when a broker does not serve,
        ClusterOfAnotherSize.
        """
        directory = directory.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        if (kept := len(list(directory.glob("broker-*")))) not in (0, brokers):
            raise ClusterOfAnotherSize(
                f"{directory} is of a cluster of {kept}, not {brokers}: give that number, or another place"
            )
        kafka = cls(directory, brokers, doors or {})
        for broker in kafka._brokers.values():
            broker.more, broker.users = properties or {}, users or {}
        try:
            kafka._format()
            for broker in kafka._brokers.values():
                broker.start()
            kafka._wait_until_serving()
        except BaseException:
            kafka.stop()
            raise
        return kafka

    @property
    def bootstrap(self) -> str:
        """The value of `bootstrap.servers`; it stays the same when brokers restart."""
        return ",".join(broker.address for broker in self._brokers.values())

    def bootstrap_at(self, door: str) -> str:
        """The value of `bootstrap.servers` for clients that come through this door."""
        ports = [one.advertised for broker in self._brokers.values() for one in broker.doors if one.name == door]
        return ",".join(f"{HOST}:{port}" for port in ports)

    @property
    def identity(self) -> str:
        """The cluster's id: the same for as long as its records last."""
        return self._cluster_id

    @property
    def is_running(self) -> bool:
        """Whether every broker's process is there."""
        return all(broker.is_running for broker in self._brokers.values())

    def stop(self) -> None:
        """Stop every broker in order, at most STOP_TIMEOUT_S all together, then by force. Data stays."""
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for broker in self._brokers.values():
            broker.send(signal.SIGTERM)
            broker.send(signal.SIGCONT)
        for broker in self._brokers.values():
            broker.end(max(0.0, deadline - time.monotonic()))
            broker.release_ports()

    def kill(self, node: int) -> None:
        """End a broker as a power cut would (SIGKILL)."""
        self._brokers[node].send(signal.SIGKILL)
        self._brokers[node].end(STOP_TIMEOUT_S)

    def restart(self, node: int) -> None:
        """Stop a broker in order if it runs, and start it with the same ports and data. Returns when it serves."""
        broker = self._brokers[node]
        broker.send(signal.SIGTERM)
        broker.send(signal.SIGCONT)
        broker.end(STOP_TIMEOUT_S)
        broker.start()
        self._wait_until_serving()

    def pause(self, node: int) -> None:
        """Freeze a broker: its connections stay open and nothing answers (SIGSTOP)."""
        self._brokers[node].send(signal.SIGSTOP)

    def resume(self, node: int) -> None:
        """Let a paused broker go on, from where it was (SIGCONT)."""
        self._brokers[node].send(signal.SIGCONT)

    def watch(self) -> None:
        """Block for as long as every broker runs. Raises ApacheKafkaFailed when one ends by itself."""
        while True:
            for broker in self._brokers.values():
                if not broker.is_running:
                    raise broker.failure("ended")
            time.sleep(0.5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    def _format(self) -> None:
        """Write every node's properties, since ports change from start to start, and format new storage."""
        voters = ",".join(f"{b.node}@{HOST}:{b.controller_port.number}" for b in self._brokers.values())
        new = [broker for broker in self._brokers.values() if not broker.is_formatted]
        for broker in self._brokers.values():
            broker.directory.mkdir(exist_ok=True)
            broker.properties.write_text(server_properties(broker, voters, len(self._brokers)), encoding="utf-8")
        for broker in new:
            broker.format(self._cluster_id)
        for broker in new:
            if broker.end(START_TIMEOUT_S) != 0:
                raise broker.failure("could not format its storage")

    def _wait_until_serving(self) -> None:
        """Until every broker that runs answers for itself and sees all the others."""
        deadline = time.monotonic() + START_TIMEOUT_S
        running = {node: broker for node, broker in self._brokers.items() if broker.is_running}
        for broker in running.values():
            admin = AdminClient(
                {"bootstrap.servers": broker.address, "reconnect.backoff.max.ms": 200, "log_level": 0}
            )  # log_level 0: refused connections are what we wait out, not news
            while not running.keys() <= _nodes(admin):
                for one in running.values():
                    if not one.is_running:
                        raise one.failure("ended")
                if time.monotonic() > deadline:
                    raise broker.failure(f"did not serve within {START_TIMEOUT_S:.0f} s")
                time.sleep(0.05)


def _nodes(admin: AdminClient) -> set[int]:
    """The nodes that take part, as the broker asked sees it. A broker answers only when it takes part itself."""
    try:
        return set(admin.list_topics(timeout=1).brokers)
    except KafkaException:
        return set()


def _cluster_id(directory: Path) -> str:
    """The cluster's own id, made once: 16 bytes as URL-safe base64 without padding."""
    kept = directory / "cluster.id"
    if not kept.is_file():
        # Kafka's tool takes an id with a leading dash for an option.
        kept.write_text("k" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22], encoding="ascii")
    return kept.read_text(encoding="ascii")
