"""The judge: is every message accounted for, every decision right, every reply true, every payee's line right?"""

from __future__ import annotations

import gc
from collections import Counter
from dataclasses import dataclass, fields
from typing import Any

from console.audit_report import Report
from console.audit_run import run_audit
from schemas.entry import Entry
from streams.settings import Settings
from streams.topics import COMMANDS, LEDGER, PAYMENTS, REJECTS
from tests.chaos.answers_told import AnswersTold
from tests.chaos.arrivals import Arrivals
from tests.chaos.evidence import Evidence, Scene
from tests.chaos.findings import AUDIT, BROKEN, DIVERGENCE, DOUBLED, LOST, PAYEE, UNHEARD, WAITING, Findings
from tests.chaos.history import History
from tests.chaos.known import DirectoryPast
from tests.chaos.model import Model
from tests.chaos.past import Past
from tests.chaos.payee_books import SoldThere
from tests.chaos.quarantine import Quarantine
from tests.chaos.registry_books import PaidByRegistry
from tests.chaos.replies_told import Truths
from tests.chaos.stock_books import SoldFromStock

_DIRECTORY = b'"DIRECTORY_SET"'


@dataclass
class Verdict:
    """Counts of the clients' messages, of entries on the ledger, and of what is wrong.

    unknown: sent, and Kafka said neither yes nor no; appeared: of these, those that are there. decided, duplicates,
    rejected, waiting, lost: what became of those acknowledged or appeared. answered_again: stored outcomes that were
    heard. open_honestly: payments HELD, UNKNOWN or MANUAL. presumed_asked: answers decided as if an earlier worker
    might have asked already. pins, lines, moved: vouchers sold, registries' lines, payments given to another gateway.
    questions, answers: before payment, and how many were answered. problems: everything that is wrong, in words.
    """

    sent: int
    acked: int
    unknown: int
    appeared: int
    decided: int
    duplicates: int
    rejected: int
    answered_again: int
    replies: int
    entries: int
    open_honestly: int
    open_states: dict[str, int]
    presumed_asked: int
    pins: int
    lines: int
    moved: int
    questions: int
    answers: int
    lost: int
    doubled: int
    broken_chains: int
    divergences: int
    waiting: int
    unheard: int
    wrong: dict[str, int]
    problems: list[str]
    notes: dict[str, int]
    checks: Report

    @property
    def passed(self) -> bool:
        return not self.wrong

    @property
    def line(self) -> str:
        return (
            f"lost {self.lost}, doubled {self.doubled}, broken chains {self.broken_chains}, "
            f"divergences from the model {self.divergences}"
        )

    def as_json(self) -> dict[str, Any]:
        found = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "checks"}
        audit = {"passed": self.checks.passed, "checks": [check.as_json() for check in self.checks.checks]}
        return {"passed": self.passed, **found, "audit": audit}


def judge(settings: Settings, history: History, simulator_url: str, wait_s: float) -> Verdict:
    """Judge a run that has come to rest. wait_s: how long the warehouse may take to reach the ledger's end, seconds.

    Raises what console.audit_run.run_audit raises when it cannot look.
    """
    history.flush()
    report = run_audit(settings, simulator=simulator_url, wait_s=wait_s)
    gc.collect()
    known = DirectoryPast(settings.gateway_backlog, settings.voucher_reserve_s * 1000)
    return Judge(Scene(settings, simulator_url), Past(history.path), known).verdict(report)


class Judge:
    """Reads the topics partition by partition: what arrived, then what was decided, beside the model."""

    def __init__(self, evidence: Evidence, past: Past, known: DirectoryPast) -> None:
        """known: nothing of the directory yet, but the settings."""
        self._evidence = evidence
        self._past = past
        self._wrong = Findings()
        self._known = known
        self._quarantine = Quarantine()
        self._sold = SoldThere()
        self._stock = SoldFromStock()
        self._registries = PaidByRegistry()
        self._answers = AnswersTold(past)
        self._truths = Truths(past)
        self._open: Counter[str] = Counter()
        self._entries = self._presumed_asked = 0

    def verdict(self, report: Report) -> Verdict:
        """report: the audit's, to be part of the verdict."""
        passed = {topic.name: self._evidence.passed(topic) for topic in (PAYMENTS, COMMANDS)}
        self._read_directory()
        for record in self._evidence.records(REJECTS, 0):
            self._quarantine.see(record)
        arrivals = Arrivals(self._past, self._quarantine, passed, self._wrong)
        for partition in self._evidence.partitions():
            self._follow(partition, arrivals)
        arrivals.finish()
        self._truths.finish(self._quarantine.replies, self._wrong)
        self._sold.compare(self._evidence.paid(), self._known, self._wrong)
        if (asked := self._evidence.asked()) is not None:
            self._sold.compare_asked(asked, self._known, self._wrong)
        self._stock.finish(self._past, self._wrong)
        self._registries.finish(self._evidence.files(), self._past.files, self._wrong)
        self._answers.finish(self._wrong)
        for payee, times in self._evidence.inconsistent().items():
            if times:
                self._wrong.add(PAYEE, f"payee {payee}: {times} times a number came again with other content")
        for check in report.checks:
            for failure in check.failures:
                self._wrong.add(AUDIT, f"{check.name}: {failure}")
        return self._summed_up(arrivals, report)

    def _read_directory(self) -> None:
        """Of every partition, before any is judged: payees are priced on one and sold on all."""
        for partition in self._evidence.partitions():
            for record in self._evidence.records(LEDGER, partition):
                if _DIRECTORY in (record.value or b""):
                    self._known.see(Entry.decode(record.value or b""))

    def _follow(self, partition: int, arrivals: Arrivals) -> None:
        sources = (self._evidence.records(topic, partition) for topic in (PAYMENTS, COMMANDS))
        arrivals.read(partition, *sources)
        model = Model(partition, self._known, arrivals.order, arrivals.command)
        for record in self._evidence.records(LEDGER, partition):
            entry = Entry.decode(record.value or b"")
            for finding in model.follow(entry):
                self._wrong.add(finding.heading, f"partition {partition} offset {record.offset}, {finding.text}")
            self._sold.see(entry)
            self._stock.see(entry, self._wrong)
            self._registries.see(entry, self._wrong)
            self._answers.see(entry, self._wrong)
            self._truths.see(entry)
        arrivals.settle(model.decisions())
        self._open += model.states()
        self._entries += model.entries
        self._presumed_asked += model.presumed_asked

    def _summed_up(self, arrivals: Arrivals, report: Report) -> Verdict:
        past, count = self._past, self._wrong.count
        return Verdict(
            sent=len(past),
            acked=past.acked,
            unknown=past.unknown,
            appeared=arrivals.appeared,
            decided=arrivals.decided,
            duplicates=arrivals.duplicates,
            rejected=arrivals.rejected,
            answered_again=past.told_again,
            replies=len(past.replies),
            entries=self._entries,
            open_honestly=self._open.total(),
            open_states=dict(self._open),
            presumed_asked=self._presumed_asked,
            pins=self._stock.sold,
            lines=self._registries.lines,
            moved=self._sold.moved,
            questions=len(past.questions),
            answers=len({answer.id for answer in past.answers}),
            lost=count[LOST],
            doubled=count[DOUBLED],
            broken_chains=count[BROKEN],
            divergences=count[DIVERGENCE],
            waiting=count[WAITING],
            unheard=count[UNHEARD],
            wrong={heading: number for heading, number in count.items() if number},
            problems=self._wrong.described(),
            notes=dict(past.notes),
            checks=report,
        )
