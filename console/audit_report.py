"""What an audit says: its checks by name, what each looked at, and what it found wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from console.output import json_line, rows, say

# Failures described in full; the rest are only counted, so that a ruined ledger does not fill the memory.
DESCRIBED = 10

# Every check there is, with what it proves. docs/audit.md says of each what a failure means.
CATALOGUE: Mapping[str, str] = {
    "ledger.readable": "every record on the ledger is an entry under its book's key",
    "ledger.books": "every book counts its entries 1, 2, 3, … on one partition",
    "ledger.zero": "the legs of every entry sum to zero in each currency",
    "ledger.statements": "every account counts its legs 1, 2, 3, … and each balance is the one before plus the amount",
    "ledger.total": "the balances of all accounts sum to zero in each currency",
    "ledger.holds": "no hold account is ever negative",
    "ledger.limits": "whoever's money was held or given away had it within its overdraft, and so had all above",
    "ledger.movements": "every entry moved what its kind moves and nothing else; a posted payee got exactly the amount",
    "ledger.change": "no payer's change is below nothing, expires or is reclaimed wrongly, or leaves while blocked",
    "ledger.exchanges": "every exchange is by its rate, rounded down; only it and closings move two currencies at once",
    "ledger.corrections": (
        "every correction moves what it says, on no account that follows payments, by two operators above its threshold"
    ),
    "payments.path": "every payment goes an allowed way, ends once, and nothing follows its end",
    "payments.evidence": "nothing was posted or voided without the payee's clear word or an operator's; out of MANUAL, "
    "the payee's word on the payment itself",
    "payments.facts": (
        "no fact of a payment but its route ever changes; what waited for funds gets its number, day and agents when "
        "it is held"
    ),
    "payments.waiting": (
        "whose cash was taken is held oldest first, but for what an operator gives up: nobody's money goes to a "
        "payment that came later, or is given away meanwhile"
    ),
    "payments.routes": (
        "another gateway was asked only while nothing can have been sent, and only one that the payment might go by"
    ),
    "payments.reversals": "what is reversed takes back exactly what was posted, on the payee's word or an operator's",
    "payments.numbers": "no two payments share a number at the payee",
    "payments.prices": "every held payment has the rule, fee, processing and rewards that its tariff says",
    "payments.holds": "what is held of each agent is the sum of its open payments",
    "windows.chain": "every settlement window begins where the one before it of the same subject ended",
    "windows.complete": "a closed window has every account as it stood, and each posting to a payee is in one window",
    "windows.settled": "a payee is paid what it was owed when its window closed; no other closing moves money",
    "windows.zero": "all positions of a tree's window sum to zero in each currency, opening and closing",
    "clearing.pairs": "whatever left one tree for another is there, or back, or on its way, once and unchanged",
    "clearing.zero": "what two trees have for each other is what is under way between them",
    "registries.chain": "a payee's registries are numbered 1, 2, 3, …, each with the lines and total it was cut with",
    "registries.payments": "every queued payment has one line with its facts, and ends as its payee answered to that",
    "postings.charts": "every account in a tree's closed window has a number in the chart that was in force",
    "decisions.once": "no payment order and no command is decided twice",
    "agents.standing": "no sale below an agent that is stopped; who is closed had nothing and stays so; no circles",
    "agents.limits": "nothing was held beyond a maximum or to a payee not permitted, of the agent or anyone above it",
    "agents.currencies": "no agent has money in a currency it has no account in; who has an account, all above it have",
    "agents.fees": "an agent is charged every period of a plan once, in order, once it has begun, and the right sum",
    "vouchers.pins": "every PIN is loaded once, and sold once at most, from a batch that was whole and for sale",
    "vouchers.payments": "every posted voucher payment has the one PIN its product sold it, and every sale its payment",
    "vouchers.stock": "what all books have of a batch is what its PINs cost that no posted payment has",
    "cash.collections": "what a collection expected in a terminal is what payments put in since the one before",
    "core.fold": "the server's own fold comes to the same balances and the same open payments",
    "balances.topic": "topic `balances` shows what the ledger says",
    "arrivals.payments": "every message on `payments` that was passed is on the ledger, in `rejects`, or re-keyed",
    "arrivals.commands": "every message on `commands` that was passed is on the ledger, in `rejects`, or re-keyed",
    "arrivals.decided": "nothing was decided that did not arrive",
    "arrivals.rejects": "every record on `rejects` is a message that arrived, byte for byte",
    "arrivals.replays": "every record on `replays` names a quarantined message and its copy, byte for byte, once each",
    "warehouse.entries": "table `entries` is the ledger, row for row",
    "warehouse.legs": "table `legs` is the ledger's legs, row for row",
    "warehouse.payments": "view `payments` shows every payment with its facts and its state",
    "warehouse.rejects": "table `rejects` is topic `rejects`, row for row",
    "warehouse.trial_balance": "view `trial_balance` is the ledger's",
    "payee.posted": (
        "every posted payment was paid at the payee once, same number, subscriber and sum, and not given back"
    ),
    "payee.paid": "the payee has nothing that the ledger voided, declined, reversed or does not know",
}


@dataclass(slots=True)
class Check:
    """One check. `failures` describes the first ones, `failed` counts all; `note` is worth knowing and no failure."""

    name: str
    looked_at: int = 0
    failures: list[str] = field(default_factory=list)
    failed: int = 0
    note: str = ""

    def fail(self, what: str) -> None:
        """Something is wrong: say where (partition, offset, book, account, payment) and what."""
        self.failed += 1
        if len(self.failures) < DESCRIBED:
            self.failures.append(what)

    @property
    def passed(self) -> bool:
        return not self.failed

    @property
    def verdict(self) -> str:
        """ "ok", "FAILED", or "-" where there was nothing to look at, which proves nothing."""
        if self.failed:
            return "FAILED"
        return "ok" if self.looked_at else "-"

    def as_json(self) -> dict[str, Any]:
        return {
            "check": self.name,
            "proves": CATALOGUE[self.name],
            "passed": self.passed,
            "looked_at": self.looked_at,
            "failed": self.failed,
            "failures": self.failures,
            "note": self.note,
        }


@dataclass(slots=True)
class Report:
    """The checks in the order of the catalogue. elapsed_s: how long it all took."""

    checks: list[Check] = field(default_factory=list)
    elapsed_s: float = 0.0

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    def check(self, name: str) -> Check:
        """Raises KeyError when the audit had no such check, such as `payee.posted` without a simulator."""
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(name)


def print_report(report: Report) -> None:
    """A table on a terminal, a line a check elsewhere; then every failure, and the verdict."""
    lines = [(check.verdict, check.name, f"{check.looked_at:,}", check.note) for check in report.checks]
    if sys.stdout.isatty():
        rows(("verdict", "check", "looked at", ""), lines, right=("looked at",))
    else:
        for verdict, name, looked_at, note in lines:
            say(f"{verdict:6}  {name:23}  {looked_at:>11}  {note}".rstrip())
    for line in _failures(report):
        say(line)
    failed = sum(not check.passed for check in report.checks)
    outcome = f"{failed} of {len(report.checks)} checks failed" if failed else f"all {len(report.checks)} checks passed"
    say(f"audit: {outcome} in {report.elapsed_s:.1f} s")


def print_json(report: Report) -> None:
    """One JSON object a check, and one at the end for all."""
    for check in report.checks:
        json_line(check.as_json())
    json_line({"passed": report.passed, "checks": len(report.checks), "elapsed_s": round(report.elapsed_s, 3)})


def _failures(report: Report) -> Iterator[str]:
    for check in report.checks:
        if check.passed:
            continue
        yield f"{check.name}: not so: {CATALOGUE[check.name]}"
        yield from (f"  {failure}" for failure in check.failures)
        if check.failed > len(check.failures):
            yield f"  and {check.failed - len(check.failures):,} more"
