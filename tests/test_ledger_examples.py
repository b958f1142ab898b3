"""The money examples of docs/money.md, to the last minor unit."""

from __future__ import annotations

import pytest

from schemas.entry import EntryKind
from schemas.outcome import Verdict
from schemas.refusal import Refusal
from schemas.tariff import Fee
from tests.builders import (
    a_deposit,
    a_place,
    a_settle,
    a_state,
    a_tariff,
    a_transfer,
    a_tree,
    balances,
    decided,
    legs,
    open_agent,
    window_due,
)


def test_example_1_hold():
    """95000 and the operator's 1 % of it leave agent:S; the fee of 5000 stays with S in cash."""
    entry = decided(a_tree(), a_place())
    assert entry.kind is EntryKind.HELD
    assert legs(entry) == [("agent:S", -95_950), ("hold:S", 95_950)]
    facts = entry.payment
    assert facts is not None
    assert (facts.amount, facts.fee, facts.processing, facts.held) == (95_000, 5_000, 950, 95_950)
    assert facts.rewards == (("agent:S", 950), ("agent:A", 475), ("reward", 475))
    assert facts.txn == 1_000_000_000_000_001


def test_example_1_post_and_reward_shares():
    state = a_tree()
    decided(state, a_place())
    entry = decided(state, a_settle())
    assert entry.kind is EntryKind.POSTED
    assert legs(entry) == [
        ("hold:S", -95_950),
        ("payee:mobile", 95_000),
        ("fee", 950),
        ("payee:mobile", -1_900),
        ("agent:S", 950),
        ("agent:A", 475),
        ("reward", 475),
    ]
    assert balances(state) == {
        "bank": -200_000,
        "agent:S": 200_000 - 95_950 + 950,
        "agent:A": 475,
        "payee:mobile": 93_100,
        "fee": 950,
        "reward": 475,
    }


def test_example_1_legs_on_one_account_are_consecutive_lines_of_its_statement():
    state = a_tree()
    decided(state, a_place())
    entry = decided(state, a_settle())
    lines = [(leg.seq, leg.amount, leg.balance) for leg in entry.legs if leg.account == "payee:mobile"]
    assert lines == [(1, 95_000, 95_000), (2, -1_900, 93_100)]


def test_example_1_void():
    state = a_tree()
    before = balances(state)
    decided(state, a_place())
    entry = decided(state, a_settle(verdict=Verdict.FATAL, step="check", code="5"))
    assert entry.kind is EntryKind.VOIDED
    assert legs(entry) == [("hold:S", -95_950), ("agent:S", 95_950)]
    assert balances(state) == before


def test_example_2_limit():
    """Balance 60000 + overdraft 50000 = 110000; after a hold of 95950, 14050 remain; the next 20000 gets 220."""
    state = a_tree(money=60_000, overdraft=50_000)
    agent = state.books["A"].agents["S"]
    assert agent.available == 110_000
    assert decided(state, a_place()).kind is EntryKind.HELD
    assert (agent.balance, agent.held, agent.available) == (-35_950, 95_950, 14_050)
    next_one = decided(state, a_place(number=2, amount=20_000, fee=0, tariff=None))
    assert (next_one.kind, next_one.refusal) == (EntryKind.DECLINED, Refusal.AGENT_LACKS_FUNDS.code)
    assert agent.available == 14_050


def test_example_1_settle():
    """What the payee is owed after its reward leaves through the bank."""
    state = a_tree()
    decided(state, a_place())
    decided(state, a_settle())
    entry = decided(state, window_due("mobile"))
    assert legs(entry) == [("payee:mobile", -93_100), ("bank", 93_100)]
    assert "payee:mobile" not in balances(state)


def test_example_5_transfer():
    """A gives S 500000; with a kopeck less it is refused, and nothing moves."""
    state = a_tree(money=0, root_money=500_000)
    entry = decided(state, a_transfer("A", "S", 500_000))
    assert legs(entry) == [("agent:A", -500_000), ("agent:S", 500_000)]
    poorer = a_tree(money=0, root_money=499_999)
    refused = decided(poorer, a_transfer("A", "S", 500_000))
    assert (refused.kind, refused.refusal, refused.legs) == (EntryKind.REFUSED, Refusal.AGENT_LACKS_FUNDS.code, ())
    assert balances(poorer) == {"bank": -499_999, "agent:A": 499_999}


def test_five_levels_share_a_reward_and_every_remainder_is_the_operators():
    """Reward 2 % of 94999 is 1899: of it 30, 20, 10, 10 and 5 %, each rounded down, are 1420; the operator has 479."""
    line = ("A", "B", "C", "D", "S")
    state = a_state(*(open_agent(agent, above) for agent, above in zip(line, (None, *line), strict=False)))
    decided(state, a_deposit("S", 95_948))
    tariff = a_tariff(fee=Fee(), reward_shares_bps=(3_000, 2_000, 1_000, 1_000, 500))
    held = decided(state, a_place(amount=94_999, fee=0, tariff=tariff))
    assert legs(held) == [("agent:S", -95_948), ("hold:S", 95_948)], "the operator's 1 %, 949, comes on top"
    assert legs(decided(state, a_settle())) == [
        ("hold:S", -95_948),
        ("payee:mobile", 94_999),
        ("fee", 949),
        ("payee:mobile", -1_899),
        ("agent:S", 569),
        ("agent:D", 379),
        ("agent:C", 189),
        ("agent:B", 189),
        ("agent:A", 94),
        ("reward", 479),
    ]
    assert balances(state) == {
        "bank": -95_948, "payee:mobile": 93_100, "fee": 949, "reward": 479,
        "agent:S": 569, "agent:D": 379, "agent:C": 189, "agent:B": 189, "agent:A": 94,
    }  # fmt: skip


@pytest.mark.parametrize(("base", "fee", "amount"), [("collected", 5_000, 95_000), ("amount", 4_762, 95_238)])
def test_five_per_cent_of_100000_by_either_base(base, fee, amount):
    tariff = a_tariff(fee=Fee(rate_bps=500, base=base))
    assert decided(a_tree(), a_place(amount=amount, fee=fee, tariff=tariff)).kind is EntryKind.HELD
    for wrong in (fee - 1, fee + 1):  # the same 100000 put in, divided in another way
        entry = decided(a_tree(), a_place(amount=100_000 - wrong, fee=wrong, tariff=tariff))
        assert (entry.kind, entry.refusal) == (EntryKind.DECLINED, Refusal.BAD_FEE.code)


def test_the_operator_keeps_every_remainder_of_the_reward():
    """Reward 2 % of 101 is 2: halves and quarters of it round down to 1 and 0, the rest of 1 is the operator's."""
    entry = decided(a_tree(), a_place(amount=101, fee=0, tariff=a_tariff(fee=Fee())))
    assert entry.payment is not None
    assert entry.payment.rewards == (("agent:S", 1), ("reward", 1))
