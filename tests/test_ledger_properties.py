"""Random histories of two trees: whatever is asked, in whatever order, the books stay right.

HYPOTHESIS_PROFILE=long tries a hundred thousand commands and more; a failure prints how to repeat it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from schemas.entry import FINAL, Entry, EntryKind
from schemas.outcome import Verdict
from schemas.payee import SubscriberField
from schemas.tariff import Fee, Tariff
from streams.ledger.commands import Instruct, LedgerCommand, Place, Settle
from streams.ledger.decide import Conflict, Duplicate, Stale, decide
from streams.ledger.evolve import evolve
from streams.ledger.fees import fee_within, rewards_of
from streams.ledger.state import Account, AgentState, State
from tests.builders import (
    AT,
    a_deposit,
    a_payee,
    a_place,
    a_rate,
    a_resolve,
    a_retry,
    a_settle,
    a_tariff,
    folded,
    open_agent,
    set_limit,
    set_payee,
    set_tariff,
)
from tests.hypothesis_profiles import PROFILE
from tests.reference_ledger import OPEN, Reference

TREES = ("A", "B")
CURRENCY = {"A": "RUB", "B": "USD"}
AGENTS = ("A", "B", "S", "T", "U")
FIELDS = (SubscriberField(name="phone", title="Phone", pattern=r"9\d{9}"),)
PAYEES = {
    "mobile": a_payee("mobile", fields=FIELDS, max_amount=50_000),
    "abroad": a_payee("abroad", fields=FIELDS, currency="USD", min_amount=1, max_amount=9_000),
    "nobody": None,
}
TARIFFS = (
    None,
    a_tariff(),
    a_tariff(fee=Fee(rate_bps=300), processing=a_rate(min_minor=7), reward_shares_bps=(3_333, 3_333, 3_333)),
    a_tariff(fee=Fee(), processing=a_rate(), reward=a_rate(50), reward_shares_bps=(10_000,)),
)
trees, agents = st.sampled_from(TREES), st.sampled_from(AGENTS)
amounts = st.one_of(st.integers(1, 12_000), st.sampled_from([99, 100, 9_000, 9_001, 50_000, 50_001]))
numbers = st.integers(0, 10**6)
rarely = st.sampled_from([True, *[False] * 9])


def fitting_fee(tariff: Tariff | None, amount: int) -> int:
    """The fee a terminal states for an amount: the one that the tariff finds in both together."""
    return next(fee for fee in range(amount + 1) if fee_within(tariff, amount + fee) == fee)


class Ledger(RuleBasedStateMachine):
    """A worker's state, the log it wrote, and the reference that watches."""

    commands = 0

    def __init__(self) -> None:
        super().__init__()
        self.state, self.reference = State(0), Reference()
        self.log: list[Entry] = []
        self.asked: list[LedgerCommand] = []  # signed and decided, in order of the log
        self.written_after: list[int] = []  # entries in the log once asked[i] was decided
        self.at = AT

    # --- asking

    def ask(self, command: LedgerCommand) -> Entry | None:
        Ledger.commands += 1
        self.at += 1
        decision = decide(self.state, command, self.at)
        if not isinstance(decision, list):
            return None
        (entry,) = decision
        evolve(self.state, entry)
        self.log.append(entry)
        if not isinstance(command, Settle):
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

    @initialize()
    def roots(self) -> None:
        for tree in TREES:
            command = open_agent(tree, tree=tree, currency=CURRENCY[tree], id=self.new_id(), overdraft=3_000)
            self.instructed(command, self.reference.opened(command.command))

    @rule(tree=trees, agent=agents, parent=agents, funding=st.sampled_from(["own", "own", "shared"]),
          overdraft=st.sampled_from([0, 0, 5_000]), wrong=rarely, root=rarely)  # fmt: skip
    def open(self, tree, agent, parent, funding, overdraft, wrong, root) -> None:
        currency = "EUR" if wrong else CURRENCY[tree]
        command = open_agent(agent, None if root else parent, tree, funding=funding, overdraft=overdraft,
                             currency=currency, id=self.new_id())  # fmt: skip
        self.instructed(command, self.reference.opened(command.command))

    @rule(tree=trees, agent=agents, overdraft=st.sampled_from([0, 1, 10_000, 60_000]))
    def limit(self, tree, agent, overdraft) -> None:
        command = set_limit(agent, overdraft, tree, id=self.new_id())
        self.instructed(command, self.reference.limited(command.command))

    @rule(tree=trees, agent=agents, amount=st.integers(1, 100_000), wrong=rarely)
    def deposit(self, tree, agent, amount, wrong) -> None:
        currency = "EUR" if wrong else CURRENCY[tree]
        command = a_deposit(agent, amount, tree, currency=currency, id=self.new_id())
        self.instructed(command, self.reference.deposited(command.command))

    @rule(payee=st.sampled_from(["mobile", "abroad"]), version=st.integers(1, 5))
    def directory(self, payee, version) -> None:
        book = self.state.books.get(f"tariffs/{payee}")
        newest = book.record.value["version"] if book is not None and book.record is not None else 0
        command = set_tariff(a_tariff(payee, version=version), self.new_id())
        self.instructed(command, "DIRECTORY_SET" if version > newest else "REFUSED")
        self.instructed(set_payee(PAYEES[payee], self.new_id()), "DIRECTORY_SET")

    @rule(tree=trees, agent=agents, amount=amounts, tariff=st.sampled_from(TARIFFS), collected=st.booleans(),
          wrong=st.sampled_from(["", "", "", "", "fee", "collected", "phone", "currency", "payee"]))  # fmt: skip
    def place(self, tree, agent, amount, tariff, collected, wrong) -> None:
        currency = CURRENCY["B" if (tree == "A") == (wrong == "currency") else "A"]
        payee = "nobody" if wrong == "payee" else "abroad" if currency == "USD" else "mobile"
        fee = fitting_fee(tariff, amount) + 2 * (wrong == "fee")
        command = a_place(
            book=tree,
            number=len(self.asked) + 1,
            agent=agent,
            payee=PAYEES[payee],
            tariff=tariff,
            amount=amount,
            fee=fee,
            collected=collected * (amount + fee) + (wrong == "collected"),
            currency=currency,
            subscriber={"phone": "9161234567" if wrong != "phone" else "8161234567"},
        )
        code = self.reference.placed(command)
        entry = self.ask(command)
        assert entry is not None
        assert (entry.refusal, entry.kind) == (code, "DECLINED" if code else "HELD"), entry.reason
        if not code:
            for above in self.state.books[tree].chain(entry.payment.payer_agent):
                assert above.available >= 0, "a limit was crossed"

    @precondition(lambda self: self.reference.sold)
    @rule(pick=numbers, verdict=st.sampled_from(Verdict), step=st.sampled_from(["check", "pay", "pay"]),
          sent_before=rarely, budget=st.integers(1, 4), lost=rarely)  # fmt: skip
    def settle(self, pick, verdict, step, sent_before, budget, lost) -> None:
        waiting = [payment.id for payment in self.state.outstanding()] or list(self.reference.sold)
        payment = (list(self.reference.sold) if lost else waiting)[
            pick % (len(self.reference.sold) if lost else len(waiting))
        ]
        tree = self.reference.sold[payment].tree
        command = a_settle(payment, verdict, step, code="5", book=tree, retry=a_retry(budget=budget),
                           sent_before=sent_before)  # fmt: skip
        expected = self.reference.answered(command)
        if expected is None:
            assert isinstance(decide(self.state, command, self.at), Stale)
        else:
            entry = self.ask(command)
            assert entry is not None
            assert entry.kind == expected

    @precondition(lambda self: self.reference.sold)
    @rule(pick=numbers, paid=st.booleans())
    def resolve(self, pick, paid) -> None:
        manual = [name for name, sold in self.reference.sold.items() if sold.state == "MANUAL"]
        payments = manual or list(self.reference.sold)
        payment = payments[pick % len(payments)]
        command = a_resolve(payment, paid, self.reference.sold[payment].tree, id=self.new_id())
        self.instructed(command, self.reference.resolved(command.command))

    # --- what the world does to a worker

    @rule(pick=numbers)
    def deliver_again(self, pick) -> None:
        Ledger.commands += 1
        assert isinstance(decide(self.state, self.a_known(pick), self.at + 10), Duplicate)

    @rule(pick=numbers)
    def deliver_something_else_under_the_same_id(self, pick) -> None:
        Ledger.commands += 1
        assert isinstance(decide(self.state, replace(self.a_known(pick), digest="00" * 16), self.at + 10), Conflict)

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
            assert state == self.state
            self.state = state  # and goes on from there

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
        for (tree, name), _ in self.reference.agents.items():
            agent = self.state.books[tree].agents[name]
            assert agent.balance == self.reference.balance(tree, name)
            assert agent.held == self.reference.held(tree, name) >= 0
            assert agent.available == self.reference.available(tree, name)
        for tree in TREES:
            book = self.state.books.get(tree)
            if book is not None:
                accounts = [book.accounts.get((name, CURRENCY[tree]), Account()) for name in ("fee", "reward")]
                assert sum(account.balance for account in accounts) == self.reference.operators_income(tree)

    @invariant()
    def payments_are_where_the_reference_has_them(self) -> None:
        sold = self.reference.sold
        assert {name: payment.state for name, payment in self.state.open.items()} == {
            name: payment.state for name, payment in sold.items() if payment.state in OPEN
        }
        assert len({payment.txn for payment in self.state.payments.values() if payment.txn}) == len(sold)

    def teardown(self) -> None:
        """The whole log: every statement without a gap, every payment ended at most once, the fold the same."""
        ends: dict[tuple[str, str, str], tuple[int, int]] = {}
        finals = Counter[str]()
        for entry in self.log:
            for leg in entry.legs:
                account = (entry.book, leg.account, leg.currency)
                seq, balance = ends.get(account, (0, 0))
                assert (leg.seq, leg.balance, bool(leg.amount)) == (seq + 1, balance + leg.amount, True)
                ends[account] = (leg.seq, leg.balance)
            finals[entry.payment.id if entry.payment is not None and entry.kind in FINAL else ""] += 1
        del finals[""]
        assert set(finals.values()) <= {1}
        still_open = set(self.state.open)
        assert finals.keys() | still_open == {c.order.id for c in self.asked if isinstance(c, Place)}
        assert not finals.keys() & still_open
        assert folded(Entry.decode(entry.encode()) for entry in self.log) == self.state


