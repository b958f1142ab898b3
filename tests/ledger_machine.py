"""Random histories of two trees, a worker that lives through them, and the reference that watches it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import orjson
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from pydantic import TypeAdapter

from console.audit_prices import prices_by, winners
from schemas.change import mark_of
from schemas.entry import FINAL, Entry
from schemas.ids import ms_instant
from schemas.outcome import Verdict
from schemas.payee import SubscriberField
from schemas.tariff import Fee, Tariff
from streams.ledger.commands import (
    FeeDue,
    Instruct,
    LedgerCommand,
    Place,
    RegistryDelivered,
    RegistryDue,
    Rouse,
    Send,
    Settle,
    VoucherDue,
    WindowDue,
)
from streams.ledger.decide import Conflict, Duplicate, Stale, decide
from streams.ledger.decisions import Decision
from streams.ledger.fees import fee_within
from streams.ledger.image import StateImage, image_of, state_of
from streams.ledger.memory import leaving, let_go, needed_to_decide, recall
from streams.ledger.perform import perform
from streams.ledger.state import Account, State
from streams.ledger.waiting import ready
from tests.builders import (
    AT,
    a_deposit,
    a_pay_out,
    a_payee,
    a_place,
    a_rate,
    a_resolve,
    a_retry,
    a_send,
    a_settle,
    a_tariff,
    a_tariff_with_rules,
    a_transfer,
    a_withdrawal,
    an_order,
    block,
    close,
    close_window,
    folded,
    move,
    open_agent,
    set_limit,
    set_payee,
    set_tariff,
    unblock,
    window_due,
)
from tests.builders_offline import an_offline_payee
from tests.builders_routes import a_route, an_answer
from tests.machine_cash import CashRules
from tests.machine_change import CODES, ChangeRules, cash_beside
from tests.machine_charts import ChartRules, every_account_has_a_kind
from tests.machine_clearing import ClearingRules
from tests.machine_corrections import CorrectionRules
from tests.machine_currencies import CurrencyRules
from tests.machine_fees import FeeRules
from tests.machine_offline import OfflineRules
from tests.machine_reversal import ReversalRules
from tests.machine_vouchers import VoucherRules
from tests.reference_ledger import OPEN, Reference
from tests.reference_reversal import IN_REVERSAL

TREES = ("A", "B")
CURRENCY = {"A": "RUB", "B": "USD"}
ZONE = {"A": "Europe/Moscow"}
AGENTS = ("A", "B", "S", "T", "U")
FIRST_TXN = 10**15 + 1
IMAGES: TypeAdapter[StateImage] = TypeAdapter(StateImage)
FIELDS = (SubscriberField(name="phone", title="Phone", pattern=r"9\d{9}"),)
PAYEES = {
    "mobile": a_payee("mobile", fields=FIELDS, max_amount=50_000),
    "abroad": a_payee("abroad", fields=FIELDS, gateway="osmp-2", currency="USD", min_amount=1, max_amount=9_000),
    "ways": a_payee("ways", fields=FIELDS, max_amount=50_000, routes=(
        a_route("osmp-1", 3), a_route("osmp-3", 1, weekdays=("thu", "sat", "mon")), a_route("osmp-4", 2),
    )),
    "water": an_offline_payee("water", fields=FIELDS, max_amount=50_000),
    "nobody": None,
}  # fmt: skip
TARIFFS = (
    None,
    a_tariff(),
    a_tariff(fee=Fee(rate_bps=300), processing=a_rate(min_minor=7), reward_shares_bps=(3_333, 3_333, 3_333)),
    a_tariff(fee=Fee(), processing=a_rate(), reward=a_rate(50), reward_shares_bps=(10_000,)),
    a_tariff_with_rules(),
)
UNWELL = (frozenset[str](), frozenset({"osmp-3"}), frozenset({"osmp-4", "osmp-1"}))
CAPS: tuple[dict[str, Any], ...] = (
    {}, {"payment_max": 9_000}, {"daily_max": 9_000}, {"daily_max": 30_000}, {"monthly_max": 20_000},
    {"monthly_max": 60_000}, {"payees": ("abroad",)}, {"payees": ()}, {"lift": ("daily_max", "monthly_max")},
    {"lift": ("payment_max", "daily_max", "monthly_max"), "payees": ()},
)  # fmt: skip
IN_DOUBT = frozenset({"MANUAL", "REVERSAL_MANUAL"})
MEANWHILE: tuple[Any, ...] = ({}, {}, "block", {"payment_max": 1}, {"daily_max": 1}, {"monthly_max": 20_000})
VAIN = [(Verdict.NOT_SENT, "check"), (Verdict.NOT_SENT, "pay"), (Verdict.UNCLEAR, "check"), (Verdict.FATAL, "check")]
trees, agents = st.sampled_from(TREES), st.sampled_from(AGENTS)
amounts = st.one_of(st.integers(1, 12_000), st.sampled_from([99, 100, 9_000, 9_001, 50_000, 50_001]))
moments = st.sampled_from([0, 0, 1, -1, 10**9, -3_600_000, -86_400_000])  # the terminal's clock, ms after AT
numbers = st.integers(0, 10**6)
rarely = st.sampled_from([True, *[False] * 9])
fundings = st.sampled_from(["own", "shared"])
sellers = st.sampled_from([("A", "S"), ("A", "S"), ("A", "T"), ("A", "U"), ("A", "A"), ("B", "B"), ("B", "S")])
wrongs = st.sampled_from([*[""] * 16, "fee", "collected", "phone", "currency", "payee"])
backlogs = st.sampled_from([1, 2, 5, *[1_000] * 9])
extras = st.sampled_from([0, 0, 0, 1, 700, 5_000])
sales = st.tuples(sellers, amounts, st.sampled_from(TARIFFS), st.booleans(), extras, st.sampled_from(["", *CODES]),
                  wrongs, backlogs, moments)  # fmt: skip
orders = st.one_of(
    st.tuples(st.just("open"), trees, agents, st.none() | agents, fundings, st.sampled_from([0, 5_000]), trees),
    st.tuples(st.just("limit"), trees, agents, st.sampled_from([0, 1, 10_000, 60_000])),
    st.tuples(st.just("cap"), trees, agents, st.sampled_from(CAPS), st.sampled_from(CAPS)),
    st.tuples(st.just("deposit"), trees, agents, st.integers(1, 100_000), rarely),
    st.tuples(st.just("give"), trees, agents, st.none() | agents, st.integers(1, 60_000), rarely),
    st.tuples(st.just("move"), trees, agents, agents),
    st.tuples(st.just("standing"), st.sampled_from([block, unblock, unblock, close]), trees, st.just("U") | agents),
    st.tuples(st.just("directory"), st.sampled_from(["mobile", "abroad"]), st.integers(1, 5)),
)


def fitting_fee(tariff: Tariff | None, amount: int, agent: str, at: int) -> int:
    """The fee a terminal states for an amount: the one that the tariff finds in both together."""
    rules = winners(tariff, agent, amount, at) if tariff is not None else []
    prices = prices_by(tariff, rules[0] if rules else None) if tariff is not None else None
    return next(fee for fee in range(amount + 1_000) if fee_within(prices, amount + fee) == fee)


def windows_continue(log: list[Entry]) -> None:
    """What a window closes with, the next of its subject opens with; a leg of a payee's is in one window."""
    ends: dict[tuple[str, str, str, str], tuple[int, int]] = {}
    for entry in log:
        for one in entry.window.positions if entry.window is not None else ():
            key = (entry.book, entry.window.subject, one.account, one.currency)
            assert (one.first - 1, one.opening) == ends.get(key, (0, 0))
            ends[key] = (one.last, one.closing)


