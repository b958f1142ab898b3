"""One broker of a real Apache Kafka: its ports, its settings, its process."""

import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from streams import kafka_jars, lifeline

HOST = "127.0.0.1"
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
class Door:
    """A listener of a broker's own, for clients that must come another way, such as through a proxy of a fault test.

    advertised: the port that those clients are told, of this machine too.
    """

    name: str
    advertised: int
    port: Port


def jvm() -> list[str]:
    """The command that runs a class of Kafka's jars: a small heap, and only the quick compiler, since brokers here
    live for minutes and share the machine with what they serve. Raises ApacheKafkaMissing.
    """
    options = ["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"]
    logging = {
        "showDateTime": "true",
        "dateTimeFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSZ",
        "log.org.apache.kafka.common.config": "warn",  # else hundreds of lines of settings
    }
    options += [f"-Dorg.slf4j.simpleLogger.{name}={value}" for name, value in logging.items()]
    return [kafka_jars.java(), *options, "-cp", kafka_jars.classpath()]


@dataclass(slots=True)
class Broker:
    """One node, controller and broker both. Its directory holds `properties`, `log` and `data/`."""

    node: int
    directory: Path
    jvm: Sequence[str]
    port: Port = field(default_factory=Port)
    controller_port: Port = field(default_factory=Port)
    doors: list[Door] = field(default_factory=list)
    more: Mapping[str, str] = field(default_factory=dict)  # server properties besides, or instead of, ours
    users: Mapping[str, str] = field(default_factory=dict)  # SCRAM-SHA-512, name to password, made with the storage
    process: subprocess.Popen[bytes] | None = None

    @property
    def properties(self) -> Path:
        return self.directory / "properties"

    @property
    def log(self) -> Path:
        return self.directory / "log"

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port.number}"

    def release_ports(self) -> None:
        for port in (self.port, self.controller_port, *(door.port for door in self.doors)):
            port.release()

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def is_formatted(self) -> bool:
        return (self.directory / "data" / "meta.properties").is_file()

    def format(self, cluster_id: str) -> None:
        """Start making its storage; `end` waits for it."""
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(self.properties)]
        for name, password in self.users.items():
            tool += ["--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]"]
        self.process = lifeline.spawn([*self.jvm, *tool], log=self.log)

    def start(self) -> None:
        """Start serving, unless it does already."""
        if not self.is_running:
            self.process = lifeline.spawn([*self.jvm, "kafka.Kafka", str(self.properties)], log=self.log)

    def send(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)

    def end(self, timeout_s: float) -> int:
        """Wait for its process to end, and kill it when it does not. Returns the exit status, 0 if there is none."""
        if self.process is None:
            return 0
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def failure(self, what: str) -> ApacheKafkaFailed:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return ApacheKafkaFailed("\n".join([f"Kafka broker {self.node} {what}; the end of {self.log}:", *lines]))


def server_properties(broker: Broker, voters: str, brokers: int) -> str:
    """What `kafka.Kafka` is started with. Three brokers keep three copies and acknowledge what two have."""
    copies, in_sync = (3, 2) if brokers >= 3 else (1, 1)
    listeners = {"PLAINTEXT": broker.port.number, **{door.name: door.port.number for door in broker.doors}}
    told = {"PLAINTEXT": broker.port.number, **{door.name: door.advertised for door in broker.doors}}
    every = {**listeners, "CONTROLLER": broker.controller_port.number}
    settings = {
        "process.roles": "broker,controller",
        "node.id": broker.node,
        "controller.quorum.voters": voters,
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listeners": _addresses(every),
        "advertised.listeners": _addresses(told),
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in every),
        "log.dirs": broker.directory / "data",
        # A topic nobody declared is a mistake to be seen, not to be made true.
        "auto.create.topics.enable": "false",
        "unclean.leader.election.enable": "false",  # who lacks acknowledged records must not lead
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": copies,
        "offsets.topic.num.partitions": INTERNAL_PARTITIONS,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": INTERNAL_PARTITIONS,
        "message.max.bytes": LARGEST_MESSAGE_BYTES,
        "replica.fetch.max.bytes": LARGEST_MESSAGE_BYTES,
        # One machine: nobody is slow to arrive, and the dead, brokers and writers both, are noticed in seconds.
        "group.initial.rebalance.delay.ms": 0,
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
        "broker.heartbeat.interval.ms": 500,
        "broker.session.timeout.ms": 6000,
        **broker.more,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _addresses(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items())
