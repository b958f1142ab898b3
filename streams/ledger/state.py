"""The state of one ledger partition: what a fold of its entries has come to."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from schemas.correction import Correction
from schemas.crossing import Crossing
from schemas.entry import AgentTerms, DirectoryRecord, EntryKind
from schemas.ids import account_agent, account_hold
from streams.ledger.answered import Commands
from streams.ledger.change_kept import KeptChange
from streams.ledger.payments import Payments, PaymentState
from streams.ledger.queues import Queues
from streams.ledger.registry_state import Registries
from streams.ledger.stock import Stock
from streams.ledger.tills import Till

# Payment numbers at the payee are digits only, at most 20: a thousand billion for each partition, never shared.
TXN_PER_PARTITION = 10**15


@dataclass(slots=True)
class Account:
    """The end of one account's statement: its last leg's number, and its balance in minor units (credit positive)."""

    seq: int = 0
    balance: int = 0


@dataclass(slots=True)
class AgentState:
    """An agent in one currency: its terms and its money. overdraft in minor units.

    Id, parent, name, funding, status, time zone and payees are the agent's, the same in all its currencies. `money` and
    `hold` are the book's own accounts.

    day: the last on which it, or one below it, sold; sold_day, sold_month: what counts of that day and its month.
    opened_at: when it was opened in this currency, ms UTC.
    """

    id: str
    parent: str | None
    name: str
    currency: str
    overdraft: int
    funding: str
    money: Account
    hold: Account
    status: str = "open"
    time_zone: str = "UTC"
    payment_max: int | None = None
    daily_max: int | None = None
    monthly_max: int | None = None
    payees: tuple[str, ...] = ()
    day: str = ""
    sold_day: int = 0
    sold_month: int = 0
    opened_at: int = 0

    @property
    def terms(self) -> AgentTerms:
        """Its terms, as an entry says them."""
        return AgentTerms(
            self.id, self.parent, self.name, self.currency, self.overdraft, self.funding, self.status, self.time_zone,
            self.payment_max, self.daily_max, self.monthly_max, self.payees,
        )  # fmt: skip

    def take(self, terms: AgentTerms) -> None:
        """Its terms are now these. For `evolve` only."""
        self.parent = terms.parent
        self.overdraft = terms.overdraft
        self.status = terms.status
        self.time_zone = terms.time_zone
        self.payment_max = terms.payment_max
        self.daily_max = terms.daily_max
        self.monthly_max = terms.monthly_max
        self.payees = terms.payees

    def follow(self, terms: AgentTerms) -> None:
        """Its terms in another currency are now these: what is the agent's own is so here too. For `evolve` only."""
        self.parent = terms.parent
        self.status = terms.status
        self.time_zone = terms.time_zone
        self.payees = terms.payees

    @property
    def balance(self) -> int:
        """What it has, without what is held; minor units."""
        return self.money.balance

    @property
    def held(self) -> int:
        """What is held of its money for open payments; minor units."""
        return self.hold.balance

    @property
    def available(self) -> int:
        """What it may still spend; minor units. Below zero only after its limit was lowered."""
        return self.money.balance + self.overdraft


@dataclass(slots=True)
class OpenWindow:
    """The settlement window that is open for a subject: a payee's id, or "" for the tree's own accounts.

    marks: by account and currency, the last leg's number and the balance (minor units) at the closing before it.
    """

    number: int = 1
    opened_at: int = 0
    first_entry: int = 1
    marks: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)


