"""A second opinion on the ledger: nothing is kept but what was asked and answered, every sum is made anew each time.

Written from docs/domain, not from the code: no legs, no running balances, no shared arithmetic. Slow and small.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from zoneinfo import ZoneInfo

from console.audit_prices import Worked, worked_out
from schemas.agent_command import BlockAgent, CloseAgent, MoveAgent, Transfer, UnblockAgent, Withdraw
from schemas.command import Deposit, OpenAgent, PayOutChange, ResolvePayment, SetLimit
from schemas.ids import instant_ms
from schemas.outcome import Verdict
from schemas.tariff import Tariff
from streams.ledger.commands import Place, Settle
from tests.reference_reversal import IN_REVERSAL, WITH_THE_PAYEE, Reversals

HOLDING = ("HELD", "UNKNOWN", "MANUAL")
OPEN = (*HOLDING, "WAITING_FUNDS", *IN_REVERSAL)
FREE = Tariff(payee="free")


@dataclass
class Sold:
    """One payment that was not declined."""

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
    day: str = ""
    fee: int = 0
    collected: int = 0
    change: str = ""
    code: int = 0
    needs: int = 0
    refund: str = ""

    @property
    def kept(self) -> int:
        """What the agent owes the payer, who put it in."""
        if self.state in ("VOIDED", "DECLINED"):
            return self.collected
        back = self.amount + self.fee if (self.state, self.refund) == ("REVERSED", "change") else 0
        beyond = max(0, self.collected - self.amount - self.fee)
        return back + (beyond if self.has_held or self.state == "REVERSED" else 0)

    @property
    def has_held(self) -> bool:
        return self.state in (*HOLDING, *WITH_THE_PAYEE)


@dataclass
class Reference(Reversals):
    agents: dict[tuple[str, str], OpenAgent] = field(default_factory=dict)
    limits: dict[tuple[str, str], int] = field(default_factory=dict)
    deposits: list[Deposit] = field(default_factory=list)
    handed_out: list[tuple[str, str, str, int]] = field(default_factory=list)  # tree, agent, change, amount
    given: list[tuple[str, str, str, int]] = field(default_factory=list)  # tree, from, to ("": the bank), minor units
    sold: dict[str, Sold] = field(default_factory=dict)
    blocked: set[tuple[str, str]] = field(default_factory=set)
    closed: set[tuple[str, str]] = field(default_factory=set)
    paid_out: dict[tuple[str, str], list[int]] = field(default_factory=dict)  # tree, payee -> by each window
    caps: dict[tuple[str, str, str], int | tuple[str, ...] | None] = field(default_factory=dict)
    others: list[tuple[str, str, int]] = field(default_factory=list)  # tree, agent, minor units: of all further kinds

    # --- sums

    def balance(self, tree: str, agent: str) -> int:
        """Deposits, less what its payments hold or cost, plus its shares of what was posted."""
        paid_in = sum(deposit.amount for deposit in self.deposits if (deposit.tree, deposit.agent) == (tree, agent))
        paid_in += sum(amount for of, _, taker, amount in self.given if (of, taker) == (tree, agent))
        paid_in -= sum(amount for of, giver, _, amount in self.given if (of, giver) == (tree, agent))
        here = [sold for sold in self.sold.values() if sold.tree == tree]
        spent = sum(sold.amount + sold.processing for sold in here if sold.payer == agent and sold.has_held)
        spent += sum(sold.kept for sold in here if sold.payer == agent)
        paid_in += sum(amount for book, payer, _, amount in self.handed_out if (book, payer) == (tree, agent))
        paid_in += sum(amount for book, who, amount in self.others if (book, who) == (tree, agent))
        return paid_in - spent + sum(sold.shares.get(agent, 0) for sold in here if sold.state in WITH_THE_PAYEE)

    def held(self, tree: str, agent: str) -> int:
        return sum(
            sold.amount + sold.processing
            for sold in self.sold.values()
            if (sold.tree, sold.payer) == (tree, agent) and sold.state in HOLDING
        )

    def operators_income(self, tree: str) -> int:
        """Processing fees and the rest of every reward."""
        posted = [sold for sold in self.sold.values() if sold.tree == tree and sold.state in WITH_THE_PAYEE]
        borne = sum(share for of, share in self.borne if of == tree)
        return sum(sold.processing + sold.reward - sum(sold.shares.values()) for sold in posted) - borne

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
        for book, _, name, amount in self.handed_out:
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

    def owed(self, tree: str, payee: str) -> int:
        """What was posted to a payee, less the reward it gives and all that its windows have paid."""
        sold = [one for one in self.sold.values() if (one.tree, one.payee) == (tree, payee)]
        sold = [one for one in sold if one.state in WITH_THE_PAYEE]
        return sum(one.amount - one.reward for one in sold) - sum(self.paid_out.get((tree, payee), []))

    def waiting(self) -> list[Sold]:
        """Payments a gateway has yet to answer."""
        return [sold for sold in self.sold.values() if sold.state in ("HELD", "UNKNOWN", "REVERSING")]

    # --- what should be answered

    def opened(self, order: OpenAgent) -> str:
        root = next((opened for (tree, _), opened in self.agents.items() if tree == order.tree), None)
        if order.parent is None:
            fits = order.agent == order.tree and root is None and order.funding == "own"
        else:
            fits = (
                root is not None
                and (order.tree, order.parent) in self.agents
                and (order.tree, order.parent) not in self.closed
                and (order.tree, order.agent) not in self.agents
                and order.currency == root.currency
                and order.time_zone is None
                and len(self.chain(order.tree, order.parent)) < 16
            )
        if not fits or (order.funding == "shared" and order.overdraft):
            return "REFUSED"
        self.agents[order.tree, order.agent] = order
        self.limits[order.tree, order.agent] = order.overdraft
        return "AGENT_OPENED"

    def limited(self, order: SetLimit) -> str:
        who = order.tree, order.agent
        agent = self.at_work(*who)
        named = {name: getattr(order, name) for name in ("payment_max", "daily_max", "monthly_max", "payees")}
        named = {name: value for name, value in named.items() if value is not None}
        if agent is None or set(named) & set(order.lift) or (order.overdraft is None and not named and not order.lift):
            return "REFUSED"
        if order.overdraft is not None and agent.funding == "shared":
            return "REFUSED"
        named |= dict.fromkeys(order.lift)
        caps = [named.get(name, self.caps.get((*who, name))) for name in ("payment_max", "daily_max", "monthly_max")]
        ascending = [cap for cap in caps if cap is not None]
        if ascending != sorted(ascending):
            return "REFUSED"
        self.caps |= {(*who, name): value for name, value in named.items()}
        if order.overdraft is not None:
            self.limits[who] = order.overdraft
        return "LIMIT_SET"

    def sold_in(self, tree: str, agent: str, period: str) -> int:
        """period: a day or a month, as its days begin."""
        return sum(one.amount for one in self.sold.values() if one.tree == tree and agent in one.chain
                   and one.state not in ("VOIDED", "REVERSED") and one.day.startswith(period))  # fmt: skip

    def today(self, tree: str, at: int) -> str:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
        zone = self.agents[tree, tree].time_zone or "UTC"
        return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d}"

    def capped(self, tree: str, chain: list[str], amount: int, day: str) -> int:
        """The code, 0: within everybody's maxima."""
        most = [self.caps.get((tree, agent, "payment_max")) for agent in chain]
        if any(cap is not None and amount > cap for cap in most):
            return 252
        for name, period in ("daily_max", day), ("monthly_max", day[:7]):
            for agent in chain:
                cap = self.caps.get((tree, agent, name))
                if cap is not None and self.sold_in(tree, agent, period) + amount > cap:
                    return 16
        return 0

    def deposited(self, order: Deposit) -> str:
        agent = self.at_work(order.tree, order.agent)
        if agent is None or agent.funding == "shared" or agent.currency != order.currency:
            return "REFUSED"
        self.deposits.append(order)
        return "DEPOSITED"

    def at_work(self, tree: str, agent: str) -> OpenAgent | None:
        return self.agents.get((tree, agent)) if (tree, agent) not in self.closed else None

    def stopped_or_not(self, order: BlockAgent | UnblockAgent | CloseAgent) -> str:
        who = order.tree, order.agent
        if self.at_work(*who) is None:
            return "REFUSED"
        if isinstance(order, BlockAgent):
            fits, after = who not in self.blocked, "AGENT_BLOCKED"
            self.blocked |= {who}
        elif isinstance(order, UnblockAgent):
            fits, after = who in self.blocked, "AGENT_UNBLOCKED"
            self.blocked -= {who}
        else:
            fits, after = self.may_close(*who), "AGENT_CLOSED"
            self.closed |= {who} if fits else set()
        return after if fits else "REFUSED"

    def may_close(self, tree: str, agent: str) -> bool:
        below = [name for (of, name), one in self.agents.items() if of == tree and one.parent == agent]
        mine = [one for one in self.sold.values() if one.tree == tree and one.state in OPEN
                and (one.chain[0] == agent or one.shares.get(agent) or one.payer == agent)]  # fmt: skip
        if agent == tree and any(self.change(tree).values()):
            return False
        return not mine and not self.balance(tree, agent) and all((tree, name) in self.closed for name in below)

    def gave(self, order: Transfer | Withdraw) -> str:
        """The kind of entry; "220": the giver has not so much."""
        tree = order.tree
        names = (order.giver, order.taker) if isinstance(order, Transfer) else (order.agent,)
        if any(self.at_work(tree, name) is None for name in names) or len(set(names)) < len(names):
            return "REFUSED"
        if isinstance(order, Transfer) and any(self.agents[tree, name].funding == "shared" for name in names):
            return "REFUSED"
        stopped = any((tree, one) in self.blocked for one in self.chain(tree, names[0]))
        if stopped or order.currency != self.agents[tree, names[0]].currency or self.line(tree, names[0]):
            return "REFUSED"
        if self.available(tree, names[0]) < order.amount:
            return "220"
        self.given.append((tree, names[0], names[1] if len(names) > 1 else "", order.amount))
        return "TRANSFERRED" if len(names) > 1 else "WITHDRAWN"

    def moved(self, order: MoveAgent) -> str:
        tree, agent, parent = order.tree, self.at_work(order.tree, order.agent), self.at_work(order.tree, order.parent)
        if agent is None or parent is None or agent.parent in (None, order.parent):
            return "REFUSED"
        above = self.chain(tree, order.parent)
        lines = [self.chain(tree, name) for of, name in self.agents if of == tree]
        levels = len(above) + max(line.index(order.agent) + 1 for line in lines if order.agent in line)
        waiting = [one for one in self.sold.values() if one.tree == tree and one.state == "WAITING_FUNDS"]
        if order.agent in above or levels > 16 or any(order.agent in one.chain for one in waiting):
            return "REFUSED"
        self.agents[tree, order.agent] = agent.model_copy(update={"parent": order.parent})
        return "AGENT_MOVED"

    def resolved(self, order: ResolvePayment) -> str:
        if (reversal := self.reversal_resolved(order)) is not None:
            return reversal
        sold = self.sold.get(order.payment)
        if sold is None or sold.tree != order.tree or sold.state != "MANUAL":
            return "REFUSED"
        sold.state = "POSTED" if order.paid else "VOIDED"
        return sold.state

    def paid_change(self, order: PayOutChange) -> str:
        name = sha(order.code) if order.code is not None else f"payment:{order.payment}"
        if self.at_work(order.tree, order.agent) is None:
            return "REFUSED"
        if self.agents[order.tree, order.tree].currency != order.currency:
            return "REFUSED"
        if self.change(order.tree).get(name, 0) < order.amount:
            return "REFUSED"
        self.handed_out.append((order.tree, self.payer(order.tree, order.agent), name, order.amount))
        return "CHANGE_PAID_OUT"

    def window_closed(self, tree: str, payee: str, number: int) -> int | None:
        """What it pays, None: it is not the one that is open."""
        windows = self.paid_out.setdefault((tree, payee), [])
        if number != len(windows) + 1 or not any(of == tree for of, _ in self.agents):
            return None
        windows.append(max(self.owed(tree, payee), 0) if payee else 0)
        return windows[-1]

    def placed(self, command: Place, at: int) -> int:
        """The code, 0: held. What waits, or is declined with its cash kept for the payer, is in `sold` too.

        at: when it is received.
        """
        order, tree, payee = command.order, command.book, command.payee
        chain = self.chain(tree, order.agent)
        price = self._price(command, chain, at)
        code = self._code(command, chain, price, at)
        root = self.agents.get((tree, tree))
        if code and (not order.collected or not chain or root is None or root.currency != order.currency):
            return code
        payer = self.payer(tree, order.agent)
        beyond = max(0, order.collected - order.amount - order.fee)
        needs = order.amount + price.processing + beyond if code in (0, 220, 280) else order.collected
        state = "WAITING_FUNDS" if code else "HELD"
        if code not in (0, 220, 280) and not self.line(tree, payer) and not self._short(tree, payer, needs):
            state = "DECLINED"
        self.sold[order.id] = Sold(
            tree, chain, payer, payee.gateway if payee is not None else "", order.payee, order.amount, price.processing,
            {name.removeprefix("agent:"): share for name, share in price.rewards if name != "reward"},
            sum(share for _, share in price.rewards), state,
            day=self.today(tree, at) if state == "HELD" else "", fee=order.fee,
            collected=order.collected, change=order.change_to or f"payment:{order.id}", code=code, needs=needs,
        )  # fmt: skip
        return code

    def _price(self, command: Place, chain: list[str], at: int) -> Worked:
        order = command.order
        priced_at = min(instant_ms(order.made_at), at) if order.collected else at
        return worked_out(command.tariff or FREE, chain, command.book, order.amount, order.fee, priced_at)

    def _code(self, command: Place, chain: list[str], price: Worked, at: int) -> int:
        order, payee = command.order, command.payee
        if not chain or any((command.book, one) in self.blocked | self.closed for one in chain):
            return 133
        if payee is None:
            return 6
        permitted = [self.caps.get((command.book, agent, "payees")) for agent in chain]
        if any(payees and payee.id not in payees for payees in permitted):
            return 155
        if {order.currency, payee.currency} != {self.agents[command.book, order.agent].currency}:
            return 300
        if order.subscriber.keys() != {"phone"} or not order.subscriber["phone"].startswith("9"):
            return 4
        if order.amount < payee.min_amount:
            return 241
        if order.amount > payee.max_amount:
            return 242
        if order.fee != price.fee or 0 < order.collected < order.amount + order.fee:
            return 255
        if order.collected > order.amount + order.fee and order.change_to is None:
            return 255
        day = self.today(command.book, at)
        if code := self.capped(command.book, chain, order.amount, day):
            return code
        payer = self.payer(command.book, order.agent)
        beyond = max(0, order.collected - order.amount - order.fee)
        code = self._short(command.book, payer, order.amount + price.processing + beyond)
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

    def roused(self, tree: str, at: int) -> dict[str, list[str]]:
        """By payer, the payments whose money has come: HELD from here on, or DECLINED with their cash kept."""
        found: dict[str, list[str]] = {}
        for payer in sorted({sold.payer for sold in self.sold.values() if sold.tree == tree}):
            for id in self.line(tree, payer):
                sold = self.sold[id]
                if self._short(tree, payer, sold.needs):
                    break
                to_be_held = sold.code in (220, 280)
                code = self._stopped(tree, sold, at) if to_be_held else sold.code
                if code and self._short(tree, payer, sold.collected):
                    break
                sold.state, sold.code = "DECLINED" if code else "HELD", code
                sold.day = "" if code else self.today(tree, at)
                found.setdefault(payer, []).append(id)
        return found

    def _stopped(self, tree: str, sold: Sold, at: int) -> int:
        """What its agents may not sell any more, though the money is there; 0: they may."""
        if any((tree, one) in self.blocked | self.closed for one in sold.chain):
            return 133
        permitted = [self.caps.get((tree, agent, "payees")) for agent in sold.chain]
        if any(payees and sold.payee not in payees for payees in permitted):
            return 155
        return self.capped(tree, sold.chain, sold.amount, self.today(tree, at))

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
