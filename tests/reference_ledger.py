"""A second opinion on the ledger: nothing is kept but what was asked and answered, every sum is made anew each time.

Written from docs/money.md, not from the code: no legs, no running balances, no shared arithmetic. Slow and small.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from console.audit_prices import Worked, worked_out
from schemas.agent_command import BlockAgent, CloseAgent, MoveAgent, Transfer, UnblockAgent, Withdraw
from schemas.command import Deposit, OpenAgent, PayOutChange, ResolvePayment, SetLimit
from schemas.ids import instant_ms
from schemas.outcome import Verdict
from schemas.tariff import Tariff
from streams.ledger.commands import Place, Send, Settle
from tests.reference_cash import CashReference
from tests.reference_change import ChangeReference, sha
from tests.reference_clearing import ClearingReference
from tests.reference_corrections import CorrectionReference
from tests.reference_currencies import Currencies
from tests.reference_fees import FeeReference
from tests.reference_offline import OfflineReference
from tests.reference_reversal import IN_REVERSAL, WITH_THE_PAYEE, Reversals
from tests.reference_routes import Ways, ways_of
from tests.reference_vouchers import CARD, VoucherReference

HOLDING = ("HELD", "QUEUED", "SENT", "UNKNOWN", "MANUAL")
OPEN = (*HOLDING, "WAITING_FUNDS", *IN_REVERSAL)
FREE = Tariff(payee="free")


@dataclass
class Sold:
    """One payment that was not declined."""

    tree: str
    chain: list[str]
    payer: str
    ways: Ways
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
    currency: str = ""
    spent: dict[str, int] = field(default_factory=dict)  # change, by the name it is kept under
    waits_to_be_held: bool = False
    refund: str = ""

    @property
    def gateway(self) -> str:
        return self.ways.line[0] if self.ways.line else ""

    @property
    def kept(self) -> int:
        """What the agent owes the payer, who put it in."""
        if self.state in ("VOIDED", "DECLINED"):
            return self.collected
        back = self.amount + self.fee if (self.state, self.refund) == ("REVERSED", "change") else 0
        if not self.collected:
            return back
        return back + (max(0, self.collected + self.spent_sum - self.amount - self.fee) if self.was_held else 0)

    @property
    def spent_sum(self) -> int:
        return sum(self.spent.values())

    @property
    def was_held(self) -> bool:
        """And what was spent or kept for it then is so still."""
        return self.has_held or self.state == "REVERSED"

    @property
    def has_held(self) -> bool:
        return self.state in (*HOLDING, *WITH_THE_PAYEE)


@dataclass
class Reference(
    Currencies, ChangeReference, ClearingReference, CashReference, FeeReference, CorrectionReference, Reversals,
    OfflineReference, VoucherReference,
):  # fmt: skip
    """Where a currency is asked for, "" is the tree's own."""

    deposits: list[Deposit] = field(default_factory=list)
    # tree, agent, change, amount, currency
    handed_out: list[tuple[str, str, str, int, str]] = field(default_factory=list)
    # tree, from, to ("": the bank), minor units, currency
    given: list[tuple[str, str, str, int, str]] = field(default_factory=list)
    sold: dict[str, Sold] = field(default_factory=dict)
    blocked: set[tuple[str, str]] = field(default_factory=set)
    paid_out: dict[tuple[str, str], list[int]] = field(default_factory=dict)  # tree, payee -> by each window
    caps: dict[tuple[str, str, str], int | tuple[str, ...] | None] = field(default_factory=dict)
    # tree, agent, minor units, currency: of all further kinds
    others: list[tuple[str, str, int, str]] = field(default_factory=list)

    # --- sums

    def balance(self, tree: str, agent: str, currency: str = "") -> int:
        """Deposits, less what its payments hold or cost, plus its shares of what was posted."""
        coin = currency or self.own(tree)
        me = tree, agent, coin
        paid_in = sum(one.amount for one in self.deposits if (one.tree, one.agent, one.currency) == me)
        paid_in += sum(amount for of, _, taker, amount, one in self.given if (of, taker, one) == me)
        paid_in -= sum(amount for of, giver, _, amount, one in self.given if (of, giver, one) == me)
        here = [sold for sold in self.sold.values() if (sold.tree, sold.currency) == (tree, coin)]
        spent = sum(sold.amount + sold.processing for sold in here if sold.payer == agent and sold.has_held)
        spent += sum(sold.kept for sold in here if sold.payer == agent)
        paid_in += sum(sold.spent_sum for sold in here if sold.payer == agent and sold.was_held)
        paid_in += sum(amount for book, payer, _, amount, one in self.handed_out if (book, payer, one) == me)
        paid_in += sum(amount for book, who, amount, one in self.others if (book, who, one) == me)
        return paid_in - spent + sum(sold.shares.get(agent, 0) for sold in here if sold.state in WITH_THE_PAYEE)

    def held(self, tree: str, agent: str, currency: str = "") -> int:
        return sum(
            sold.amount + sold.processing
            for sold in self.sold.values()
            if (sold.tree, sold.payer, sold.currency) == (tree, agent, currency or self.own(tree))
            and sold.state in HOLDING
        )

    def operators_income(self, tree: str, currency: str = "") -> int:
        """Processing fees and the rest of every reward."""
        coin = currency or self.own(tree)
        posted = [sold for sold in self.sold.values() if sold.state in WITH_THE_PAYEE
                  and (sold.tree, sold.currency) == (tree, coin)]  # fmt: skip
        borne = sum(share for of, share, one in self.borne if (of, one) == (tree, coin))
        return sum(sold.processing + sold.reward - sum(sold.shares.values()) for sold in posted) - borne

    def available(self, tree: str, agent: str, currency: str = "") -> int:
        return self.balance(tree, agent, currency) + self.limits[tree, self.purse(tree, agent, currency)]

    def ever_held(self) -> int:
        return sum(not sold.code for sold in self.sold.values())

    def change(self, tree: str, currency: str = "") -> dict[str, int]:
        """What is kept for payers, by the name it is kept under."""
        found: dict[str, int] = {}
        here = tree, currency or self.own(tree)
        for sold in self.sold.values():
            if (sold.tree, sold.currency) == here:
                if sold.kept:  # a name under which nothing ever was is not there
                    found[sold.change] = found.get(sold.change, 0) + sold.kept
                for name, amount in sold.spent.items() if sold.was_held else ():
                    found[name] = found.get(name, 0) - amount
        for book, name, amount, coin in self.moved_change:
            if (book, coin) == here:
                found[name] = found.get(name, 0) + amount
        for book, _, name, amount, coin in self.handed_out:
            if (book, coin) == here:
                found[name] -= amount
        for (book, coin, name), amount in self.gone.items():
            if (book, coin) == here:
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
        owed = sum(one.amount - one.reward for one in sold) + self.corrected_for(tree, payee)
        return owed - sum(self.paid_out.get((tree, payee), []))

    def waiting(self) -> list[Sold]:
        """Payments a gateway has yet to answer; none is asked about what goes in a registry or comes from stock."""
        asked = ("HELD", "SENT", "UNKNOWN", "REVERSING")
        return [sold for sold in self.sold.values() if sold.state in asked and sold.payee not in ("water", CARD)]

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
        if agent is not None and order.currency is not None and not self.has(*who, order.currency):
            return "REFUSED"
        purse = order.tree, self.purse(*who, order.currency or "")
        named = {name: getattr(order, name) for name in ("payment_max", "daily_max", "monthly_max", "payees")}
        named = {name: value for name, value in named.items() if value is not None}
        if agent is None or set(named) & set(order.lift) or (order.overdraft is None and not named and not order.lift):
            return "REFUSED"
        if order.overdraft is not None and agent.funding == "shared":
            return "REFUSED"
        named |= dict.fromkeys(order.lift)
        caps = [named.get(name, self.caps.get((*purse, name))) for name in ("payment_max", "daily_max", "monthly_max")]
        ascending = [cap for cap in caps if cap is not None]
        if ascending != sorted(ascending):
            return "REFUSED"
        self.caps |= {(*(who if name == "payees" else purse), name): value for name, value in named.items()}
        if order.overdraft is not None:
            self.limits[purse] = order.overdraft
        return "LIMIT_SET"

    def sold_in(self, tree: str, agent: str, period: str, currency: str = "") -> int:
        """period: a day or a month, as its days begin."""
        coin = currency or self.own(tree)
        return sum(one.amount for one in self.sold.values() if (one.tree, one.currency) == (tree, coin)
                   and agent in one.chain and one.state not in ("VOIDED", "REVERSED")
                   and one.day.startswith(period))  # fmt: skip

    def today(self, tree: str, at: int) -> str:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
        zone = self.agents[tree, tree].time_zone or "UTC"
        return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d}"

    def capped(self, tree: str, chain: list[str], amount: int, day: str, currency: str = "") -> int:
        """The code, 0: within everybody's maxima."""
        most = [self.caps.get((tree, self.purse(tree, agent, currency), "payment_max")) for agent in chain]
        if any(cap is not None and amount > cap for cap in most):
            return 252
        for name, period in ("daily_max", day), ("monthly_max", day[:7]):
            for agent in chain:
                cap = self.caps.get((tree, self.purse(tree, agent, currency), name))
                if cap is not None and self.sold_in(tree, agent, period, currency) + amount > cap:
                    return 16
        return 0

    def deposited(self, order: Deposit) -> str:
        agent = self.at_work(order.tree, order.agent)
        if agent is None or agent.funding == "shared" or not self.has(order.tree, order.agent, order.currency):
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
        if agent == tree and any(amount for coin in self.currencies(tree, tree) for amount in
                                 self.change(tree, coin).values()):  # fmt: skip
            return False
        if self.not_told(tree, "" if agent == tree else agent):
            return False
        if any(self.balance(tree, agent, coin) for coin in self.currencies(tree, agent)):
            return False
        return not mine and all((tree, name) in self.closed for name in below)

    def gave(self, order: Transfer | Withdraw) -> str:
        """The kind of entry; "220": the giver has not so much."""
        tree = order.tree
        names = (order.giver, order.taker) if isinstance(order, Transfer) else (order.agent,)
        if any(self.at_work(tree, name) is None for name in names) or len(set(names)) < len(names):
            return "REFUSED"
        if isinstance(order, Transfer) and any(self.agents[tree, name].funding == "shared" for name in names):
            return "REFUSED"
        stopped = any((tree, one) in self.blocked for one in self.chain(tree, names[0]))
        lacking = any(not self.has(tree, name, order.currency) for name in names)
        if stopped or lacking or self.line(tree, names[0], order.currency):
            return "REFUSED"
        if self.available(tree, names[0], order.currency) < order.amount:
            return "220"
        self.given.append((tree, names[0], names[1] if len(names) > 1 else "", order.amount, order.currency))
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
        if not set(self.currencies(tree, order.agent)) <= set(self.currencies(tree, order.parent)):
            return "REFUSED"
        self.agents[tree, order.agent] = agent.model_copy(update={"parent": order.parent})
        return "AGENT_MOVED"

    def resolved(self, order: ResolvePayment) -> str:
        if (reversal := self.reversal_resolved(order)) is not None:
            return reversal
        sold = self.sold.get(order.payment)
        if sold is None or sold.tree != order.tree or sold.state not in ("MANUAL", "WAITING_FUNDS"):
            return "REFUSED"
        if sold.state == "WAITING_FUNDS":
            if order.paid or self._short(order.tree, sold.payer, sold.collected, sold.currency):
                return "REFUSED"
            sold.state, sold.code = "DECLINED", 300
            return sold.state
        sold.state = "POSTED" if order.paid else "VOIDED"
        return sold.state

    def paid_change(self, order: PayOutChange) -> str:
        name = sha(order.code) if order.code is not None else f"payment:{order.payment}"
        if self.at_work(order.tree, order.agent) is None:
            return "REFUSED"
        if not self.has(order.tree, order.agent, order.currency):
            return "REFUSED"
        if self.change(order.tree, order.currency).get(name, 0) < order.amount:
            return "REFUSED"
        if (order.tree, name) in self.stopped_change:
            return "REFUSED"
        self.handed_out.append((order.tree, self.payer(order.tree, order.agent), name, order.amount, order.currency))
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
        order, tree = command.order, command.book
        chain = self.chain(tree, order.agent)
        price = self._price(command, chain, at)
        code = self._code(command, chain, price, at)
        coin = order.currency
        if code and (not order.collected or not chain or not self.has(tree, order.agent, coin)):
            return code
        payer = self.payer(tree, order.agent)
        beyond = max(0, order.collected - order.amount - order.fee)
        curable = (220, 280) if not order.change_from else ()  # what spends change does not wait to be held
        needs = order.amount + price.processing + beyond if code in (0, *curable) else order.collected
        state = "WAITING_FUNDS" if code else "HELD"
        if code not in (0, *curable) and not self.line(tree, payer, coin) and not self._short(tree, payer, needs, coin):
            state = "DECLINED"
        self.sold[order.id] = Sold(
            tree, chain, payer, self._ways(command, at), order.payee, order.amount, price.processing,
            {name.removeprefix("agent:"): share for name, share in price.rewards if name != "reward"},
            sum(share for _, share in price.rewards), state,
            day=self.today(tree, at) if state == "HELD" else "", fee=order.fee,
            collected=order.collected, change=order.change_to or f"payment:{order.id}", code=code, needs=needs,
            currency=coin, spent={} if code else self.opened_by(order), waits_to_be_held=code in curable,
        )  # fmt: skip
        return code

    def _ways(self, command: Place, at: int) -> Ways:
        lines = Counter(sold.gateway for sold in self.waiting())
        return ways_of(command, {name for name, length in lines.items() if length >= command.backlog_max}, at)

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
        if payee.served == "vouchers" and not command.is_sealed:
            return 155
        if order.currency != payee.currency or not self.has(command.book, order.agent, order.currency):
            return 300
        if order.subscriber.keys() != {"phone"} or not order.subscriber["phone"].startswith("9"):
            return 4
        if order.amount < payee.min_amount:
            return 241
        if order.amount > payee.max_amount:
            return 242
        if payee.denominations and order.amount not in payee.denominations:
            return 7
        spent, total = self.opened_by(order), order.amount + order.fee
        rest = total - sum(spent.values())
        if order.fee != price.fee or rest < 0 or 0 < order.collected < rest:
            return 255
        if order.collected > rest and order.change_to is None:
            return 255
        day, coin = self.today(command.book, at), order.currency
        if code := self.not_spent(command.book, spent, coin):
            return code
        if code := self.capped(command.book, chain, order.amount, day, coin):
            return code
        payer = self.payer(command.book, order.agent)
        beyond = max(0, order.collected - rest) if order.collected else 0
        code = self._short(command.book, payer, order.amount + price.processing + beyond - (total - rest), coin)
        if not code and self.line(command.book, payer, coin):
            code = 220
        code = 280 if code == 220 and payer != order.agent else code
        if (
            not code
            and sum(sold.gateway == self._ways(command, at).line[0] for sold in self.waiting()) >= command.backlog_max
        ):
            return 1
        return code

    def line(self, tree: str, payer: str, currency: str = "") -> list[str]:
        """What waits for this payer's money, oldest first."""
        me = tree, payer, currency or self.own(tree)
        mine = [id for id, sold in self.sold.items() if (sold.tree, sold.payer, sold.currency) == me]
        return [id for id in mine if self.sold[id].state == "WAITING_FUNDS"]

    def roused(self, tree: str, at: int) -> dict[tuple[str, str], list[str]]:
        """By payer and currency, the payments whose money has come: now HELD, or DECLINED with their cash kept."""
        found: dict[tuple[str, str], list[str]] = {}
        for payer, coin in sorted({(sold.payer, sold.currency) for sold in self.sold.values() if sold.tree == tree}):
            for id in self.line(tree, payer, coin):
                sold = self.sold[id]
                if self._short(tree, payer, sold.needs, coin):
                    break
                to_be_held = sold.waits_to_be_held
                code = self._stopped(tree, sold, at) if to_be_held else sold.code
                if code and self._short(tree, payer, sold.collected, coin):
                    break
                sold.state, sold.code = "DECLINED" if code else "HELD", code
                sold.day = "" if code else self.today(tree, at)
                found.setdefault((payer, coin), []).append(id)
        return found

    def _stopped(self, tree: str, sold: Sold, at: int) -> int:
        """What its agents may not sell any more, though the money is there; 0: they may."""
        if any((tree, one) in self.blocked | self.closed for one in sold.chain):
            return 133
        permitted = [self.caps.get((tree, agent, "payees")) for agent in sold.chain]
        if any(payees and sold.payee not in payees for payees in permitted):
            return 155
        return self.capped(tree, sold.chain, sold.amount, self.today(tree, at), sold.currency)

    def _short(self, tree: str, payer: str, needed: int, currency: str) -> int:
        if self.available(tree, payer, currency) < needed:
            return 220
        return 280 if any(self.available(tree, above, currency) < 0 for above in self.chain(tree, payer)[1:]) else 0

    def left_to_pay(self, command: Send) -> str | None:
        """The kind of entry, None: there is nothing to send for the first time, or it is sold from stock."""
        sold = self.sold.get(command.payment)
        if sold is None or sold.tree != command.book or sold.state != "HELD" or sold.payee == CARD:
            return None
        sold.state, sold.sent = "SENT", 1
        return "SENT"

    def answered(self, command: Settle) -> str | None:
        """The kind of entry, None: nobody waits for this answer."""
        sold = self.sold.get(command.payment)
        if sold is None or sold.tree != command.book or sold.payee == CARD:
            return None
        if sold.state == "MANUAL" and sold.sent and command.outcome.step == "status":
            told = {Verdict.PAID: "POSTED", Verdict.FATAL: "VOIDED"}.get(command.outcome.verdict)
            sold.state = told or sold.state
            return told
        if sold.state == "REVERSAL_MANUAL" and (command.outcome.step, command.outcome.verdict) == (
            "status",
            Verdict.FATAL,
        ):
            return self._given_back(sold)
        if sold.state not in ("HELD", "SENT", "UNKNOWN"):
            return None
        verdict, is_pay = command.outcome.verdict, command.outcome.step == "pay"
        if sold.state == "SENT" and is_pay:
            sold.sent = 0  # what is answered is the request it was written for
        sold.sent = sold.sent or int(command.sent_before)
        maybe_paid = sold.sent > 0
        if sold.state == "HELD" and not maybe_paid and sold.ways.answered(command):
            sold.unreached = sold.ways.moves
            return "REROUTED"
        if verdict is Verdict.PAID:
            sold.state = "POSTED" if maybe_paid or is_pay else "MANUAL"
        elif verdict is Verdict.FATAL:
            sold.state = "MANUAL" if maybe_paid and command.outcome.step != "status" else "VOIDED"
        elif is_pay and verdict is not Verdict.NOT_SENT:
            sold.sent, sold.unreached = sold.sent + 1, 0
            sold.state = "MANUAL" if sold.sent >= command.retry.budget else "UNKNOWN"
        else:
            sold.unreached += 1
            sold.ways.moves = sold.unreached
            if sold.unreached >= command.retry.budget:
                sold.state = "MANUAL" if maybe_paid else "VOIDED"
            elif not maybe_paid:
                sold.state = "HELD"
                return "DEFERRED"
            else:
                sold.state = "UNKNOWN"
        if sold.state == "UNKNOWN" and command.is_last:
            sold.state = "MANUAL"
        return sold.state