@dataclass(slots=True)
class Book:
    """One key of the ledger: a tree of agents with its accounts, one directory record, "<table>/<id>", or a voucher
    product's stock, "vouchers/<payee>".

    agents: in the tree's own currency, that of its root, which all of them have. currencies: those who have an account
    in a currency, by currency; the tree's own is the first, and its agents are `agents`.

    seq: number of its last entry. record: the directory record as it stands. keys: every signing key it ever had on
    file, by key id, so that a revoked key stays revoked after it was dropped from the record. windows: the open one of
    each subject that has had one closed. under_way: what left for other trees and has no end yet, by the number of
    the entry that sent it. tills: by terminal, agent and currency, those that ever took cash. charged: by plan and
    agent, the last period that was charged. proposals: corrections that were proposed and are not decided, by id.
    stock: of a product that ever had vouchers.
    registries: in the book of a payee's registries.
    """

    id: str
    seq: int = 0
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)
    agents: dict[str, AgentState] = field(default_factory=dict)
    record: DirectoryRecord | None = None
    keys: dict[str, dict[str, object]] = field(default_factory=dict)
    windows: dict[str, OpenWindow] = field(default_factory=dict)
    under_way: dict[int, Crossing] = field(default_factory=dict)
    currencies: dict[str, dict[str, AgentState]] = field(default_factory=dict)
    change: KeptChange = field(default_factory=KeptChange)
    tills: dict[tuple[str, str, str], Till] = field(default_factory=dict)
    charged: dict[tuple[str, str], str] = field(default_factory=dict)
    proposals: dict[str, Correction] = field(default_factory=dict)
    stock: Stock | None = None
    registries: Registries | None = None

    def account(self, name: str, currency: str) -> Account:
        """The account, opened empty when it was never used. For `evolve` only: `decide` changes nothing."""
        found = self.accounts.get((name, currency))
        if found is None:
            found = self.accounts[name, currency] = Account()
        return found

    def open_agent(self, terms: AgentTerms) -> None:
        """A new agent with its accounts, or one's accounts in a further currency. For `evolve` and images only."""
        agents = self.currencies.setdefault(terms.currency, {} if self.currencies else self.agents)
        agents[terms.agent] = agent = AgentState(
            id=terms.agent,
            parent=terms.parent,
            name=terms.name,
            currency=terms.currency,
            overdraft=terms.overdraft,
            funding=terms.funding,
            money=self.account(account_agent(terms.agent), terms.currency),
            hold=self.account(account_hold(terms.agent), terms.currency),
        )
        agent.take(terms)

    def window(self, subject: str) -> OpenWindow:
        """The settlement window that is open for this subject."""
        return self.windows.get(subject) or OpenWindow()

    def agents_in(self, currency: str = "") -> Mapping[str, AgentState]:
        """The agents that have an account in this currency, as they are in it; "": in the tree's own."""
        return self.currencies.get(currency, _NOBODY) if currency else self.agents

    def purses(self, agent: str) -> list[AgentState]:
        """The agent in each of its currencies, the tree's own first; empty when there is no such agent."""
        return [agents[agent] for agents in self.currencies.values() if agent in agents]

    def chain(self, agent: str, currency: str = "") -> list[AgentState]:
        """The agent first, the root last, all in this currency ("": the tree's own); empty when there is no such agent
        in this tree, or it has no account in the currency. Who has one, all above it have."""
        chain = []
        agents = self.agents_in(currency)
        above = agents.get(agent)
        while above is not None:
            chain.append(above)
            above = agents[above.parent] if above.parent is not None else None
        return chain


_NOBODY: Mapping[str, AgentState] = {}


@dataclass(slots=True)
class State:
    """All books and payments of one partition. Changed by `evolve` alone (and `due_before`, which takes from a queue).

    next_txn: the number at the payee of the next payment held. due: (due_at, payment id) of payments to ask about
    again; entries that a later change made untrue stay in it until their time and are then passed over. backlog: by
    gateway, how many payments are `outstanding`; gateways without any are not listed. waiting: payments in
    WAITING_FUNDS, by whose money they wait for, and in which currency.
    """

    partition: int
    books: dict[str, Book] = field(default_factory=dict)
    payments: Payments = field(default_factory=Payments)
    commands: Commands = field(default_factory=Commands)
    next_txn: int = 0
    due: list[tuple[int, str]] = field(default_factory=list, compare=False)
    backlog: Counter[str] = field(default_factory=Counter)
    waiting: Queues = field(default_factory=Queues)

    def __post_init__(self) -> None:
        self.next_txn = self.next_txn or (self.partition + 1) * TXN_PER_PARTITION + 1

    @property
    def open(self) -> dict[str, PaymentState]:
        """Payments that are not final, oldest first."""
        return self.payments.open

    def keep(self, payment: PaymentState) -> None:
        """Keep a payment as it is now, and remember when to ask about it again. For `evolve` and images only."""
        self.payments.put(payment)
        if payment.due_at:
            heapq.heappush(self.due, (payment.due_at, payment.id))
        if payment.is_outstanding and payment.facts is not None:
            self.backlog[payment.facts.gateway] += 1
        elif payment.state is EntryKind.WAITING_FUNDS and payment.facts is not None:
            self.waiting.put(payment.book, payment.facts.payer_agent, payment.facts.currency, payment.id)

    def let_go(self, payment: PaymentState) -> None:
        """Before a payment that was kept is changed: it no longer counts as what it is now. `keep` follows."""
        if payment.is_outstanding and payment.facts is not None:
            gateway = payment.facts.gateway
            self.backlog[gateway] -= 1
            if not self.backlog[gateway]:
                del self.backlog[gateway]
        elif payment.state is EntryKind.WAITING_FUNDS and payment.facts is not None:
            self.waiting.take(payment.book, payment.facts.payer_agent, payment.facts.currency, payment.id)

    def outstanding(self) -> Iterator[PaymentState]:
        """Payments a gateway has yet to answer, oldest first.

        `due_at` says when: 0 is now. Do not change the state while iterating.
        """
        return (payment for payment in self.payments.open.values() if payment.is_outstanding)

    def due_before(self, at: int) -> list[PaymentState]:
        """Take the payments out of the queue whose time to ask again has come (due_at <= at, ms UTC)."""
        taken = []
        while self.due and self.due[0][0] <= at:
            due_at, payment_id = heapq.heappop(self.due)
            payment = self.payments.open.get(payment_id)
            if payment is not None and payment.due_at == due_at:
                taken.append(payment)
        return taken