class LedgerMachine(
    ChartRules,
    ChangeRules,
    ClearingRules,
    CurrencyRules,
    CashRules,
    FeeRules,
    ReversalRules,
    CorrectionRules,
    OfflineRules,
    VoucherRules,
    RuleBasedStateMachine,
):
    """A worker's state, the log it wrote, and the reference that watches."""

    commands = 0

    def __init__(self) -> None:
        super().__init__()
        self.state, self.reference = State(0), Reference()
        self.archive: dict[bytes, bytes] = {}
        self.log: list[Entry] = []
        self.asked: list[LedgerCommand] = []  # signed and decided, in order of the log
        self.written_after: list[int] = []  # entries in the log once asked[i] was decided
        self.at = AT

    # --- asking

    def decide(self, command: LedgerCommand, at: int) -> Decision:
        self.have_at_hand(command)
        return decide(self.state, command, at)

    def have_at_hand(self, command: LedgerCommand) -> None:
        keys = needed_to_decide(self.state, [command])
        recall(self.state, {key: self.archive[key] for key in keys if key in self.archive})

    def followed(self, tree: str, more: list[Entry]) -> None:
        """What waited for money that came is held in the same breath, oldest first, and nothing else is."""
        found: dict[tuple[str, str], list[str]] = {}
        for entry in more:
            assert (entry.kind in ("HELD", "DECLINED"), entry.cause.by) == (True, "funds")
            found.setdefault((entry.payment.payer_agent, entry.payment.currency), []).append(entry.payment.id)
        assert found == self.reference.roused(tree, self.at)
        assert not ready(self.state, self.at)

    def ask(self, command: LedgerCommand) -> Entry | None:
        LedgerMachine.commands += 1
        self.at += 1
        self.have_at_hand(command)
        decision = perform(self.state, command, self.at)
        if not isinstance(decision, list):
            return None
        entry, *more = decision
        self.log += decision
        self.followed(command.book, [one for one in more if one.kind != "QUEUED"])
        self.queued(decision)
        self.reference.look(TREES, self.at)
        timed = Settle | Send | WindowDue | FeeDue | VoucherDue | RegistryDue | RegistryDelivered
        if not isinstance(command, timed):
            self.asked.append(command)
            self.written_after.append(len(self.log))
        return entry

    def instructed(self, command: Instruct, expected: str) -> None:
        entry = self.ask(command)
        assert entry is not None
        assert entry.kind == expected, entry.reason

    def new_id(self) -> str:
        return f"command-{len(self.asked)}"

    def a_known(self, pick: int) -> LedgerCommand:
        return self.asked[pick % len(self.asked)]

    # --- commands

    @initialize(money=st.integers(0, 100_000), funding=fundings)
    def trees_to_begin_with(self, money, funding) -> None:
        """A over S over T over U, T perhaps on the money of S; B alone."""
        for tree in TREES:
            self.open(tree, tree, None, "own", 3_000, tree)
            self.deposit(tree, tree, 50_000, False)
        for agent, parent in ("S", "A"), ("T", "S"), ("U", "T"):
            self.open("A", agent, parent, funding if agent == "T" else "own", 0, "A")
            self.deposit("A", agent, money + 1, False)
        self.begin_abroad()
        self.load_a_batch(1, [3, 2, 3], 500, 0, "", True)

    @rule(order=orders)
    def administer(self, order) -> None:
        name, *values = order
        getattr(self, name)(*values)

    def open(self, tree, agent, parent, funding, overdraft, currency_of) -> None:
        currency = CURRENCY[currency_of]
        command = open_agent(agent, parent, tree, funding=funding, overdraft=overdraft,
                             currency=currency, id=self.new_id(), time_zone=ZONE.get(agent))  # fmt: skip
        self.instructed(command, self.reference.opened(command.command))

    def limit(self, tree, agent, overdraft) -> None:
        command = set_limit(agent, overdraft, tree, id=self.new_id())
        self.instructed(command, self.reference.limited(command.command))

    def cap(self, tree, agent, one, other, currency=None) -> None:
        command = set_limit(agent, None, tree, id=self.new_id(), currency=currency, **one | other)
        self.instructed(command, self.reference.limited(command.command))

    @rule(hours=st.sampled_from([1, 5, 24, 24 * 31]))
    def time_passes(self, hours) -> None:
        """With a new day the limits of yesterday are not in the way any more."""
        self.at += hours * 3_600_000
        for tree in TREES:
            more = perform(self.state, Rouse(tree), self.at)
            assert isinstance(more, list)
            self.log += more
            self.followed(tree, [one for one in more if one.kind != "QUEUED"])
            self.queued(more)
            self.reference.look(TREES, self.at)

    def deposit(self, tree, agent, amount, wrong, currency="") -> None:
        currency = "EUR" if wrong else currency or CURRENCY[tree]
        command = a_deposit(agent, amount, tree, currency=currency, id=self.new_id())
        self.instructed(command, self.reference.deposited(command.command))

    @precondition(lambda self: self.state.waiting)
    @rule(pick=numbers, more=st.sampled_from([0, 0, -1, 1_000, 60_000]), limit=st.sampled_from(MEANWHILE))
    def money_comes(self, pick, more, limit) -> None:
        """As much as the first in line needs to be held or given back, one too little, or more; a limit before it?"""
        books = self.state.waiting.books()
        tree = books[pick % len(books)]
        payers = self.state.waiting.payers(tree)
        payer, coin = payers[pick % len(payers)]
        facts = self.state.open[self.state.waiting.oldest(tree, payer, coin)].facts
        self.standing(block, tree, facts.agent) if limit == "block" else self.cap(tree, facts.agent, limit, limit, coin)
        needed = facts.held + facts.change if facts.held and pick % 2 else facts.collected
        available = self.state.books[tree].agents_in(coin)[payer].available
        self.deposit(tree, payer, max(1, needed - available + more), False, coin)
        self.standing(unblock, tree, facts.agent)
        self.cap(tree, facts.agent, {"lift": ("payment_max", "daily_max", "monthly_max"), "payees": ()}, {}, coin)

    def give(self, tree, giver, taker, amount, wrong) -> None:
        changes = {"currency": "EUR" if wrong else CURRENCY[tree], "id": self.new_id()}
        if taker is None:
            command = a_withdrawal(giver, amount, tree, **changes)
        else:
            command = a_transfer(giver, taker, amount, tree, **changes)
        self.given_or_not(command)

    def given_or_not(self, command, opinion=None) -> None:
        expected = (opinion or self.reference.gave)(command.command)
        entry = self.ask(command)
        assert entry is not None
        outcomes = {"REFUSED": ("REFUSED", 300), "220": ("REFUSED", 220)}
        assert (entry.kind, entry.refusal) == outcomes.get(expected, (expected, 0))

    def move(self, tree, agent, parent) -> None:
        command = move(agent, parent, tree, id=self.new_id())
        self.instructed(command, self.reference.moved(command.command))

    def standing(self, what, tree, agent) -> None:
        command = what(agent, tree, id=self.new_id())
        self.instructed(command, self.reference.stopped_or_not(command.command))

    def directory(self, payee, version) -> None:
        book = self.state.books.get(f"tariffs/{payee}")
        newest = book.record.value["version"] if book is not None and book.record is not None else 0
        command = set_tariff(a_tariff(payee, version=version), self.new_id())
        self.instructed(command, "DIRECTORY_SET" if version > newest else "REFUSED")
        self.instructed(set_payee(PAYEES[payee], self.new_id()), "DIRECTORY_SET")

    @rule(sales=st.lists(sales, min_size=1, max_size=5))
    def sell(self, sales) -> None:
        for sale in sales:
            self.place(*sale)

    def place(
        self, seller, amount, tariff, collected, extra, code, wrong, backlog_max, ago_ms=0, spent=(), cash="", coin="",
        to="",
    ) -> None:  # fmt: skip
        tree, agent = seller
        currency = coin or CURRENCY["B" if (tree == "A") == (wrong == "currency") else "A"]
        payee = "nobody" if wrong == "payee" else "abroad" if currency == "USD" else "ways" if amount % 2 else "mobile"
        payee = to or ("water" if payee == "mobile" and amount % 5 < 2 else payee)
        made_at = AT + ago_ms
        fee = fitting_fee(tariff, amount, f"{tree}/{agent}", min(made_at, self.at + 1) if collected else self.at + 1)
        fee += 2 * (wrong == "fee")
        total = amount + fee
        order = an_order(
            len(self.asked) + 1,
            agent=agent,
            payee=payee,
            amount=amount,
            fee=fee,
            collected=collected * (total + extra) + (wrong == "collected") + cash_beside(cash, total, spent),
            change_to=mark_of(code) if code else None,
            change_from=spent,
            currency=currency,
            subscriber={"phone": "9161234567" if wrong != "phone" else "8161234567"},
            made_at=ms_instant(made_at),
        )
        command = a_place(order, book=tree, payee=PAYEES[payee], tariff=tariff, backlog_max=backlog_max)
        command = replace(command, unwell=UNWELL[amount % len(UNWELL)])
        code = self.reference.placed(command, self.at + 1)
        entry = self.ask(command)
        assert entry is not None
        kind = self.reference.sold[command.order.id].state if command.order.id in self.reference.sold else "DECLINED"
        kind = "HELD" if kind == "QUEUED" else kind
        assert (entry.refusal, entry.kind) == (code, kind), entry.reason
        if entry.kind == "HELD":
            for above in self.state.books[tree].chain(entry.payment.payer_agent, currency):
                assert above.available >= 0, "a limit was crossed"

    @precondition(lambda self: any(one.state != "REVERSING" for one in self.state.outstanding()))
    @rule(pick=numbers, verdict=st.sampled_from(Verdict), step=st.sampled_from(["check", "pay", "pay", "status"]),
          sent_before=rarely, budget=st.integers(1, 4), late=rarely, is_last=rarely)  # fmt: skip
    def settle(self, pick, verdict, step, sent_before, budget, late, is_last) -> None:
        self.answer(pick, verdict, step, sent_before, budget, late, "5", is_last=is_last)

    @precondition(lambda self: any(one.facts.routes and one.state == "HELD" for one in self.state.outstanding()))
    @rule(pick=numbers, answer=st.sampled_from(VAIN), budget=st.integers(1, 4), code=st.sampled_from(["5", "243"]))
    def cannot_ask(self, pick, answer, budget, code) -> None:
        """Mostly of those that have another route."""
        self.answer(pick, *answer, False, budget, False, code, only_with_routes=True)

    def answer(
        self, pick, verdict, step, sent_before, budget, late, code, *, is_last=False, only_with_routes=False
    ) -> None:  # fmt: skip
        outstanding = [
            payment.id for payment in self.state.outstanding()
            if payment.state != "REVERSING" and (payment.facts.routes or not only_with_routes)
        ]  # fmt: skip
        asked = list(self.reference.sold) if late else outstanding
        payment = asked[pick % len(asked)]
        tree = self.reference.sold[payment].tree
        command = an_answer(verdict, step, code, payment=payment, book=tree, retry=a_retry(budget=budget),
                            sent_before=sent_before, is_last=is_last)  # fmt: skip
        expected = self.reference.answered(command)
        if expected is None:
            assert isinstance(self.decide(command, self.at), Stale)
        else:
            entry = self.ask(command)
            assert entry is not None
            assert entry.kind == expected
            self.reference.posted_at |= {payment: self.at} if expected == "POSTED" else {}

    @precondition(lambda self: any(one.state != "REVERSING" for one in self.state.outstanding()))
    @rule(pick=numbers, late=rarely)
    def a_pay_leaves(self, pick, late) -> None:
        asked = list(self.reference.sold) if late else [one.id for one in self.state.outstanding()]
        payment = asked[pick % len(asked)]
        command = a_send(payment, self.reference.sold[payment].tree)
        expected = self.reference.left_to_pay(command)
        if expected is None:
            assert isinstance(self.decide(command, self.at), Stale)
        else:
            entry = self.ask(command)
            assert entry is not None
            assert entry.kind == expected

    @precondition(lambda self: any(sold.state in IN_DOUBT for sold in self.reference.sold.values()))
    @rule(pick=numbers, verdict=st.sampled_from([Verdict.PAID, Verdict.PAID, Verdict.FATAL, Verdict.UNCLEAR]))
    def the_payees_statement_ends_a_doubt(self, pick, verdict) -> None:
        manual = [name for name, sold in self.reference.sold.items() if sold.state in IN_DOUBT]
        payment = manual[pick % len(manual)]
        command = a_settle(payment, verdict, "status", code="statement", book=self.reference.sold[payment].tree)
        expected = self.reference.answered(command)
        if expected is None:
            assert isinstance(self.decide(command, self.at), Stale)
            return
        entry = self.ask(command)
        assert entry is not None
        assert entry.kind == expected
        self.reference.posted_at |= {payment: self.at} if expected == "POSTED" else {}

    @precondition(lambda self: self.reference.sold)
    @rule(pick=numbers, paid=st.booleans())
    def resolve(self, pick, paid) -> None:
        ends = ("MANUAL", "REVERSAL_MANUAL", "WAITING_FUNDS") if pick % 2 else ("MANUAL", "REVERSAL_MANUAL")
        manual = [name for name, sold in self.reference.sold.items() if sold.state in ends]
        payments = manual or list(self.reference.sold)
        payment = payments[pick % len(payments)]
        command = a_resolve(payment, paid, self.reference.sold[payment].tree, id=self.new_id())
        expected = self.reference.resolved(command.command)
        self.instructed(command, expected)
        self.reference.posted_at |= {payment: self.at} if expected == "POSTED" else {}

    @precondition(lambda self: self.reference.sold)
    @rule(seller=sellers, pick=numbers, code=st.sampled_from(["", *CODES]), amount=st.integers(1, 6_000), whole=rarely)
    def hand_out_change(self, seller, pick, code, amount, whole) -> None:
        """To the last unit, or one too many, or whatever."""
        tree, agent = seller
        payment = list(self.reference.sold)[pick % len(self.reference.sold)]
        name = mark_of(code) if code else f"payment:{payment}"
        coin = self.reference.sold[payment].currency
        if whole:
            amount = max(1, self.reference.change(tree, coin).get(name, 0) + pick % 2)
        known = {"payment": None if code else payment, "currency": coin, "id": self.new_id()}
        command = a_pay_out(code, agent, amount, tree, **known)
        self.instructed(command, self.reference.paid_change(command.command))

    @rule(tree=trees, payee=st.sampled_from(["", "mobile", "abroad"]), wrong=rarely, by_hand=st.booleans())
    def close_a_window(self, tree, payee, wrong, by_hand) -> None:
        """By the timer or an operator; what is due to the payee is what the reference has of it, and is then paid."""
        number = len(self.reference.paid_out.get((tree, payee), [])) + 1 + wrong
        command = close_window(payee or None, number, tree, id=self.new_id())
        due = self.reference.window_closed(tree, payee, number)
        if due is None and not by_hand:
            assert isinstance(self.decide(window_due(payee, number, tree), self.at), Stale)
            return
        entry = self.ask(command if by_hand else window_due(payee, number, tree))
        assert entry is not None
        assert entry.kind == ("REFUSED" if due is None else "WINDOW_CLOSED"), entry.reason
        assert -sum(leg.amount for leg in entry.legs if leg.amount < 0) == (due or 0)

    # --- what the world does to a worker

    @rule(pick=numbers)
    def deliver_again(self, pick) -> None:
        LedgerMachine.commands += 1
        assert isinstance(self.decide(self.a_known(pick), self.at + 10), Duplicate)

    @rule(pick=numbers)
    def deliver_something_else_under_the_same_id(self, pick) -> None:
        LedgerMachine.commands += 1
        assert isinstance(self.decide(replace(self.a_known(pick), digest="00" * 16), self.at + 10), Conflict)

    @rule(pick=numbers)
    def take_over(self, pick) -> None:
        """A worker folds a prefix of the log and gets everything again that led to it: nothing comes of it."""
        length = pick % (len(self.log) + 1)
        state = folded(Entry.decode(entry.encode()) for entry in self.log[:length])
        for command, written in zip(self.asked, self.written_after, strict=True):
            if written <= length:
                assert isinstance(decide(state, command, self.at), Duplicate)
        assert state == folded(self.log[:length])
        if length == len(self.log):
            self.same_as(state)
            self.state, self.archive = state, {}  # and goes on from there

    @rule()
    def go_on_from_a_snapshot(self) -> None:
        """What is final leaves memory; the rest goes to disk and comes back. No decision may ever tell."""
        self.archive |= dict(leaving(self.state))
        let_go(self.state)
        self.state = state_of(IMAGES.validate_json(orjson.dumps(image_of(self.state))))
        assert not list(leaving(self.state))

    def same_as(self, folded_whole: State) -> None:
        assert image_of(folded_whole) == image_of(self.state)
        """What is asked back is open again: what the archive has of it is not looked at any more."""
        reopened = {b"p" + name.encode() for name, one in self.state.open.items() if one.state in IN_REVERSAL}
        kept = {key: packed for key, packed in self.archive.items() if key not in reopened}
        assert dict(leaving(folded_whole)) == kept | dict(leaving(self.state))

    # --- what is always true

    @invariant()
    def money_is_conserved(self) -> None:
        for book in self.state.books.values():
            sums = Counter[str]()
            for (_, currency), account in book.accounts.items():
                sums[currency] += account.balance
            assert not any(sums.values()), sums

    @invariant()
    def balances_are_the_references(self) -> None:
        for tree, name, coin in self.reference.purses():
            agent = self.state.books[tree].agents_in(coin)[name]
            assert agent.balance == self.reference.balance(tree, name, coin)
            assert agent.held == self.reference.held(tree, name, coin) >= 0
            assert agent.available == self.reference.available(tree, name, coin)
        for tree, coin in {(tree, coin) for tree, _, coin in self.reference.purses()}:
            accounts = [self.state.books[tree].accounts.get((name, coin), Account()) for name in ("fee", "reward")]
            assert sum(account.balance for account in accounts) == self.reference.operators_income(tree, coin)

    @invariant()
    def change_is_the_references(self) -> None:
        for tree, coin in {(tree, coin) for tree, _, coin in self.reference.purses()}:
            accounts = [(name, end) for (name, of), end in self.state.books[tree].accounts.items() if of == coin]
            kept = {name.removeprefix("change:"): end.balance for name, end in accounts if name[:7] == "change:"}
            assert {name: amount for name, amount in self.reference.change(tree, coin).items() if amount} == {
                name: amount for name, amount in kept.items() if amount
            }
            assert all(amount >= 0 for amount in kept.values())

    @invariant()
    def payees_are_owed_what_the_reference_owes_them(self) -> None:
        for tree in TREES:
            for payee in "mobile", "abroad", "water":
                coin = PAYEES[payee].currency
                account = self.state.books[tree].accounts.get((f"payee:{payee}", coin), Account())
                assert account.balance == self.reference.owed(tree, payee)

    @invariant()
    def what_counts_for_limits_is_the_references(self) -> None:
        for tree, name, coin in self.reference.purses():
            agent = self.state.books[tree].agents_in(coin)[name]
            if agent.day:
                assert agent.sold_day == self.reference.sold_in(tree, name, agent.day, coin)
                assert agent.sold_month == self.reference.sold_in(tree, name, agent.day[:7], coin)

    @invariant()
    def backlogs_are_the_references(self) -> None:
        assert self.state.backlog == Counter(sold.gateway for sold in self.reference.waiting())

    @invariant()
    def payments_are_where_the_reference_has_them(self) -> None:
        sold = self.reference.sold
        assert {name: payment.state for name, payment in self.state.open.items()} == {
            name: payment.state for name, payment in sold.items() if payment.state in OPEN
        }
        assert {payment.txn for payment in self.state.open.values()} - {0} <= set(
            range(FIRST_TXN, FIRST_TXN + len(sold))
        )

    def teardown(self) -> None:
        """The whole log: every statement without a gap, every payment ended at most once, the fold the same."""
        self.hear_everything()
        self.hear_all_of_vouchers()
        self.each_pin_is_sold_once()
        windows_continue(self.log)
        every_account_has_a_kind(self.log)
        ends: dict[tuple[str, str, str], tuple[int, int]] = {}
        finals = Counter[str]()
        for entry in self.log:
            for leg in entry.legs:
                account = (entry.book, leg.account, leg.currency)
                seq, balance = ends.get(account, (0, 0))
                assert (leg.seq, leg.balance, bool(leg.amount)) == (seq + 1, balance + leg.amount, True)
                ends[account] = (leg.seq, leg.balance)
            is_end = entry.payment is not None and entry.kind in FINAL and entry.kind != "REVERSED"
            finals[entry.payment.id if is_end else ""] += 1
        del finals[""]
        assert max(Counter(one.payment.id for one in self.log if one.kind == "REVERSED").values(), default=1) == 1
        assert set(finals.values()) <= {1}
        still_open = {name for name, one in self.state.open.items() if one.state not in IN_REVERSAL}
        assert finals.keys() | still_open == {c.order.id for c in self.asked if isinstance(c, Place)}
        assert not finals.keys() & still_open
        assert len({entry.payment.txn for entry in self.log if entry.kind == "HELD"}) == self.reference.ever_held()
        self.same_as(folded(Entry.decode(entry.encode()) for entry in self.log))
