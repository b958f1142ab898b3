"""One credit of a bank statement, whose it is, and the deposit it becomes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import NamedTuple

from schemas.balance import Balance
from schemas.command import OF_A_STATEMENT, Deposit

# A payer's bank carries the text as it is; who pays for an agent writes its tree and id there.
_AGENT = re.compile(r"AGENT:([A-Za-z0-9][A-Za-z0-9_-]{0,39})/([A-Za-z0-9][A-Za-z0-9_-]{0,39})(?![A-Za-z0-9_/-])")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Credit:
    """Money the bank credited. line: where it stands in the file, from 1. account: the bank account it came to.

    reference: the bank's own, never given twice for one account. amount: minor units. text: all that the payer wrote.
    """

    line: int
    account: str
    reference: str
    booked: date
    amount: int
    currency: str
    text: str


class Fault(NamedTuple):
    """Why a row of the file cannot be used."""

    line: int
    why: str


@dataclass(slots=True)
class Statement:
    """What a file says. passed_over: rows that are no booked credits."""

    credits: list[Credit] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    passed_over: int = 0


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
        if isinstance(made, Deposit) and first.setdefault(made.id, credit.line) != credit.line:
            made = f"reference {credit.reference} stands on line {first[made.id]} already"
        if isinstance(made, Deposit):
            found.append((credit, made))
        else:
            faults.append(Fault(credit.line, made))
    return found, sorted(faults)


def _deposit(credit: Credit, known: dict[tuple[str, str], dict[str, Balance]]) -> Deposit | str:
    """The deposit, or why there is none. Id and time are the bank's: the same credit is the same command for ever.

    known: agents by tree and id, in each of their currencies.
    """
    if not credit.account:
        return "names no bank account"
    if not 0 < len(credit.reference) <= _LONGEST:
        return f"the bank's reference must have 1 to {_LONGEST} characters"
    named = sorted(set(_AGENT.findall(credit.text)))
    if len(named) != 1:
        return f"names {len(named)} agents; the text must say AGENT:<tree>/<agent> of one"
    (tree, agent) = named[0]
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
