"""Money within a tree: Ex. 5 of the domain, what is refused, and withdrawals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from schemas.entry import Entry, EntryKind
from schemas.refusal import Refusal
from streams.ledger.state import State
from tests.audit_ledgers import audited, failed, rechained
from tests.builders import (
    a_deposit,
    a_place,
    a_settle,
    a_state,
    a_transfer,
    a_tree,
    a_withdrawal,
    balances,
    block,
    close,
    decided,
    legs,
    open_agent,
    set_limit,
)


def test_example_5_a_transfer_gives_a_sub_agent_5000():
    state = a_tree(money=0, root_money=600_000)
    entry = decided(state, a_transfer("A", "S", 500_000, comment="for March"))
    assert (entry.kind, legs(entry)) == (EntryKind.TRANSFERRED, [("agent:A", -500_000), ("agent:S", 500_000)])
    assert (entry.document, entry.reason) == ("Memo 3", "for March")
    assert balances(state) == {"bank": -600_000, "agent:A": 100_000, "agent:S": 500_000}


@pytest.mark.parametrize(("has", "code"), [(500_000, 0), (499_999, Refusal.AGENT_LACKS_FUNDS.code)])
def test_example_5_is_refused_when_the_giver_s_available_is_less(has, code):
    state = a_tree(money=0, root_money=has)
    entry = decided(state, a_transfer("A", "S", 500_000))
    assert entry.refusal == code
    assert state.books["A"].agents["A"].balance == (has if code else 0)


def test_what_is_held_is_not_given_away_and_an_overdraft_is():
    state = a_tree(money=100_000)
    decided(state, a_place())
    assert decided(state, a_transfer("S", "A", 4_051)).reason == "agent S has 40.50 RUB to give"
    decided(state, set_limit("S", 1))
    assert decided(state, a_transfer("S", "A", 4_051, id="again")).kind is EntryKind.TRANSFERRED
    assert state.books["A"].agents["S"].available == 0


def test_money_moves_up_down_and_between_branches():
    state = a_tree(money=30)
    for command in (open_agent("T", "S"), open_agent("X", "A"), a_transfer("S", "T", 20), a_transfer("T", "X", 15),
                    a_transfer("X", "A", 10)):  # fmt: skip
        decided(state, command)
    assert balances(state) == {"bank": -30, "agent:S": 10, "agent:T": 5, "agent:X": 5, "agent:A": 10}


def prepared() -> State:
    """A and S with 2000.00 each; P on A's money; B blocked with money and C below it; X closed."""
    state = a_tree(root_money=200_000)
    for command in (
        open_agent("P", "A", funding="shared"), open_agent("B", "A"), open_agent("C", "B"), open_agent("X", "A"),
        a_deposit("B", 500), a_deposit("C", 500), block("B"), close("X"),
    ):  # fmt: skip
        decided(state, command)
    return state


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (a_transfer("S", "S", 5), 300, "agent S cannot transfer to itself"),
        (a_transfer("S", "X", 5), 300, "agent X is closed"),
        (a_transfer("X", "S", 5), 300, "agent X is closed"),
        (a_transfer("P", "S", 5), 300, "agent P spends the money of A: transfer from or to that one"),
        (a_transfer("S", "P", 5), 300, "agent P spends the money of A: transfer from or to that one"),
        (a_transfer("S", "A", 5, currency="USD"), 300, "agent S is in RUB, the transfer is in USD"),
        (a_transfer("nobody", "S", 5), 300, "there is no agent nobody in tree A"),
        (a_transfer("S", "nobody", 5), 300, "there is no agent nobody in tree A"),
        (a_transfer("S", "A", 5, tree="Z"), 300, "there is no agent S in tree Z"),
        (a_transfer("B", "S", 5), 300, "agent B is blocked: it gives no money away"),
        (a_transfer("C", "S", 5), 300, "agent B, above C, is blocked: it gives no money away"),
        (a_transfer("S", "A", 200_001), 220, "agent S has 2000.00 RUB to give"),
        (a_withdrawal("S", 200_001), 220, "agent S has 2000.00 RUB to give"),
        (a_withdrawal("S", 5, currency="USD"), 300, "agent S is in RUB, the withdrawal is in USD"),
        (a_withdrawal("X", 5), 300, "agent X is closed"),
        (a_withdrawal("nobody", 5), 300, "there is no agent nobody in tree A"),
        (a_withdrawal("B", 5), 300, "agent B is blocked: it gives no money away"),
        (a_withdrawal("P", 5), 220, "agent P has 0.00 RUB to give"),
    ],
)
def test_what_cannot_be_moved_is_refused_in_words_and_moves_nothing(command, code, words):
    state = prepared()
    before = balances(state)
    entry = decided(state, command)
    assert (entry.kind, entry.refusal, entry.reason, entry.legs) == (EntryKind.REFUSED, code, words, ())
    assert balances(state) == before


def test_a_blocked_agent_takes_money():
    state = prepared()
    assert decided(state, a_transfer("S", "B", 5)).kind is EntryKind.TRANSFERRED


def test_a_withdrawal_goes_back_to_the_bank_and_then_the_agent_may_be_closed():
    state = a_tree(money=500)
    entry = decided(state, a_withdrawal("S", 500))
    assert (entry.kind, legs(entry), entry.document) == (
        EntryKind.WITHDRAWN,
        [("agent:S", -500), ("bank", 500)],
        "Memo 4",
    )
    assert balances(state) == {}
    assert decided(state, close("S")).kind is EntryKind.AGENT_CLOSED


def test_an_agent_on_a_shared_limit_withdraws_its_rewards():
    state = a_tree(funding="shared")
    decided(state, a_place())
    decided(state, a_settle())
    assert decided(state, a_withdrawal("S", 950)).kind is EntryKind.WITHDRAWN
    assert decided(state, a_withdrawal("S", 1, id="more")).refusal == 220


# --- the audit


def entries(*commands) -> list[Entry]:
    state = a_state()
    return [decided(state, command) for command in commands]


def moved() -> list[Entry]:
    begin = (open_agent("A"), open_agent("S", "A"), open_agent("P", "A", funding="shared"), a_deposit("A", 500))
    return entries(*begin, a_transfer("A", "S", 300), a_withdrawal("S", 100))


def with_accounts(entry: Entry, *accounts: str) -> Entry:
    legs = tuple(replace(leg, account=name) for leg, name in zip(entry.legs, accounts, strict=True))
    return replace(entry, legs=legs)


def changed(at: int, *accounts: str) -> Iterable[Entry]:
    log = moved()
    log[at] = with_accounts(log[at], *accounts)
    return rechained(log)


def test_the_audit_passes_transfers_and_withdrawals():
    assert failed(moved()) == set()


@pytest.mark.parametrize(
    ("at", "accounts"),
    [(4, ("agent:A", "bank")), (4, ("bank", "agent:S")), (5, ("agent:S", "fee")), (5, ("agent:S", "agent:A"))],
)
def test_the_audit_finds_money_that_went_elsewhere(at, accounts):
    assert "ledger.movements" in failed(changed(at, *accounts))


def test_the_audit_finds_a_transfer_beyond_what_the_giver_had():
    log = moved()
    log[3] = replace(log[3], legs=tuple(replace(leg, amount=leg.amount // 10) for leg in log[3].legs))
    found = audited(rechained(log))["ledger.limits"]
    assert "agent:A has -250 RUB and its overdraft is 0" in " ".join(found.failures)
