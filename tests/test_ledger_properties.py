"""Whatever is asked, in whatever order, the books stay right.

HYPOTHESIS_PROFILE=long tries a hundred thousand commands and more; a failure prints how to repeat it.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from schemas.entry import FINAL, EntryKind
from schemas.reversal import Posted
from streams.ledger.fees import rewards_of
from streams.ledger.payments import Payments, PaymentState
from streams.ledger.state import Account, AgentState
from tests.builders import AT, a_rate, a_tariff
from tests.hypothesis_profiles import PROFILE
from tests.ledger_machine import LedgerMachine
from tests.sink_builders import facts


@pytest.mark.timeout(3_600 if PROFILE == "long" else 120)
def test_the_books_stay_right():
    LedgerMachine.commands = 0
    run_state_machine_as_test(LedgerMachine)
    print(f"{LedgerMachine.commands} commands")
    if PROFILE == "long":
        assert LedgerMachine.commands >= 100_000


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
    payments = Payments()
    was = PaymentState("k.1", "A", b"\xff" * 16, kind, 1_000_001, AT, code, reason)
    if kind is EntryKind.POSTED:
        was.facts = facts(id="k.1", terminal="k", subscriber={"phone": reason}, held_at=code, chain=("S", "A"))
        was.posted = Posted(AT, reason)
    payments.put(was)
    assert payments["k.1"] == was
