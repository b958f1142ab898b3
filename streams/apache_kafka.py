"""A real Apache Kafka without Docker: KRaft brokers from Maven Central's jars, on 127.0.0.1.

For the tests that must not trust an emulator, and for operators who have Java. Has the embedded broker's interface
(`start`, `.bootstrap`, `.stop()`), and besides can lose a broker on purpose.

    with ApacheKafka.start(Path("var/kafka"), brokers=3) as kafka:
        Producer({"bootstrap.servers": kafka.bootstrap})

    python -m streams.apache_kafka --dir var/kafka --brokers 3
"""

import argparse
import base64
import signal
import socket
import subprocess
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams import kafka_jars, lifeline

HOST = "127.0.0.1"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
LARGEST_MESSAGE_BYTES = 16 * 1024 * 1024
INTERNAL_PARTITIONS = 12  # as many as the ledger's; the default of 50 makes the first transaction slow
LOG_TAIL_LINES = 20


class ApacheKafkaFailed(RuntimeError):
    """A broker ended or did not serve in time; the message carries the end of its log."""


@dataclass(slots=True)
class Port:
    """A port of 127.0.0.1 that stays ours while the broker is down.

    The socket is bound and never listens: with SO_REUSEADDR, which Java's server sockets set too, the broker can
    listen on the port all the same, and the kernel gives it to nobody who asks for any free one.
    """

    _held: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))

    def __post_init__(self) -> None:
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind((HOST, 0))

    @property
    def number(self) -> int:
        return int(self._held.getsockname()[1])

    def release(self) -> None:
        self._held.close()


@dataclass(slots=True)
class Broker:
    """One node, controller and broker both. Its directory holds `properties`, `log` and `data/`."""

    node: int
    directory: Path
    port: Port = field(default_factory=Port)
    controller_port: Port = field(default_factory=Port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def properties(self) -> Path:
        return self.directory / "properties"

    @property
    def log(self) -> Path:
        return self.directory / "log"

    @property
    def is_formatted(self) -> bool:
        return (self.directory / "data" / "meta.properties").is_file()

    def spawn(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Run a class of Kafka's jars with this node's log."""
        options = ["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-Djava.awt.headless=true"]
        logging = "-Dorg.slf4j.simpleLogger."
        options += [f"{logging}showDateTime=true", f"{logging}dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ"]
        options += [f"{logging}log.org.apache.kafka.common.config=warn"]  # hundreds of lines of settings
        command = [kafka_jars.java(), *options, "-cp", kafka_jars.classpath(), *arguments]
        return lifeline.spawn(command, log=self.log)

    def start(self) -> None:
        if self.process is None or self.process.poll() is not None:
            self.process = self.spawn("kafka.Kafka", str(self.properties))

    def send(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)

    def end(self, timeout_s: float) -> None:
        """Wait for it to go, and kill it when it does not."""
        if self.process is None:
            return
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def failure(self, what: str) -> ApacheKafkaFailed:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return ApacheKafkaFailed("\n".join([f"Kafka broker {self.node} {what}; the end of {self.log}:", *lines]))


class ApacheKafka:
    """A running cluster. Nodes are numbered from 1."""

    def __init__(self, directory: Path, brokers: int) -> None:
        self._cluster_id = _cluster_id(directory)
        self._brokers = {node: Broker(node, directory / f"broker-{node}") for node in range(1, brokers + 1)}

    @classmethod
    def start(cls, directory: Path, *, brokers: int = 1) -> Self:
        """A cluster that serves, new or with the data that `directory` has from before.

        Raises ApacheKafkaMissing without Java 17 or Maven, ApacheKafkaFailed when a broker does not serve.
        """
        directory = directory.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        if (kept := len(list(directory.glob("broker-*")))) not in (0, brokers):
            raise ValueError(
                f"{directory} is of a cluster of {kept}, not {brokers}: give that number, or another place"
            )
        kafka = cls(directory, brokers)
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
        return ",".join(f"{HOST}:{broker.port.number}" for broker in self._brokers.values())

    def stop(self) -> None:
        """Stop every broker in order, at most STOP_TIMEOUT_S all together, then by force. Data stays."""
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for broker in self._brokers.values():
            broker.send(signal.SIGTERM)
            broker.send(signal.SIGCONT)
        for broker in self._brokers.values():
            broker.end(max(0.0, deadline - time.monotonic()))
            broker.port.release()
            broker.controller_port.release()

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    def _format(self) -> None:
        """Write every node's properties, since ports change from start to start, and format new storage."""
        voters = ",".join(f"{b.node}@{HOST}:{b.controller_port.number}" for b in self._brokers.values())
        formatting = []
        for broker in self._brokers.values():
            broker.directory.mkdir(exist_ok=True)
            broker.properties.write_text(_properties(broker, voters, len(self._brokers)), encoding="utf-8")
            if not broker.is_formatted:
                tool = ("kafka.tools.StorageTool", "format", "-t", self._cluster_id, "-c", str(broker.properties))
                formatting.append((broker, broker.spawn(*tool)))
        for broker, process in formatting:
            if process.wait(START_TIMEOUT_S) != 0:
                raise broker.failure("could not format its storage")

    def _wait_until_serving(self) -> None:
        """Until every broker that runs is in the cluster's metadata."""
        deadline = time.monotonic() + START_TIMEOUT_S
        # log_level 0: refused connections are what we wait out, not news.
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        while missing := self._running() - _nodes(admin):
            broker = self._brokers[min(missing)]
            if broker.process is None or broker.process.poll() is not None:
                raise broker.failure("ended")
            if time.monotonic() > deadline:
                raise broker.failure(f"did not serve within {START_TIMEOUT_S:.0f} s")
            time.sleep(0.05)

    def _running(self) -> set[int]:
        return {node for node, broker in self._brokers.items() if broker.process is not None}


def _nodes(admin: AdminClient) -> set[int]:
    """The nodes that take part now, as the cluster sees it."""
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


def _properties(broker: Broker, voters: str, brokers: int) -> str:
    copies, in_sync = (3, 2) if brokers >= 3 else (1, 1)
    settings = {
        "process.roles": "broker,controller",
        "node.id": broker.node,
        "controller.quorum.voters": voters,
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{HOST}:{broker.port.number},CONTROLLER://{HOST}:{broker.controller_port.number}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": broker.directory / "data",
        # A topic nobody declared is a mistake to be seen, not to be made true.
        "auto.create.topics.enable": "false",
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": copies,
        "offsets.topic.num.partitions": INTERNAL_PARTITIONS,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": INTERNAL_PARTITIONS,
        "message.max.bytes": LARGEST_MESSAGE_BYTES,
        "replica.fetch.max.bytes": LARGEST_MESSAGE_BYTES,
        # One machine: nobody is slow to arrive, and a dead broker should be noticed in seconds.
        "group.initial.rebalance.delay.ms": 0,
        "broker.heartbeat.interval.ms": 500,
        "broker.session.timeout.ms": 4000,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def main() -> None:
    """Run brokers until Ctrl-C or SIGTERM, and print where they are."""
    parser = argparse.ArgumentParser(
        prog="python -m streams.apache_kafka", description="A real Apache Kafka, on this machine."
    )
    parser.add_argument("--dir", type=Path, required=True, help="where its data lives; kept between runs")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    wanted = parser.parse_args()
    stops = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    with ApacheKafka.start(wanted.dir, brokers=wanted.brokers) as kafka:
        print(kafka.bootstrap, flush=True)
        signal.sigwait(stops)


if __name__ == "__main__":
    main()
