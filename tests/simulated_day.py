"""A day of a network in half a minute: payees of every online protocol, all misbehaving, and workers that die."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from agents.gateways.simulator import Simulator
from agents.gateways.simulator_faults import Behaviour
from console.client import Client
from console.demo import carry_out
from console.fleet_messages import FleetMessage, messages
from console.fleet_world import FleetPayee, FleetTerminal, World
from console.numbers import fresh_id
from console.requests import Request
from console.signing import now
from console.stack import Stack
from schemas.command import Deposit, DirectoryCommand, OpenAgent, SetGateway, SetPayee, SetTerminal, TreeCommand
from schemas.entry import Entry, EntryKind, PaymentFacts
from schemas.gateway import Gateway, RetrySchedule
from schemas.money import Money
from schemas.payee import Payee, SubscriberField
from schemas.terminal import Terminal
from streams.compacted import read_to_end
from streams.keyring import ensure_sealing_key, ensure_terminal_key, load_operator_key
from streams.settings import Settings
from streams.topics import LEDGER, PAYMENTS
from tests.audit_world import tree_on
from tests.builders_protocols import AGENT_XML, SIGNED_KV, with_a_password, with_keys
from tests.builders_routes import a_route
from tests.simulated_day_others import CARD, GARDEN

TERMINALS = 8
_FIELD = SubscriberField(name="account", title="Phone number", pattern=r"9\d{9}")
_RETRY = RetrySchedule(interval_ms=150, factor_pct=120, budget=12, give_up_s=30)
# What goes wrong with every payee, each day in another mixture: at most so many per cent.
_FAULTS = {
    "temporary_pct": 8, "not_finished_pct": 8, "time_out_before_accept_pct": 2, "time_out_after_accept_pct": 3,
    "drop_after_accept_pct": 8, "http_500_pct": 8, "broken_reply_pct": 8, "garbage_pct": 4, "wrong_txn_pct": 5,
    "wrong_sum_pct": 4,
}  # fmt: skip
_LEFT_AS_IT_WAS = {EntryKind.DEFERRED: "HELD", EntryKind.REROUTED: "HELD", EntryKind.REVERSAL_REFUSED: "POSTED"}


@dataclass(frozen=True)
class Spoken:
    """A gateway and how it is spoken to. record: what its record says besides."""

    protocol: str = "osmp"
    record: dict[str, Any] = field(default_factory=dict)


# By gateway. Two lead to payee "roads", and each of the others to the payee of its name.
GATEWAYS = {
    "mobile": Spoken(),
    "lights": Spoken(record={"options": {"repeats": "never"}, "asks": ("status",)}),  # a pay is sent once
    "water": Spoken("agent-xml", {"options": AGENT_XML}),
    "internet": Spoken("signed-kv", {"options": SIGNED_KV}),
    "games": Spoken("two-phase"),
    "roads-near": Spoken(),
    "roads-far": Spoken("two-phase"),
}
PAYEES = {
    **{name: Payee(id=name, name=name, gateway=name, currency="RUB", fields=(_FIELD,), max_amount=100_000)
       for name in ("mobile", "lights", "water", "internet", "games")},
    "roads": Payee(
        id="roads", name="roads", gateway="roads-far", currency="RUB", fields=(_FIELD,), max_amount=100_000,
        routes=(a_route("roads-near", 1), a_route("roads-far", 2)),
    ),
    "card": CARD,
    "garden": GARDEN,
}  # fmt: skip


@dataclass
class Day:
    """A running stack with its payees; everything drawn from the seed."""

    stack: Stack
    simulator: Simulator
    fleet: list[FleetTerminal]
    behaviours: dict[str, Behaviour]
    rng: Random

    def messages(self, seed: int, count: int) -> Iterator[FleetMessage]:
        payees = [FleetPayee.of(payee, None, self.rng) for payee in PAYEES.values()]
        return messages(World(self.fleet, payees, datetime.now(UTC)), seed, count, bad_bps=200)

    def passes(self, fleet: list[FleetMessage], seconds: float, events: int) -> None:
        """Terminals pay evenly over so many seconds; in between so many times a worker dies, or a payee goes away."""
        happens = {(n + 1) * len(fleet) // (events + 1): n for n in range(events)}
        away: list[str] = []
        with Client(self.stack.settings, [self.fleet[0].id], many=True) as client:
            began = time.monotonic()
            for n, message in enumerate(fleet):
                client.send(Request(PAYMENTS, message.key, message.value, message.terminal, message.id))
                if n in happens:
                    away = self._happens(happens[n], away)
                time.sleep(max(0.0, began + seconds * n / len(fleet) - time.monotonic()))
            assert client.flush(60) == 0
        self._back(away)
        self.stack.look_after()

    def _happens(self, number: int, away: list[str]) -> list[str]:
        self._back(away)
        self.stack.look_after()
        if number % 2:
            self.stack.kill(self.rng.choice(self.stack.worker_names))
            self.stack.look_after()
            return []
        gone = self.rng.choice(list(GATEWAYS))
        self.simulator.behave(gone, self.behaviours[gone].model_copy(update={**_none(), "http_500_pct": 100.0,
                                                                             "faulty_askings": 1_000}))  # fmt: skip
        return [gone]

    def _back(self, away: list[str]) -> None:
        for gateway in away:
            self.simulator.behave(gateway, self.behaviours[gateway])


def _none() -> dict[str, float]:
    return dict.fromkeys(_FAULTS, 0.0)


@contextmanager
def a_day(directory: Path, seed: int) -> Iterator[Day]:
    rng = Random(seed)
    with Stack(directory, workers=2, partitions=2) as stack:
        secrets = stack.settings.keys / "gateways"
        secrets.mkdir(parents=True, exist_ok=True)
        options = {"agent-xml": with_a_password(secrets), "signed-kv": with_keys(secrets)}
        behaviours = {
            name: Behaviour(protocol=one.protocol, **_mixture(rng), **options.get(one.protocol, {}), jitter_ms=20)
            for name, one in GATEWAYS.items()
        }
        with Simulator.start(directory / "run" / "simulator", behaviours, seed) as simulator:
            stack.tell(simulator=simulator.url)
            stack.wait_ready()
            trees = [tree_on(number, 2) for number in range(2)]
            fleet = [
                FleetTerminal(f"k{n}", trees[n % 2], trees[n % 2], "RUB", ensure_terminal_key(stack.settings, f"k{n}"))
                for n in range(TERMINALS)
            ]
            key = load_operator_key(stack.settings, "root")
            with Client(stack.settings, ["root"], many=True) as client:
                for step in _introduced(stack.settings, trees, fleet, simulator):
                    carry_out(client, step, key)
            yield Day(stack, simulator, fleet, behaviours, rng)


def _mixture(rng: Random) -> dict[str, Any]:
    faults = {name: round(rng.uniform(0, most), 1) for name, most in _FAULTS.items()}
    return {**faults, "faulty_askings": rng.choice((1, 2, 3)), "decline_pct": rng.choice((0, 5, 10))}


def _introduced(
    settings: Settings, trees: list[str], fleet: list[FleetTerminal], simulator: Simulator
) -> Iterator[list[TreeCommand | DirectoryCommand]]:
    first: list[TreeCommand | DirectoryCommand] = []
    for tree in trees:
        first.append(OpenAgent(id=fresh_id(), issued_at=now(), tree=tree, agent=tree, name=tree, currency="RUB"))
    for name, one in GATEWAYS.items():
        record = Gateway(
            id=name, protocol=one.protocol, url=simulator.url_of(name), time_out_ms=700, retry=_RETRY, **one.record
        )  # fmt: skip
        first.append(SetGateway(id=fresh_id(), issued_at=now(), gateway=record))
    first += [SetPayee(id=fresh_id(), issued_at=now(), payee=payee) for payee in PAYEES.values()]
    for terminal in fleet:
        file = Terminal(id=terminal.id, agent=terminal.agent, tree=terminal.tree, keys=(terminal.key.public(),),
                        sealing=ensure_sealing_key(settings, terminal.id).public())  # fmt: skip
        first.append(SetTerminal(id=fresh_id(), issued_at=now(), terminal=file))
    yield first
    yield [
        Deposit(id=fresh_id(), issued_at=now(), tree=tree, agent=tree, amount=10**9, currency="RUB", document="17")
        for tree in trees
    ]


@dataclass
class Books:
    """Both sides of the day, line by line. payments: each with its facts and state. there: by gateway, its own book."""

    entries: list[Entry]
    payments: dict[str, tuple[PaymentFacts, str]]
    rerouted: int
    there: dict[str, dict[int, tuple[str, str]]]

    @classmethod
    def read(cls, day: Day) -> Books:
        payments: dict[str, tuple[PaymentFacts, str]] = {}
        rerouted = 0
        entries = [Entry.decode(message.value() or b"") for message in read_to_end(day.stack.settings, LEDGER)]
        for entry in entries:
            if entry.payment is not None:
                payments[entry.payment.id] = entry.payment, _LEFT_AS_IT_WAS.get(entry.kind, entry.kind.value)
                rerouted += entry.kind is EntryKind.REROUTED
        books = {
            gateway: {txn: (paid.account, paid.sum) for txn, paid in day.simulator.book_of(gateway).items()}
            for gateway in GATEWAYS
        }
        return cls(entries, payments, rerouted, books)

    def states(self) -> Counter[str]:
        return Counter(state for _, state in self.payments.values())

    def posted(self, payee: str) -> dict[str, PaymentFacts]:
        return {id: facts for id, (facts, state) in self.payments.items() if (facts.payee, state) == (payee, "POSTED")}

    def differences(self) -> list[str]:
        """Posted there and not here, here and not there, otherwise, or at the wrong gateway."""
        found = []
        ours = {facts.txn: (facts, state) for facts, state in self.payments.values() if facts.txn}
        for gateway, book in self.there.items():
            for txn, line in book.items():
                facts, state = ours.get(txn, (None, "unknown here"))
                if facts is None or facts.gateway != gateway or _line(facts) != line or not _may_be_paid(state):
                    found.append(f"{gateway} has {txn} {line}, and here it is {state}: {facts}")
        for txn, (facts, state) in ours.items():
            if state == "POSTED" and not facts.served and txn not in self.there[facts.gateway]:
                found.append(f"{facts.id} is POSTED, and {facts.gateway} has no {txn}")
        return found

    def table(self) -> str:
        """By gateway: how many payments stand where, and how many the payee has."""
        states: dict[str, Counter[str]] = defaultdict(Counter)
        for facts, state in self.payments.values():
            states[facts.gateway or "-"][state] += 1
        lines = [
            f"{gateway:<11} {len(self.there.get(gateway, {})):>4} paid there; {dict(sorted(states[gateway].items()))}"
            for gateway in sorted(states)
        ]
        return "\n".join([*lines, f"{self.rerouted} times another gateway was asked"])


def _line(facts: PaymentFacts) -> tuple[str, str]:
    return next(iter(facts.subscriber.values())), str(Money(facts.amount, facts.currency))


def _may_be_paid(state: str) -> bool:
    return state not in ("VOIDED", "DECLINED", "WAITING_FUNDS")
