"""What the model keeps: agents, accounts and open payments. Plain, and nothing of the server's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from schemas.cash import Collection
from schemas.change import ChangeNote
from schemas.correction import Correction
from schemas.crossing import Crossing
from schemas.entry import AgentTerms, DirectoryRecord, PaymentFacts
from schemas.gateway import RetrySchedule
from schemas.payee import Payee
from schemas.plan import Charge
from schemas.registry import RegistryNote
from schemas.reversal import Posted
from schemas.tariff import Tariff
from schemas.voucher import VoucherNote

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
    crossing: Crossing | None = None  # but for `by`
    change: ChangeNote | None = None
    rate: str = ""
    cash: Collection | None = None
    charge: Charge | None = None
    posted: Posted | None = None
    correction: Correction | None = None
    registry: RegistryNote | None = None
    voucher: VoucherNote | None = None


class Finding(NamedTuple):
    """heading: "doubled", "broken chain" or "divergence"."""

    heading: str
    text: str


class Known(Protocol):
    """The directory as it may have stood at a time (ms UTC): several answers are possible while it changes.

    backlog_max: how many payments may wait for a gateway on a partition. four_eyes_above: up to how many minor units
    one operator is enough for a correction; what it may have been. voucher_reserve_ms: how long one is kept.
    """

    backlog_max: int
    voucher_reserve_ms: int
    four_eyes_above: list[int]

    def payees(self, id: str, at: int) -> list[Payee | None]: ...
    def tariffs(self, payee: str, at: int) -> list[Tariff | None]: ...
    def schedules(self, gateway: str, at: int) -> list[RetrySchedule]: ...
    def repeats_nothing(self, gateway: str, at: int) -> list[bool]: ...
    def cancels(self, gateway: str, at: int) -> list[bool]: ...
    def technical(self, payee: str, gateway: str, at: int) -> list[frozenset[str]]: ...
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
    voucher: VoucherNote | None = None


@dataclass(slots=True)
class Book:
    seq: int = 0
    ends: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)  # account, currency -> seq, balance
    agents: dict[str, Agent] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)  # id -> digest
    record: dict[str, Any] | None = None
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    days: dict[str, str] = field(default_factory=dict)  # currency -> the last day on which something was held
    sold: dict[tuple[str, str, str], int] = field(default_factory=dict)  # agent, currency, day or month -> minor units
    windows: dict[str, int] = field(default_factory=dict)  # subject -> number of the last one closed
    under_way: dict[int, Crossing] = field(default_factory=dict)  # to other trees, by the entry that sent it
    further: dict[tuple[str, str], Agent] = field(default_factory=dict)  # agent, currency (not its tree's) -> terms
    touched: dict[tuple[str, str], int] = field(default_factory=dict)  # change, currency -> ms UTC, the oldest first
    expired: dict[tuple[str, str], int] = field(default_factory=dict)  # change, currency -> what was not reclaimed
    blocked: set[str] = field(default_factory=set)  # accounts of change
    change_of: dict[str, str] = field(default_factory=dict)  # payment -> the account its change is on
    timers: set[str] = field(default_factory=set)  # causes that a timer gave
    charged: dict[tuple[str, str], str] = field(default_factory=dict)  # plan, agent -> the last period
    # terminal, agent, currency -> minor units put in since the last collection, its number, the first entry since
    tills: dict[tuple[str, str, str], tuple[int, int, int]] = field(default_factory=dict)
    payments: set[str] = field(default_factory=set)  # ever asked for
    proposals: dict[str, Correction] = field(default_factory=dict)  # corrections that another operator must approve
    registries: dict[int, Any] = field(default_factory=dict)  # number -> model_registry.Registry
    shelves: Any = None  # model_vouchers.Shelves, of a product

    def agent_in(self, agent: str, currency: str) -> Agent | None:
        """Its terms in that currency, if it has an account in it."""
        own = self.agents.get(agent)
        return own if own is not None and own.currency == currency else self.further.get((agent, currency))

    def believe(self, name: str, currency: str, agent: Agent) -> None:
        """Terms as an entry gives them: whose it is, whether it may work and sells what, in all currencies."""
        if name not in self.agents or self.agents[name].currency == currency:
            self.agents[name] = agent
        else:
            self.further[name, currency] = agent
        for one in (self.agents[name], *(one for (of, _), one in self.further.items() if of == name)):
            one.parent, one.status, one.time_zone, one.payees = (
                agent.parent, agent.status, agent.time_zone, agent.payees
            )  # fmt: skip

    def line(self, agent: str | None) -> list[str]:
        """The agent and all above it."""
        found: list[str] = []
        while agent is not None and agent in self.agents:
            found.append(agent)
            agent = self.agents[agent].parent
        return found

    def may_spend(self, agent: str, currency: str) -> int:
        """What it has and what it may owe, minor units."""
        terms = self.agent_in(agent, currency)
        assert terms is not None, f"{agent} has no {currency}"
        return self.ends.get((f"agent:{agent}", currency), (0, 0))[1] + terms.overdraft

    def has(self, payer: str, amount: int, currency: str) -> bool:
        """And nobody above it is below its own limit."""
        line = self.line(payer)
        return self.may_spend(payer, currency) >= amount and all(self.may_spend(one, currency) >= 0 for one in line[1:])


def kept_for(facts: PaymentFacts, amount: int) -> tuple[tuple[str, int], ...]:
    """The agent has the payer's cash: as much of its money is the payer's."""
    return (f"agent:{facts.payer_agent}", -amount), (f"change:{facts.change_to or 'payment:' + facts.id}", amount)


def moves_of(currency: str, *parts: tuple[str, int]) -> Moves:
    return tuple((account, currency, amount) for account, amount in parts if amount)
