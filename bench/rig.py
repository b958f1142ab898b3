"""The stack under measurement: one worker, a payee that answers at once and one that never does."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from agents.gateways.simulator import Simulator
from agents.gateways.simulator_faults import Behaviour
from console.client import Client
from console.demo import carry_out
from console.fleet_world import FleetTerminal
from console.requests import Request
from console.stack import Stack
from schemas.command import Deposit, OpenAgent, SetGateway, SetPayee, SetTariff, SetTerminal
from schemas.gateway import Gateway, RetrySchedule
from schemas.payee import Payee, SubscriberField
from schemas.tariff import Fee, Rate, Tariff
from schemas.terminal import Terminal
from streams.ends import Ends
from streams.keyring import ensure_terminal_key, load_operator_key
from streams.ledger_reader import read_records
from streams.topics import PAYMENTS

TREES, TERMINALS, CURRENCY = 8, 40, "RUB"
AMOUNT, FEE = 95_000, 5_000
PARKED, CHECKED, DIRECT = "parked", "checked", "direct"


@dataclass
class Rig:
    """A running stack; `number` is the next payment's."""

    stack: Stack
    simulator: Simulator
    fleet: list[FleetTerminal]
    ends: Ends
    number: int = 0

    def orders(self, payee: str, count: int) -> list[Request]:
        """Signed payments, ready to be sent."""
        return [self._order(payee) for _ in range(count)]

    def _order(self, payee: str) -> Request:
        self.number += 1
        one, number = self.fleet[self.number % len(self.fleet)], self.number
        order = {
            "id": f"{one.id}.{number}", "terminal": one.id, "number": number, "agent": one.agent, "payee": payee,
            "subscriber": {"account": f"{9_000_000_000 + number}"}, "amount": AMOUNT, "fee": FEE,
            "collected": AMOUNT + FEE, "currency": CURRENCY, "made_at": datetime.now(UTC).isoformat(),
        }  # fmt: skip
        return Request(PAYMENTS, one.tree, one.key.sign(orjson.dumps(order)), one.id, str(order["id"]))

    def send(self, requests: Iterable[Request]) -> None:
        """Produce as fast as Kafka takes it."""
        with Client(self.stack.settings, [self.fleet[0].id], many=True) as client:
            for request in requests:
                client.send(request)
            client.flush(60)

    def entries(self) -> int:
        """How many entries the ledger has."""
        settings = self.stack.settings
        return sum(len(found) for number in range(settings.partitions) for found in read_records(settings, number))


@contextmanager
def running(directory: Path) -> Iterator[Rig]:
    """A fresh stack without its sink, its network introduced."""
    quick = {CHECKED: Behaviour(), DIRECT: Behaviour()}
    with (
        Stack(directory, sink=False) as stack,
        Simulator.start(directory / "run" / "simulator", quick) as simulator,
        socket.create_server(("127.0.0.1", 0)) as silent,
    ):
        stack.wait_ready()
        fleet = _terminals(stack)
        parked = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        urls = {PARKED: parked, **{name: simulator.url_of(name) for name in quick}}
        key = load_operator_key(stack.settings, "root")
        with Client(stack.settings, ["root"], many=True) as client:
            for step in (_roots(), _subs(), _money(), _directory(urls, fleet)):
                carry_out(client, step, key)
        yield Rig(stack, simulator, fleet, Ends(stack.settings))


def _terminals(stack: Stack) -> list[FleetTerminal]:
    named = [(f"bench-{number}", f"tree-{number % TREES}") for number in range(TERMINALS)]
    return [
        FleetTerminal(name, f"{tree}-sub", tree, CURRENCY, ensure_terminal_key(stack.settings, name))
        for name, tree in named
    ]


def _now() -> datetime:
    return datetime.now(UTC)


def _roots() -> list[OpenAgent]:
    return [
        OpenAgent(id=f"root.{n}", issued_at=_now(), tree=f"tree-{n}", agent=f"tree-{n}", name="Root", currency=CURRENCY)
        for n in range(TREES)
    ]


def _subs() -> list[OpenAgent]:
    return [
        OpenAgent(
            id=f"sub.{n}", issued_at=_now(), tree=f"tree-{n}", agent=f"tree-{n}-sub", parent=f"tree-{n}", name="Sub",
            currency=CURRENCY,
        )
        for n in range(TREES)
    ]  # fmt: skip


def _money() -> list[Deposit]:
    return [
        Deposit(
            id=f"money.{n}", issued_at=_now(), tree=f"tree-{n}", agent=f"tree-{n}-sub", amount=10**12,
            currency=CURRENCY, document="bench",
        )
        for n in range(TREES)
    ]  # fmt: skip


def _directory(
    urls: dict[str, str], fleet: list[FleetTerminal]
) -> Iterator[SetGateway | SetPayee | SetTariff | SetTerminal]:
    field = SubscriberField(name="account", title="Phone", pattern=r"9\d{9}")
    for name, url in urls.items():
        connections, wait_ms = (1, 300_000) if name == PARKED else (50, 10_000)
        gateway = Gateway(
            id=name, protocol="osmp", url=url, connections=connections, time_out_ms=wait_ms, retry=RetrySchedule()
        )
        payee = Payee(
            id=name, name=name, gateway=name, currency=CURRENCY, fields=(field,), max_amount=10**9,
            skip_check=name == DIRECT,
        )  # fmt: skip
        tariff = Tariff(
            payee=name, fee=Fee(rate_bps=500, base="collected"), processing=Rate(rate_bps=100),
            reward=Rate(rate_bps=200), reward_shares_bps=(5_000, 2_500),
        )  # fmt: skip
        yield SetGateway(id=f"gateway.{name}", issued_at=_now(), gateway=gateway)
        yield SetPayee(id=f"payee.{name}", issued_at=_now(), payee=payee)
        yield SetTariff(id=f"tariff.{name}", issued_at=_now(), tariff=tariff)
    for one in fleet:
        record = Terminal(id=one.id, agent=one.agent, tree=one.tree, keys=(one.key.public(),))
        yield SetTerminal(id=f"terminal.{one.id}", issued_at=_now(), terminal=record)
