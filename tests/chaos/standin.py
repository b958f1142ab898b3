"""A minimal fleet and judge, until those with a history and a model are there."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from confluent_kafka import KafkaError, Message

from console import demo_network as network
from console.audit_report import Report
from console.audit_run import run_audit
from console.client import Client
from console.fleet_messages import messages
from console.fleet_world import FleetPayee, FleetTerminal, World
from console.requests import Request
from streams.settings import Settings
from streams.topics import PAYMENTS


class History:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.acked: list[tuple[int, int]] = []


class ChaosFleet:
    def __init__(self, history: History, rate: float) -> None:
        self.sent = 0
        self.acked = 0
        self._history = history
        self._rate = rate
        self._over = threading.Event()
        self._thread = threading.Thread()

    @classmethod
    def start(
        cls, settings: Settings, terminals: list[FleetTerminal], payees: list[FleetPayee], history: History,
        seed: int, rate: float
    ) -> ChaosFleet:  # fmt: skip
        fleet = cls(history, rate)
        world = World(terminals, payees, datetime.now(UTC))
        fleet._thread = threading.Thread(target=fleet._run, args=(settings, world, seed))
        fleet._thread.start()
        return fleet

    def set_rate(self, rate: float) -> None:
        self._rate = rate

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self, settings: Settings, world: World, seed: int) -> None:
        with Client(settings, [one.id for one in world.terminals], many=True) as client:
            due = time.monotonic()
            for message in messages(world, seed, 10**9, 300):
                if self._over.is_set():
                    break
                client.send(
                    Request(PAYMENTS, message.key, message.value, message.terminal, message.id), self._delivered
                )
                self.sent += 1
                due = max(due + 1 / self._rate, time.monotonic() - 5)
                while (left := due - time.monotonic()) > 0:
                    client.poll(min(left, 0.02))
            client.flush(60)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.acked += 1
            self._history.acked.append((message.partition() or 0, message.offset() or 0))


@dataclass
class Verdict:
    sent: int
    acked: int
    decided: int
    lost: int
    doubled: int
    broken_chains: int
    divergences: int
    open_honestly: int
    checks: Report
    problems: list[str] = field(default_factory=list)


def judge(settings: Settings, history: History, simulator_url: str, wait_s: float) -> Verdict:
    report = run_audit(settings, simulator=simulator_url, wait_s=wait_s)
    failed = {check.name: check.failed for check in report.checks}
    problems = [f"{check.name}: {failure}" for check in report.checks for failure in check.failures]
    note = report.check("arrivals.payments").note
    waiting = int(note.rsplit(", ", 1)[-1].split()[0]) if "waiting" in note else 0
    return Verdict(
        len(history.acked), len(history.acked), report.check("decisions.once").looked_at,
        failed["arrivals.payments"] + waiting,
        failed["decisions.once"] + failed["payee.paid"] + failed["payee.posted"],
        failed["ledger.statements"] + failed["ledger.books"], failed["core.fold"], 0, report, problems,
    )  # fmt: skip


def receivers(seed: int) -> list[FleetPayee]:
    rng = Random(seed)
    return [FleetPayee.of(payee, network.tariff(payee.id), rng) for payee in network.payees()]
