"""What the faults happen to: three brokers, workers, a sink, a warehouse and payees, and cables between them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agents.gateways.simulator import Simulator
from agents.gateways.simulator_faults import Behaviour
from console import demo_network as network
from console.client import Client
from console.demo import carry_out
from console.fleet_world import FleetTerminal
from console.stack import Stack
from schemas.command import DirectoryCommand, SetPayee, TreeCommand
from sinks.embedded import EmbeddedWarehouse
from streams.apache_kafka import ApacheKafka
from streams.keyring import load_operator_key
from streams.settings import Settings
from tests.chaos import other_payees as others
from tests.chaos.answers_told import TELLS
from tests.chaos.cable import HOST, Cable, Cables
from tests.chaos.disk import SmallDisk
from tests.chaos.overheard import Overheard, asked_file

BROKERS, PARTITIONS = 3, 12
READY_S = 120.0
SINK = "sink-1"


@dataclass
class Site:
    """A running installation. Faults of different lanes act on it from different threads, each on its own part."""

    directory: Path
    seed: int
    stack: Stack
    kafka: ApacheKafka
    simulator: Simulator
    workers: list[str]
    to_brokers: dict[str, list[Cable]]  # by worker: one cable a broker
    to_payees: Cable
    to_warehouse: Cable
    disks: dict[str, SmallDisk]  # by what is on it; empty where we may not mount
    fleet: list[FleetTerminal] = field(default_factory=list)
    _starting: threading.Lock = field(default_factory=threading.Lock)

    @property
    def settings(self) -> Settings:
        """As clients of the installation reach it: brokers directly, the warehouse wherever it is now."""
        return self.stack.settings.model_copy(update={"clickhouse": f"http://{HOST}:{self.to_warehouse.port}"})

    @property
    def payees_url(self) -> str:
        return f"http://{HOST}:{self.to_payees.port}"

    def clock_file(self, worker: str) -> Path:
        return self.directory / "run" / f"{worker}.clock"

    def start_simulator(self, port: int) -> None:
        """The payees' machine, with the book it had before."""
        self.simulator = start_simulator(self.directory, self.seed, port)

    def restart_warehouse(self) -> None:
        self.stack.warehouse = EmbeddedWarehouse.start(self.stack.warehouse.directory)

    def revive_ended(self, names: list[str]) -> list[str]:
        """Start those of these parts again that have ended by themselves, as an init system would; returns them."""
        with self._starting:
            ended = [name for name in self.stack.ended() if name in names]
            for name in ended:
                self.stack.revive(name)
        return ended


@contextmanager
def running_site(directory: Path, workers: int, seed: int) -> Iterator[Site]:
    """The installation, its network introduced and its agents with money enough."""
    # For the topics that the stack makes, and for its processes; snapshots often, so that short runs have some, and
    # vouchers that nobody pays for are let go within one.
    os.environ.update(KASSA_REPLICATION="3", KASSA_SNAPSHOT_EVERY="200", KASSA_VOUCHER_RESERVE_S="15")
    names = [f"worker-{number}" for number in range(1, workers + 1)]
    with ExitStack() as held:
        ear = Overheard(asked_file(directory))
        held.callback(ear.close)
        cables = held.enter_context(Cables())
        to_brokers: dict[str, list[Cable]] = {name: [] for name in names}

        def start_kafka(place: Path) -> ApacheKafka:
            doors = {_door(name): _lay(cables, to_brokers[name]) for name in names}
            return ApacheKafka.start(place / "kafka", brokers=BROKERS, doors=doors)

        disks = {what: disk for what in ("snapshots", "warehouse") if (disk := SmallDisk.mount(directory / what))}
        for disk in disks.values():
            held.callback(disk.unmount)
        stack = held.enter_context(
            Stack(directory, workers=0, partitions=PARTITIONS, sink=False, start_broker=start_kafka)
        )
        kafka = stack.broker
        assert isinstance(kafka, ApacheKafka)
        simulator = start_simulator(directory, seed, 0)
        to_payees = cables.lay(lambda: simulator.port, ear.hear)
        to_warehouse = cables.lay(lambda: stack.warehouse.port)
        site = Site(directory, seed, stack, kafka, simulator, names, to_brokers, to_payees, to_warehouse, disks)
        held.callback(lambda: site.simulator.stop())
        stack.tell(simulator=site.payees_url)
        _start_parts(site)
        site.fleet = network.terminals(stack.settings)
        _introduce(site)
        yield site


def start_simulator(directory: Path, seed: int, port: int) -> Simulator:
    return Simulator.start(directory / "run" / "simulator", payees(), seed, journal=True, port=port)


def payees() -> dict[str, Behaviour]:
    """How payees behave when nothing is wrong with them, which is not perfectly either."""
    return {
        "mobile": Behaviour(),
        "electro": Behaviour(cp1251=True),
        "water": Behaviour(drop_after_accept_pct=2, http_500_pct=2),
        "internet": Behaviour(decline_pct=5, options=TELLS),
        "transit": Behaviour(not_finished_pct=5),
        **others.behaviours(),
    }


def _door(worker: str) -> str:
    return worker.replace("-", "").upper()


def _lay(cables: Cables, kept: list[Cable]) -> Callable[[int], int]:
    """Lays a cable to each broker's port that it is told, and answers with the cable's own."""

    def advertise(port: int) -> int:
        kept.append(cables.lay(lambda: port))
        return kept[-1].port

    return advertise


def _start_parts(site: Site) -> None:
    for name in site.workers:
        reach = {"KASSA_KAFKA": site.kafka.bootstrap_at(_door(name)), "KASSA_CLOCK_SHIFT": str(site.clock_file(name))}
        site.stack.start(name, "worker", {"KASSA_WORKER_ID": name, **reach})
    site.stack.start(SINK, "sink", {"KASSA_CLICKHOUSE": site.settings.clickhouse})
    site.stack.wait_ready(READY_S)


def _introduce(site: Site) -> None:
    """Agents, payees, terminals and money, by signed commands like anybody's. Most payees are asked once, not twice:
    requests to payees are half of a run's work."""
    key = load_operator_key(site.settings, "root")

    def url_of(payee: str) -> str:
        return f"{site.payees_url}/{payee}/"

    first = [
        command.model_copy(update={"payee": command.payee.model_copy(update={"skip_check": True})})
        if isinstance(command, SetPayee) and command.payee.id != "internet"
        else command
        for command in network.first_commands(url_of, site.fleet)
    ]
    with Client(site.settings, ["root"], many=True) as client:
        for step in (first, network.sub_agents(), others.commands(site.settings, url_of, site.fleet), _money()):
            carry_out(client, step, key, READY_S)


def _money() -> list[TreeCommand | DirectoryCommand]:
    """Enough for all but the second sub-agents: they live on what the operators' orders bring, and run out of it."""
    rich = [one for one in network.deposits(enough=True) if not getattr(one, "agent", "").endswith("-2")]
    return [*rich, *(one for one in network.deposits() if getattr(one, "agent", "").endswith("-2"))]
