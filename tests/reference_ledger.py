"""A second opinion on the ledger: nothing is kept but what was asked and answered, every sum is made anew each time.

Written from docs/domain, not from the code: no legs, no running balances, no shared arithmetic. Slow and small.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import floor

from schemas.command import Deposit, OpenAgent, ResolvePayment, SetLimit
from schemas.outcome import Verdict
from schemas.payment import PaymentOrder
from schemas.tariff import Tariff
from streams.ledger.commands import Place, Settle

OPEN = ("HELD", "UNKNOWN", "MANUAL")


@dataclass
class Sold:
    """One accepted payment."""

    tree: str
    chain: list[str]
    payer: str
    gateway: str
    payee: str
    amount: int
    processing: int
    shares: dict[str, int]
    reward: int
    state: str = "HELD"
    sent: int = 0
    unreached: int = 0


@dataclass
class Reference:
    agents: dict[tuple[str, str], OpenAgent] = field(default_factory=dict)
    limits: dict[tuple[str, str], int] = field(default_factory=dict)
    deposits: list[Deposit] = field(default_factory=list)
    sold: dict[str, Sold] = field(default_factory=dict)
    closed: dict[tuple[str, str], list[int]] = field(default_factory=dict)  # tree, payee -> what each window paid

    # --- sums

    def balance(self, tree: str, agent: str) -> int:
        """Deposits, less what its payments hold or cost, plus its shares of what was posted."""
        paid_in = sum(deposit.amount for deposit in self.deposits if (deposit.tree, deposit.agent) == (tree, agent))
        here = [sold for sold in self.sold.values() if sold.tree == tree]
        spent = sum(sold.amount + sold.processing for sold in here if sold.payer == agent and sold.state != "VOIDED")
        return paid_in - spent + sum(sold.shares.get(agent, 0) for sold in here if sold.state == "POSTED")

    def held(self, tree: str, agent: str) -> int:
        return sum(
            sold.amount + sold.processing
            for sold in self.sold.values()
            if (sold.tree, sold.payer) == (tree, agent) and sold.state in OPEN
        )

    def operators_income(self, tree: str) -> int:
        """Processing fees and the rest of every reward."""
        posted = [sold for sold in self.sold.values() if sold.tree == tree and sold.state == "POSTED"]
        return sum(sold.processing + sold.reward - sum(sold.shares.values()) for sold in posted)

    def available(self, tree: str, agent: str) -> int:
        return self.balance(tree, agent) + self.limits[tree, agent]

    def chain(self, tree: str, agent: str | None) -> list[str]:
        if agent is None or (tree, agent) not in self.agents:
            return []
        return [agent, *self.chain(tree, self.agents[tree, agent].parent)]

    def payer(self, tree: str, agent: str) -> str:
        opened = self.agents[tree, agent]
        return agent if opened.funding == "own" else self.payer(tree, opened.parent or "")

    def owed(self, tree: str, payee: str) -> int:
        """What was posted to a payee, less the reward it gives and all that its windows have paid."""
        sold = [one for one in self.sold.values() if (one.tree, one.payee, one.state) == (tree, payee, "POSTED")]
        return sum(one.amount - one.reward for one in sold) - sum(self.closed.get((tree, payee), []))

    def waiting(self) -> list[Sold]:
        """Payments a gateway has yet to answer."""
        return [sold for sold in self.sold.values() if sold.state in ("HELD", "UNKNOWN")]

    # --- what should be answered

    def opened(self, order: OpenAgent) -> str:
        root = next((opened for (tree, _), opened in self.agents.items() if tree == order.tree), None)
        if order.parent is None:
            fits = order.agent == order.tree and root is None and order.funding == "own"
        else:
            fits = (
                root is not None
                and (order.tree, order.parent) in self.agents
                and (order.tree, order.agent) not in self.agents
                and order.currency == root.currency
                and len(self.chain(order.tree, order.parent)) < 16
            )
        if not fits or (order.funding == "shared" and order.overdraft):
            return "REFUSED"
        self.agents[order.tree, order.agent] = order
        self.limits[order.tree, order.agent] = order.overdraft
        return "AGENT_OPENED"

    def limited(self, order: SetLimit) -> str:
        agent = self.agents.get((order.tree, order.agent))
        if agent is None or agent.funding == "shared":
            return "REFUSED"
        self.limits[order.tree, order.agent] = order.overdraft
        return "LIMIT_SET"

    def deposited(self, order: Deposit) -> str:
        agent = self.agents.get((order.tree, order.agent))
        if agent is None or agent.funding == "shared" or agent.currency != order.currency:
            return "REFUSED"
        self.deposits.append(order)
        return "DEPOSITED"

    def resolved(self, order: ResolvePayment) -> str:
        sold = self.sold.get(order.payment)
        if sold is None or sold.tree != order.tree or sold.state != "MANUAL":
            return "REFUSED"
        sold.state = "POSTED" if order.paid else "VOIDED"
        return sold.state

    def window_closed(self, tree: str, payee: str, number: int) -> int | None:
        """What it pays, None: it is not the one that is open."""
        windows = self.closed.setdefault((tree, payee), [])
        if number != len(windows) + 1 or not any(of == tree for of, _ in self.agents):
            return None
        windows.append(max(self.owed(tree, payee), 0) if payee else 0)
        return windows[-1]

    def placed(self, command: Place) -> int:
        """The code, 0: held."""
        order, payee, tariff = command.order, command.payee, command.tariff
        chain = self.chain(command.book, order.agent)
        if not chain:
            return 133
        if payee is None:
            return 6
        if {order.currency, payee.currency} != {self.agents[command.book, order.agent].currency}:
            return 300
        if order.subscriber.keys() != {"phone"} or not order.subscriber["phone"].startswith("9"):
            return 4
        if order.amount < payee.min_amount:
            return 241
        if order.amount > payee.max_amount:
            return 242
        if order.fee != _fee(order, tariff) or order.collected not in (0, order.amount + order.fee):
            return 255
        payer = self.payer(command.book, order.agent)
        processing = _part(order.amount, tariff.processing.rate_bps, tariff.processing.min_minor) if tariff else 0
        if self.available(command.book, payer) < order.amount + processing:
            return 220 if payer == order.agent else 280
        if any(self.available(command.book, above) < 0 for above in self.chain(command.book, payer)[1:]):
            return 280
        if sum(sold.gateway == payee.gateway for sold in self.waiting()) >= command.backlog_max:
            return 1
        reward = _part(order.amount, tariff.reward.rate_bps, tariff.reward.min_minor) if tariff else 0
        bps = tariff.reward_shares_bps if tariff else ()
        shares = {agent: floor(Fraction(reward * part, 10_000)) for agent, part in zip(chain, bps, strict=False)}
        self.sold[order.id] = Sold(
            command.book, chain, payer, payee.gateway, payee.id, order.amount, processing, shares, reward
        )
        return 0

    def answered(self, command: Settle) -> str | None:
        """The kind of entry, None: nobody waits for this answer."""
        sold = self.sold.get(command.payment)
        if sold is None or sold.tree != command.book or sold.state not in ("HELD", "UNKNOWN"):
            return None
        verdict, is_pay = command.outcome.verdict, command.outcome.step == "pay"
        sold.sent = sold.sent or int(command.sent_before)
        maybe_paid = sold.sent > 0
        if verdict is Verdict.PAID:
            sold.state = "POSTED" if maybe_paid or is_pay else "MANUAL"
        elif verdict is Verdict.FATAL:
            sold.state = "MANUAL" if maybe_paid else "VOIDED"
        elif is_pay and verdict is not Verdict.NOT_SENT:
            sold.sent, sold.unreached = sold.sent + 1, 0
            sold.state = "MANUAL" if sold.sent >= command.retry.budget else "UNKNOWN"
        else:
            sold.unreached += 1
            if sold.unreached >= command.retry.budget:
                sold.state = "MANUAL" if maybe_paid else "VOIDED"
            elif not maybe_paid:
                return "DEFERRED"
            else:
                sold.state = "UNKNOWN"
        return sold.state


def _part(amount: int, bps: int, at_least: int) -> int:
    return max(floor(Fraction(amount * bps, 10_000)), at_least)


def _fee(order: PaymentOrder, tariff: Tariff | None) -> int:
    if tariff is None:
        return 0
    total, rate = order.amount + order.fee, Fraction(tariff.fee.rate_bps, 10_000)
    if tariff.fee.base == "collected":
        return floor(total * rate)
    return total - floor(total / (1 + rate))