@pytest.mark.timeout(3_600 if PROFILE == "long" else 120)
def test_the_books_stay_right():
    Ledger.commands = 0
    run_state_machine_as_test(Ledger)
    print(f"{Ledger.commands} commands")
    if PROFILE == "long":
        assert Ledger.commands >= 100_000


@given(amount=st.integers(1, 10**12), rate=st.integers(0, 10_000), shares=st.lists(st.integers(0, 10_000), max_size=4))
def test_shares_of_a_reward_add_up_to_it_and_none_is_rounded_up(amount, rate, shares):
    if sum(shares) > 10_000:
        shares = [share * 10_000 // sum(shares) for share in shares]
    chain = [AgentState(str(level), None, "", "RUB", 0, "own", Account(), Account()) for level in range(4)]
    tariff = a_tariff(reward=a_rate().model_copy(update={"rate_bps": rate}), reward_shares_bps=tuple(shares))
    total = tariff.reward.of(amount)
    rewards = dict(rewards_of(tariff, amount, chain))
    assert sum(rewards.values()) == total
    assert all(share > 0 for share in rewards.values())
    for agent, bps in zip(chain, shares, strict=False):
        assert rewards.get(f"agent:{agent.id}", 0) * 10_000 <= total * bps
    assert rewards.get("reward", 0) * 10_000 >= total * (10_000 - sum(shares))


@given(kind=st.sampled_from(sorted(FINAL)), reason=st.text(max_size=200), code=st.integers(0, 999))
def test_nothing_of_a_final_payment_is_lost_in_packing(kind: EntryKind, reason: str, code: int):
    from streams.ledger.payments import Payments, PaymentState

    payments = Payments()
    was = PaymentState("k.1", "A", b"\xff" * 16, kind, 0, AT, code, reason)
    payments.put(was)
    assert payments["k.1"] == was
