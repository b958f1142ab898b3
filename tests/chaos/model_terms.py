"""What the model keeps: agents, accounts and open payments. Plain, and nothing of the server's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from schemas.entry import AgentTerms, DirectoryRecord, PaymentFacts
from schemas.gateway import RetrySchedule
from schemas.payee import Payee
from schemas.reversal import Posted
from schemas.tariff import Tariff

Moves = tuple[tuple[str, str, int], ...]  # account, currency, minor units


class Expected(NamedTuple):
    """What an entry must say. `fields`: the subscriber's, in their order. Amounts in minor units, times in ms UTC."""

    kind: str
    refusal: int = 0
    moves: Moves = ()
    tries: int = 0
    deferrals: int = 0
    due_at: int = 0
    facts: PaymentFacts | None = None
    fields: tuple[str, ...] = ()
    terms: AgentTerms | None = None
    record: DirectoryRecord | None = None
    document: str = ""
    posted: Posted | None = None


class Finding(NamedTuple):
    """heading: "doubled", "broken chain" or "divergence"."""

    heading: str
    text: str


class Known(Protocol):
    """The directory as it may have stood at a time (ms UTC): several answers are possible while it changes.

    backlog_max: how many payments may wait for a gateway on a partition.
    """

    backlog_max: int

    def payees(self, id: str, at: int) -> list[Payee | None]: ...
    def tariffs(self, payee: str, at: int) -> list[Tariff | None]: ...
    def schedules(self, gateway: str, at: int) -> list[RetrySchedule]: ...
    def cancels(self, gateway: str, at: int) -> list[bool]: ...
    def is_terminal(self, owner: str) -> bool: ...


@dataclass(slots=True)
class Agent:
    parent: str | None
    name: str
    currency: str
    overdraft: int
    funding: str
    status: str = "open"
    time_zone: str = "UTC"
    payment_max: int | None = None
    daily_max: int | None = None
    monthly_max: int | None = None
    payees: tuple[str, ...] = ()


@dataclass(slots=True)
class Sale:
    """A payment open or posted. sent: requests that may have arrived; unreached: failures to ask since then."""

    book: str
    facts: PaymentFacts
    state: str
    sent: int = 0
    unreached: int = 0
    refusal: int = 0
    posted: Posted | None = None


@dataclass(slots=True)
class Book:
    seq: int = 0
    ends: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)  # account, currency -> seq, balance
    agents: dict[str, Agent] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)  # id -> digest
    record: dict[str, Any] | None = None
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    day: str = ""  # the last on which something was held
    sold: dict[tuple[str, str], int] = field(default_factory=dict)  # agent, day or month -> minor units
    windows: dict[str, int] = field(default_factory=dict)  # subject -> number of the last one closed

    def line(self, agent: str | None) -> list[str]:
        """The agent and all above it."""
        found: list[str] = []
        while agent is not None and agent in self.agents:
            found.append(agent)
            agent = self.agents[agent].parent
        return found

    def may_spend(self, agent: str) -> int:
        """What it has and what it may owe, minor units."""
        terms = self.agents[agent]
        return self.ends.get((f"agent:{agent}", terms.currency), (0, 0))[1] + terms.overdraft

    def has(self, payer: str, amount: int) -> bool:
        """And nobody above it is below its own limit."""
        return self.may_spend(payer) >= amount and all(self.may_spend(above) >= 0 for above in self.line(payer)[1:])


def kept_for(facts: PaymentFacts, amount: int) -> tuple[tuple[str, int], ...]:
    """The agent has the payer's cash: as much of its money is the payer's."""
    return (f"agent:{facts.payer_agent}", -amount), (f"change:{facts.change_to or 'payment:' + facts.id}", amount)


def moves_of(currency: str, *parts: tuple[str, int]) -> Moves:
    return tuple((account, currency, amount) for account, amount in parts if amount)
