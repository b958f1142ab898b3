"""Cash in the box, no money on the account: WAITING_FUNDS, oldest first, and what ends it."""

from __future__ import annotations

import pytest

from schemas.entry import Entry, EntryKind
from schemas.outcome import Verdict
from schemas.refusal import Refusal
from streams.ledger import waiting
from streams.ledger.commands import LedgerCommand, Rouse
from streams.ledger.decide import Duplicate, Stale, decide
from streams.ledger.image import image_of, state_of
from streams.ledger.state import State
from tests.audit_ledgers import audited, rechained
from tests.builders import (
    AT,
    a_deposit,
    a_place,
    a_settle,
    a_tree,
    balances,
    decided,
    folded,
    legs,
    open_agent,
    performed,
    set_limit,
)

NEEDED = 95_950  # Ex. 1


def late(number: int, amount: int = 95_000, **changes) -> LedgerCommand:
    """An order whose cash was taken, without tariff unless one is given: it needs its amount."""
    return a_place(number=number, amount=amount, fee=0, tariff=None, collected=amount, **changes)


def held(entries: list[Entry]) -> list[str]:
    return [entry.payment.id for entry in entries if entry.kind is EntryKind.HELD and entry.payment]


def test_cash_in_the_box_waits_for_funds_and_other_orders_are_declined():
    state = a_tree(money=NEEDED - 1)
    entry = decided(state, a_place(collected=100_000))
    assert (entry.kind, entry.refusal, entry.legs) == (EntryKind.WAITING_FUNDS, 220, ())
    assert entry.payment is not None
    assert (entry.payment.held, entry.payment.txn, entry.payment.held_at) == (NEEDED, 0, 0)
    assert entry.payment.rewards == (("agent:S", 950), ("agent:A", 475), ("reward", 475))
    assert decided(state, a_place(number=2)).kind is EntryKind.DECLINED
    assert balances(state)["agent:S"] == NEEDED - 1


@pytest.mark.parametrize(("refusal", "change"), [
    (255, {"fee": 4_998, "collected": 99_998}), (241, {"amount": 10, "fee": 0, "tariff": None, "collected": 10}),
    (6, {"payee": None, "collected": 100_000}), (133, {"agent": "nobody", "collected": 100_000}),
    (1, {"backlog_max": 0, "collected": 100_000}),
])  # fmt: skip
def test_only_want_of_funds_is_waited_out(refusal, change):
    entry = decided(a_tree(), a_place(**change))
    assert (entry.kind, entry.refusal) == (EntryKind.DECLINED, refusal)


def test_the_deposit_that_brings_the_money_holds_it_in_the_same_decision():
    state = a_tree(money=0)
    decided(state, a_place(collected=100_000))
    deposit, hold = performed(state, a_deposit("S", NEEDED, id="more"), AT + 9)
    assert (deposit.kind, hold.kind, hold.cause.by) == (EntryKind.DEPOSITED, EntryKind.HELD, "funds")
    assert legs(hold) == [("agent:S", -NEEDED), ("hold:S", NEEDED)]
    assert hold.payment is not None
    assert (hold.payment.txn, hold.payment.held_at, hold.payment.received_at) == (1_000_000_000_000_001, AT + 9, AT)
    assert performed(state, a_settle())[0].kind is EntryKind.POSTED


def test_oldest_first_is_strict_for_a_payer():
    state = a_tree(money=0)
    for number, amount in enumerate((50_000, 1_000, 2_000), 1):
        assert decided(state, late(number, amount)).kind is EntryKind.WAITING_FUNDS
    assert held(performed(state, a_deposit("S", 49_999, id="1"))) == []
    assert held(performed(state, a_deposit("S", 1_001, id="2"))) == ["kiosk-1.1", "kiosk-1.2"]
    assert held(performed(state, a_deposit("S", 2_000, id="3"))) == ["kiosk-1.3"]


def test_who_comes_later_does_not_overtake_although_there_is_money_for_it():
    state = a_tree(money=1_000)
    decided(state, late(1, 50_000))
    entry = decided(state, late(2, 500))
    assert (entry.kind, entry.refusal) == (EntryKind.WAITING_FUNDS, 220)
    entry = decided(state, a_place(number=3, amount=500, fee=0, tariff=None))
    assert (entry.kind, entry.refusal) == (EntryKind.DECLINED, 220)
    assert entry.reason == "payments whose cash is taken wait for the money of S first: 2"


def test_payers_do_not_wait_for_each_other():
    state = a_tree(money=0)
    decided(state, late(1, 50_000))
    decided(state, late(2, 3_000, agent="A"))
    assert held(performed(state, a_deposit("A", 3_000, id="1"))) == ["kiosk-1.2"]


