"""A second opinion on the ledger: nothing is kept but what was asked and answered, every sum is made anew each time.

Written from docs/domain, not from the code: no legs, no running balances, no shared arithmetic. Slow and small.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import blake2b
from math import floor

from schemas.command import Deposit, OpenAgent, PayOutChange, ResolvePayment, SetLimit
from schemas.outcome import Verdict
from schemas.payment import PaymentOrder
from schemas.tariff import Tariff
from streams.ledger.commands import Place, Settle

HOLDING = ("HELD", "UNKNOWN", "MANUAL")
OPEN = (*HOLDING, "WAITING_FUNDS")


@dataclass
class Sold:
    """One payment that was not declined."""

    tree: str
    chain: list[str]
    payer: str
    gateway: str
    amount: int
    processing: int
    shares: dict[str, int]
    reward: int
    state: str = "HELD"
    sent: int = 0
    unreached: int = 0
    fee: int = 0
    collected: int = 0
    change: str = ""
    code: int = 0
    needs: int = 0

    @property
    def kept(self) -> int:
        """What the agent owes the payer, who put it in."""
        if self.state in ("VOIDED", "DECLINED"):
            return self.collected
        return max(0, self.collected - self.amount - self.fee) if self.has_held else 0

    @property
    def has_held(self) -> bool:
        return self.state in (*HOLDING, "POSTED")


@dataclass
class Reference:
    agents: dict[tuple[str, str], OpenAgent] = field(default_factory=dict)
    limits: dict[tuple[str, str], int] = field(default_factory=dict)
    deposits: list[Deposit] = field(default_factory=list)
    paid_out: list[tuple[str, str, str, int]] = field(default_factory=list)  # tree, agent, change, amount
    sold: dict[str, Sold] = field(default_factory=dict)

    # --- sums

    def balance(self, tree: str, agent: str) -> int:
        """Deposits, less what its payments hold or cost, plus its shares of what was posted."""
        paid_in = sum(deposit.amount for deposit in self.deposits if (deposit.tree, deposit.agent) == (tree, agent))
        here = [sold for sold in self.sold.values() if sold.tree == tree]
        spent = sum(sold.amount + sold.processing for sold in here if sold.payer == agent and sold.has_held)
        spent += sum(sold.kept for sold in here if sold.payer == agent)
        paid_in += sum(amount for book, payer, _, amount in self.paid_out if (book, payer) == (tree, agent))
        return paid_in - spent + sum(sold.shares.get(agent, 0) for sold in here if sold.state == "POSTED")

    def held(self, tree: str, agent: str) -> int:
        return sum(
            sold.amount + sold.processing
            for sold in self.sold.values()
            if (sold.tree, sold.payer) == (tree, agent) and sold.state in HOLDING
        )

    def operators_income(self, tree: str) -> int:
        """Processing fees and the rest of every reward."""
        posted = [sold for sold in self.sold.values() if sold.tree == tree and sold.state == "POSTED"]
        return sum(sold.processing + sold.reward - sum(sold.shares.values()) for sold in posted)

    def available(self, tree: str, agent: str) -> int:
        return self.balance(tree, agent) + self.limits[tree, agent]

    def ever_held(self) -> int:
        return sum(not sold.code for sold in self.sold.values())

    def change(self, tree: str) -> dict[str, int]:
        """What is kept for payers, by the name it is kept under."""
        found: dict[str, int] = {}
        for sold in self.sold.values():
            if sold.tree == tree:
                found[sold.change] = found.get(sold.change, 0) + sold.kept
        for book, _, name, amount in self.paid_out:
            if book == tree:
                found[name] -= amount
        return found

    def chain(self, tree: str, agent: str | None) -> list[str]:
        if agent is None or (tree, agent) not in self.agents:
            return []
        return [agent, *self.chain(tree, self.agents[tree, agent].parent)]

    def payer(self, tree: str, agent: str) -> str:
        opened = self.agents[tree, agent]
        return agent if opened.funding == "own" else self.payer(tree, opened.parent or "")

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

    def paid_change(self, order: PayOutChange) -> str:
        name = sha(order.code) if order.code is not None else f"payment:{order.payment}"
        chain = self.chain(order.tree, order.agent)
        if not chain or self.agents[order.tree, order.tree].currency != order.currency:
            return "REFUSED"
        if self.change(order.tree).get(name, 0) < order.amount:
            return "REFUSED"
        self.paid_out.append((order.tree, self.payer(order.tree, order.agent), name, order.amount))
        return "CHANGE_PAID_OUT"

    def placed(self, command: Place) -> int:
        """The code, 0: held. What waits, or is declined with its cash kept for the payer, is in `sold` too."""
        code, order, tariff = self._code(command), command.order, command.tariff
        chain = self.chain(command.book, order.agent)
        root = self.agents.get((command.book, command.book))
        if code and (not order.collected or not chain or root is None or root.currency != order.currency):
            return code
        payer = self.payer(command.book, order.agent)
        for_funds = code in (0, 220, 280)
        processing = _part(order.amount, tariff.processing.rate_bps, tariff.processing.min_minor) if tariff else 0
        reward = _part(order.amount, tariff.reward.rate_bps, tariff.reward.min_minor) if tariff else 0
        bps = tariff.reward_shares_bps if tariff else ()
        shares = {agent: floor(Fraction(reward * part, 10_000)) for agent, part in zip(chain, bps, strict=False)}
        needs = (
            max(order.amount + order.fee, order.collected) - order.fee + processing if for_funds else order.collected
        )
        state = "WAITING_FUNDS" if code else "HELD"
        if not for_funds and not self.line(command.book, payer) and not self._short(command.book, payer, needs):
            state = "DECLINED"
        gateway = command.payee.gateway if command.payee is not None else ""
        terms = command.book, chain, payer, gateway, order.amount, processing, shares, reward, state
        name = order.change_to or f"payment:{order.id}"
        more = {"fee": order.fee, "collected": order.collected, "change": name, "code": code, "needs": needs}
        self.sold[order.id] = Sold(*terms, **more)
        return code

    def _code(self, command: Place) -> int:
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
        if order.fee != _fee(order, tariff) or 0 < order.collected < order.amount + order.fee:
            return 255
        if order.collected > order.amount + order.fee and order.change_to is None:
            return 255
        payer = self.payer(command.book, order.agent)
        processing = _part(order.amount, tariff.processing.rate_bps, tariff.processing.min_minor) if tariff else 0
        beyond = max(0, order.collected - order.amount - order.fee)
        code = self._short(command.book, payer, order.amount + processing + beyond)
        if not code and self.line(command.book, payer):
            code = 220
        code = 280 if code == 220 and payer != order.agent else code
        if not code and sum(sold.gateway == payee.gateway for sold in self.waiting()) >= command.backlog_max:
            return 1
        return code

    def line(self, tree: str, payer: str) -> list[str]:
        """What waits for this payer's money, oldest first."""
        mine = [id for id, sold in self.sold.items() if (sold.tree, sold.payer) == (tree, payer)]
        return [id for id in mine if self.sold[id].state == "WAITING_FUNDS"]

    def roused(self, tree: str) -> dict[str, list[str]]:
        """By payer, the payments whose money has come: HELD from here on, or DECLINED with their cash kept."""
        found: dict[str, list[str]] = {}
        for payer in sorted({sold.payer for sold in self.sold.values() if sold.tree == tree}):
            for id in self.line(tree, payer):
                sold = self.sold[id]
                if self._short(tree, payer, sold.needs):
                    break
                is_paid = sold.code in (220, 280)
                sold.state, sold.code = ("HELD", 0) if is_paid else ("DECLINED", sold.code)
                found.setdefault(payer, []).append(id)
        return found

    def _short(self, tree: str, payer: str, needed: int) -> int:
        if self.available(tree, payer) < needed:
            return 220
        return 280 if any(self.available(tree, above) < 0 for above in self.chain(tree, payer)[1:]) else 0

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


def sha(code: str) -> str:
    return blake2b(code.encode(), digest_size=16).hexdigest()


def _part(amount: int, bps: int, at_least: int) -> int:
    return max(floor(Fraction(amount * bps, 10_000)), at_least)


def _fee(order: PaymentOrder, tariff: Tariff | None) -> int:
    if tariff is None:
        return 0
    total, rate = order.amount + order.fee, Fraction(tariff.fee.rate_bps, 10_000)
    if tariff.fee.base == "collected":
        return floor(total * rate)
    return total - floor(total / (1 + rate))
