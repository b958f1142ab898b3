"""One credit of a bank statement, whose it is, and the deposit it becomes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from itertools import accumulate
from typing import NamedTuple

from schemas.balance import Balance
from schemas.command import OF_A_STATEMENT, Deposit

# In a credit's text: here one of the bank's pieces ends and the next begins.
CUT = "\x1f"

# A payer's bank carries the text as it is; who pays for an agent writes its tree and id there.
_NAMED = re.compile("\x1f?".join("AGENT:") + r"([\w\x1f-]+/[\w\x1f-]+)(?![\w\x1f/-])", re.ASCII)
_AGENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,39})/([A-Za-z0-9][A-Za-z0-9_-]{0,39})")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Credit:
    """Money the bank credited. line: where it stands in the file, from 1. account: the bank account it came to.

    reference: the bank's own, never given twice for one account. amount: minor units. text: all that the payer wrote,
    with CUT between its pieces.
    """

    line: int
    account: str
    reference: str
    booked: date
    amount: int
    currency: str
    text: str


class Fault(NamedTuple):
    """Why a row of the file cannot be used. reference: the bank's, "" where the row has none that could be read."""

    line: int
    why: str
    reference: str = ""


@dataclass(slots=True)
class Statement:
    """What a file says. passed_over: rows that are no booked credits, or that were left. taken_back: how many of these
    say that the bank reversed a credit, which may be a deposit by now."""

    credits: list[Credit] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    passed_over: int = 0
    taken_back: int = 0

    def leave(self, references: Collection[str]) -> str | None:
        """Pass over credits that are nobody's deposit, by their references; or one of these that no credit has."""
        if missing := sorted(set(references) - {one.reference for one in self.credits}):
            return missing[0]
        kept = [one for one in self.credits if one.reference not in references]
        self.passed_over += len(self.credits) - len(kept)
        self.credits = kept
        return None


def deposits(statement: Statement, agents: Iterable[Balance]) -> tuple[list[tuple[Credit, Deposit]], list[Fault]]:
    """The deposit of each credit, and all that is wrong with the file, in the order of its lines."""
    known: dict[tuple[str, str], dict[str, Balance]] = {}
    for one in agents:
        known.setdefault((one.tree, one.agent), {})[one.currency] = one
    found: list[tuple[Credit, Deposit]] = []
    faults = list(statement.faults)
    first: dict[str, int] = {}
    for credit in statement.credits:
        made = _deposit(credit, known)
        if isinstance(made, Deposit) and made.id in first:  # on the same line too: a bank's XML may be one line
            made = f"reference {credit.reference} stands on line {first[made.id]} already"
        if isinstance(made, Deposit):
            first[made.id] = credit.line
            found.append((credit, made))
        else:
            faults.append(Fault(credit.line, made, credit.reference))
    return found, sorted(faults)


def _deposit(credit: Credit, known: dict[tuple[str, str], dict[str, Balance]]) -> Deposit | str:
    """The deposit, or why there is none. Id and time are the bank's: the same credit is the same command for ever.

    known: agents by tree and id, in each of their currencies.
    """
    if not credit.account:
        return "names no bank account"
    if not 0 < len(credit.reference) <= _LONGEST:
        return f"the bank's reference must have 1 to {_LONGEST} characters"
    named = _named(credit.text, known)
    if isinstance(named, str):
        return named
    tree, agent = named
    purses = known.get((tree, agent))
    if purses is None:
        return f"there is no agent {agent} in tree {tree}"
    there = next(iter(purses.values()))
    if there.status == "closed":
        return f"agent {agent} is closed"
    if there.funding == "shared":
        return f"agent {agent} spends the money of {there.parent}: it has no deposits"
    if credit.currency not in purses:
        return f"agent {agent} is in {', '.join(purses)}, the money in {credit.currency}"
    name = f"{credit.account}\n{credit.reference}".encode()
    return Deposit(
        id=f"{OF_A_STATEMENT}{hashlib.blake2b(name, digest_size=16).hexdigest()}",
        issued_at=datetime.combine(credit.booked, time(), UTC),
        tree=tree,
        agent=agent,
        amount=credit.amount,
        currency=credit.currency,
        document=credit.reference,
    )


def _named(text: str, known: Container[tuple[str, str]]) -> tuple[str, str] | str:
    """Tree and id of the agent the text names, or why it names none.

    A bank cuts a long text where a piece is full, in the middle of a name too, or ends a piece with a line. So a name
    may end where a piece does, or go on: what is an agent counts, and where more than one would be, nobody guesses.
    """
    found: set[tuple[str, str]] = set()
    for run in _NAMED.findall(text):
        readings = _readings(run)
        agents = [one for one in readings if one in known]
        if len(agents) > 1:
            either = " or ".join(f"{tree}/{agent}" for tree, agent in agents)
            return f"may name agent {either}: the bank cut the text there"
        found.update(agents or readings[-1:])
    if len(found) != 1:
        return f"names {len(found)} agents; the text must say AGENT:<tree>/<agent> of one"
    return found.pop()


def _readings(run: str) -> list[tuple[str, str]]:
    """The names that are in it, ending with one of its pieces; the longest comes last."""
    whole = accumulate(piece for piece in run.split(CUT) if piece)
    return [(match[1], match[2]) for name in whole if (match := _AGENT.fullmatch(name)) is not None]