def test_a_raised_limit_brings_money_too():
    state = a_tree(money=0)
    decided(state, late(1))
    assert held(performed(state, set_limit("S", 95_000))) == ["kiosk-1.1"]


def test_a_void_gives_back_what_another_payment_waits_for():
    state = a_tree(money=1_000)
    decided(state, a_place(number=1, amount=1_000, fee=0, tariff=None))
    decided(state, late(2, 900))
    assert held(performed(state, a_settle("kiosk-1.1", Verdict.FATAL, "check", code="5"))) == ["kiosk-1.2"]


def test_who_shares_limits_upwards_waits_for_all_above():
    state = a_tree(money=5_000, root_money=100)
    decided(state, a_place(number=1, agent="A", amount=100, fee=0, tariff=None))
    decided(state, set_limit("A", 50))
    decided(state, a_place(number=2, agent="A", amount=100, fee=0, tariff=None, collected=0))
    state.books["A"].agents["A"].overdraft = -1  # as a lowered limit leaves it: below what was spent already
    entry = decided(state, late(3, 1_000))
    assert (entry.kind, entry.refusal) == (EntryKind.WAITING_FUNDS, Refusal.UPSTREAM_LACKS_FUNDS.code)
    assert held(performed(state, a_deposit("A", 1, id="1"))) == ["kiosk-1.3"]


def test_holds_that_follow_one_command_are_bounded_and_the_timer_takes_the_rest(monkeypatch):
    monkeypatch.setattr(waiting, "ROUSED_MAX", 2)
    state = a_tree(money=0)
    for number in range(1, 6):
        decided(state, late(number, 1_000))
    assert held(performed(state, a_deposit("S", 10_000, id="1"))) == ["kiosk-1.1", "kiosk-1.2"]
    assert waiting.ready(state, AT) == ["A"]
    assert held(performed(state, Rouse("A"))) == ["kiosk-1.3", "kiosk-1.4"]
    assert held(performed(state, Rouse("A"))) == ["kiosk-1.5"]
    assert (waiting.ready(state, AT), performed(state, Rouse("A"))) == ([], [])


def test_a_line_is_bounded(monkeypatch):
    monkeypatch.setattr(waiting, "WAITING_MAX", 2)
    state = a_tree(money=0)
    kinds = [decided(state, late(number)) for number in range(1, 4)]
    assert [(entry.kind, entry.refusal) for entry in kinds] == [
        (EntryKind.WAITING_FUNDS, 220), (EntryKind.WAITING_FUNDS, 220), (EntryKind.DECLINED, Refusal.TEMPORARY.code)
    ]  # fmt: skip


def test_no_payee_is_asked_about_what_waits():
    state = a_tree(money=0)
    decided(state, late(1))
    assert list(state.outstanding()) == []
    assert not state.backlog
    assert isinstance(decide(state, a_settle(), AT), Stale)


def test_an_order_delivered_again_hears_where_it_stands():
    state = a_tree(money=0)
    order = late(1)
    decided(state, order)
    again = decide(state, order, AT + 1)
    assert isinstance(again, Duplicate)
    assert again.payment is not None
    assert again.payment.state is EntryKind.WAITING_FUNDS
    performed(state, a_deposit("S", 95_000, id="1"))
    again = decide(state, order, AT + 2)
    assert isinstance(again, Duplicate)
    assert again.payment is not None
    assert (again.payment.state, again.payment.txn) == (EntryKind.HELD, 1_000_000_000_000_001)


def test_a_snapshot_keeps_the_line_in_its_order():
    state = a_tree(money=0)
    for number, amount in enumerate((9_000, 1_000), 1):
        decided(state, late(number, amount))
    restored = state_of(image_of(state))
    assert restored.waiting == state.waiting
    assert held(performed(restored, a_deposit("S", 10_000, id="1"))) == ["kiosk-1.1", "kiosk-1.2"]
    assert restored.next_txn == state.next_txn + 2


def _a_line_that_moved() -> list[Entry]:
    state, entries = State(0), list[Entry]()
    for command in (open_agent("A"), late(1, 900, agent="A"), late(2, 100, agent="A"), a_deposit("A", 5_000)):
        entries += performed(state, command)
    return entries


def test_the_audit_passes_what_was_held_in_order_and_the_fold_is_the_same():
    entries = _a_line_that_moved()
    assert [check.name for check in audited(entries).values() if not check.passed] == []
    assert audited(entries)["payments.waiting"].looked_at == 4
    assert folded(entries).next_txn == 1_000_000_000_000_003


def test_the_audit_finds_a_younger_payment_that_was_held_first():
    """The same ledger without the first one's hold: what follows is counted anew, so that only the order is wrong."""
    entries = _a_line_that_moved()
    del entries[4]
    checks = audited(rechained(entries))
    assert "kiosk-1.1 waited before" in checks["payments.waiting"].failures[0]
