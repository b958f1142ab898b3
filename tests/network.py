"""A small network on a real one-machine stack, for tests that follow payments all the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from agents.gateways.simulator import Simulator
from agents.gateways.simulator_faults import Behaviour
from console import demo_network as network
from console.client import Client
from console.demo import carry_out
from console.fleet_messages import FleetMessage, messages
from console.fleet_world import FleetPayee, FleetTerminal, World
from console.requests import Request
from console.stack import Broker, Stack
from schemas.command import Command, SetPayee
from streams.embedded import EmbeddedBroker
from streams.ends import Ends
from streams.keyring import load_operator_key
from streams.topics import LEDGER, PAYMENTS


@dataclass
class Network:
    """A running stack with the demo's agents, terminals and payees, all with money enough."""

    stack: Stack
    simulator: Simulator
    fleet: list[FleetTerminal]
    ends: Ends

    def world(self, seed: int) -> World:
        rng = Random(seed)
        payees = [FleetPayee.of(payee, network.tariff(payee.id), rng) for payee in network.payees()]
        return World(self.fleet, payees, datetime.now(UTC))

    def messages(self, seed: int, count: int, bad_bps: int = 0) -> Iterator[FleetMessage]:
        return messages(self.world(seed), seed, count, bad_bps)

    def send(self, fleet: Iterator[FleetMessage]) -> list[FleetMessage]:
        """Produce all of it; returns what Kafka acknowledged."""
        taken: list[FleetMessage] = []
        with Client(self.stack.settings, [self.fleet[0].id], many=True) as client:
            for message in fleet:
                request = Request(PAYMENTS, message.key, message.value, message.terminal, message.id)
                client.send(request, lambda error, _, sent=message: None if error else taken.append(sent))
            assert client.flush(60) == 0
        return taken

    def ledger_end(self) -> int:
        """How many offsets the ledger has, transaction markers included."""
        places = [(LEDGER.name, number) for number in range(self.stack.settings.partitions)]
        return sum(self.ends.now(places).values())


@contextmanager
def running_network(
    directory: Path,
    behaviours: Mapping[str, Behaviour] | None = None,
    *,
    workers: int = 1,
    seed: int = 1,
    rich: bool = True,
    pay_only: bool = False,
    start_broker: Callable[[Path], Broker] = EmbeddedBroker.start,
) -> Iterator[Network]:
    """A stack with its simulator; `behaviours` replace those of the demo's payees. Not `rich`: nobody has money.

    pay_only: payees are not asked before they are paid, which halves the calls.
    """
    faults = {**network.BEHAVIOURS, **(behaviours or {})}
    with (
        Stack(directory, workers=workers, start_broker=start_broker) as stack,
        Simulator.start(directory / "run" / "simulator", faults, seed) as simulator,
    ):
        stack.tell(simulator=simulator.url)
        stack.wait_ready()
        fleet = network.terminals(stack.settings)
        key = load_operator_key(stack.settings, "root")
        first = network.first_commands(simulator.url_of, fleet)
        with Client(stack.settings, ["root"], many=True) as client:
            for step in (
                map(_unchecked, first) if pay_only else first,
                network.sub_agents(),
                network.deposits(enough=True) if rich else (),
            ):
                carry_out(client, step, key)
        yield Network(stack, simulator, fleet, Ends(stack.settings))


def _unchecked(command: Command) -> Command:
    if not isinstance(command, SetPayee):
        return command
    return command.model_copy(update={"payee": command.payee.model_copy(update={"skip_check": True})})


def until(
    what: str,
    happens: Callable[[], bool],
    time_out_s: float = 60,
    otherwise: Callable[[], object] = lambda: "",
    *,
    every_s: float = 0.02,
) -> None:
    """Wait for a condition, with a bound; the failure names it, and what is the case instead."""
    deadline = time.monotonic() + time_out_s
    while not happens():
        assert time.monotonic() < deadline, f"waited {time_out_s:.0f} s in vain until {what}: {otherwise()}"
        time.sleep(every_s)
