"""A small run of the fault suite's terminals on the one-machine stack, recorded so that it can be damaged by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from agents.gateways.simulator_faults import Behaviour
from console.audit_payee import PaidThere
from console.audit_reading import Record
from console.audit_report import Report
from console.client import Client
from console.demo import carry_out
from console.requests import command_request
from schemas.entry import Entry
from schemas.registry_command import CutRegistry
from sinks.warehouse import open_warehouse, rows
from streams.keyring import load_operator_key
from streams.topics import COMMANDS, LEDGER, PAYMENTS, REJECTS, Topic
from tests.audit_ledgers import rechained
from tests.chaos import other_payees as others
from tests.chaos.answers_told import TELLS
from tests.chaos.calm import OPEN
from tests.chaos.evidence import Scene
from tests.chaos.fleet import ChaosFleet
from tests.chaos.history import History
from tests.chaos.known import DirectoryPast
from tests.chaos.past import Past
from tests.chaos.registry_files import files_in
from tests.chaos.verdict import Judge, Verdict, judge
from tests.network import Network, running_network, until

# Payees that answer at once: the judge is tested here, not patience.
BEHAVIOURS = {
    "mobile": Behaviour(),
    "electro": Behaviour(cp1251=True),
    "water": Behaviour(drop_after_accept_pct=6, http_500_pct=3),
    "internet": Behaviour(decline_pct=15, options=TELLS),
    "transit": Behaviour(not_finished_pct=5),
    **others.behaviours(),
}
_RATE = 150.0
_PATIENCE_S = 240


@dataclass
class Recorded:
    """All evidence of a run, and its history's lines. The same interface as `Scene`; to be damaged as one likes."""

    topics: dict[tuple[str, int], list[Record]]
    offsets: dict[str, dict[int, int]]
    books: list[PaidThere]
    lines: list[list[Any]]
    brought: dict[str, bytes]
    overheard: dict[int, list[str]]
    report: Report
    strange: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, scene: Scene, history: History, report: Report) -> Recorded:
        places = [(topic, number) for topic in (PAYMENTS, COMMANDS, LEDGER) for number in scene.partitions()]
        topics = {(topic.name, number): list(scene.records(topic, number)) for topic, number in [*places, (REJECTS, 0)]}
        offsets = {topic.name: scene.passed(topic) for topic in (PAYMENTS, COMMANDS)}
        lines = [orjson.loads(line) for line in history.path.read_bytes().splitlines()]
        books = list(scene.paid())
        # Nobody listened to workers in the run itself: who was paid was asked.
        overheard = {paid.txn: [paid.book] for paid in books}
        return cls(topics, offsets, books, lines, scene.files(), overheard, report)

    def copy(self) -> Recorded:
        return replace(
            self,
            topics={place: list(records) for place, records in self.topics.items()},
            books=list(self.books),
            lines=list(self.lines),
            brought=dict(self.brought),
            overheard=dict(self.overheard),
            strange={},
        )

    # --- evidence

    def partitions(self) -> list[int]:
        return sorted(number for name, number in self.topics if name == LEDGER.name)

    def records(self, topic: Topic, partition: int) -> Iterable[Record]:
        return self.topics[topic.name, partition]

    def passed(self, topic: Topic) -> dict[int, int]:
        return self.offsets[topic.name]

    def paid(self) -> Iterable[PaidThere]:
        return self.books

    def inconsistent(self) -> dict[str, int]:
        return self.strange

    def asked(self) -> dict[int, list[str]]:
        return self.overheard

    def files(self) -> dict[str, bytes]:
        return self.brought

    def judged(self, directory: Path) -> Verdict:
        path = directory / "history.jsonl"
        path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in self.lines))
        return Judge(self, Past(path), DirectoryPast(1_000, 300_000)).verdict(self.report)

    # --- damage

    def entries(self, partition: int) -> list[Entry]:
        return [Entry.decode(record.value or b"") for record in self.topics[LEDGER.name, partition]]

    def find(self, wanted: Callable[[Entry], bool]) -> tuple[int, int, Entry]:
        """(partition, place in it, entry) of an entry in the middle of its ledger."""
        for partition in self.partitions():
            entries = self.entries(partition)
            for number in range(len(entries) // 3, len(entries)):
                if wanted(entries[number]):
                    return partition, number, entries[number]
        raise AssertionError("the run has no such entry")

    def rewrite(self, partition: int, entries: Iterable[Entry], *, soundly: bool = True) -> None:
        """Another ledger; `soundly`: entries and legs are counted and added up anew, so that no chain is broken."""
        made = rechained(entries) if soundly else entries
        self.topics[LEDGER.name, partition] = [
            Record(partition, offset, one.book.encode(), one.encode(), ()) for offset, one in enumerate(made)
        ]


@dataclass
class Run:
    verdict: Verdict
    recorded: Recorded


def a_run(directory: Path, messages: int, seed: int) -> Run:
    """Terminals send so many messages, everything settles, and the judge looks at it."""
    with running_network(directory, BEHAVIOURS, seed=seed, rich=False) as net:
        history = History(directory / "history.jsonl")
        settings = net.stack.settings
        with Client(settings, ["root"], many=True) as client:
            more = others.commands(settings, net.simulator.url_of, net.fleet)
            carry_out(client, more, load_operator_key(settings, "root"))
        usual, special = others.receivers(seed)
        fleet = ChaosFleet.start(settings, net.fleet, usual, history, seed, _RATE, bad_bps=800, others=special)
        until("half are sent", lambda: fleet.sent >= messages // 2 or not fleet.is_running, _PATIENCE_S)
        _cut(net)
        until("all are sent", lambda: fleet.sent >= messages or not fleet.is_running, _PATIENCE_S)
        fleet.set_rate(0)
        until("Kafka has them", lambda: fleet.acked + fleet.failed >= fleet.sent, _PATIENCE_S)
        _cut(net)
        _until_settled(net)
        fleet.stop()
        verdict = judge(settings, history, net.simulator.url, wait_s=_PATIENCE_S)
        recorded = Recorded.of(Scene(settings, net.simulator.url), history, verdict.checks)
    return Run(verdict, recorded)


def _cut(net: Network) -> None:
    """The registry that is open is cut and brought, by us or by whoever comes first."""
    settings, number = net.stack.settings, len(_brought(net)) + 1
    with Client(settings, ["root"], many=True) as client:
        order = CutRegistry(id=f"cut.{number}", issued_at=datetime.now(UTC), payee=others.HEATING, number=number)
        client.send(command_request(order, load_operator_key(settings, "root")))
        assert client.flush(_PATIENCE_S) == 0
    until(f"registry {number} is there", lambda: len(_brought(net)) >= number, _PATIENCE_S)


def _brought(net: Network) -> dict[str, bytes]:
    return files_in(net.stack.settings.registries / others.HEATING)


def _until_settled(net: Network) -> None:
    end = net.ledger_end()

    def is_quiet() -> bool:
        nonlocal end
        before, end = end, net.ledger_end()
        return before == end and int(rows(client, OPEN)[0][0]) == 0

    with open_warehouse(net.stack.settings) as client:
        until("all is settled", is_quiet, _PATIENCE_S, every_s=1.0)
