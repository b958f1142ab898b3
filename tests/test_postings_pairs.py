"""Legs become debit–credit pairs: what the pairs say of each account is what its legs say, whatever the legs are."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.entry import EntryKind
from sinks.postings.pairs import Pair, pairs
from sinks.postings.purposes import MOVES_NOTHING, SENTENCES, TAKES_BACK, purpose
from tests.audit_ledgers import a_ledger
from tests.builders import a_place, a_settle, a_tree, decided

CURRENCIES = ("RUB", "JPY", "KWD")
Legs = list[tuple[str, str, int]]


@st.composite
def balanced(draw) -> Legs:
    """Legs of up to three currencies that sum to zero in each, in any order."""
    legs: Legs = []
    for currency in draw(st.sets(st.sampled_from(CURRENCIES), min_size=1)):
        amounts = draw(st.lists(st.integers(-(10**12), 10**12).filter(bool), min_size=1, max_size=12))
        accounts = st.sampled_from(["agent:S", "hold:S", "payee:mobile", "fee", "bank"])
        legs += [(draw(accounts), currency, amount) for amount in amounts]
        if rest := -sum(amounts):
            legs.append((draw(accounts), currency, rest))
    return draw(st.permutations(legs))


@given(legs=balanced())
def test_pairs_take_and_bring_what_the_legs_do(legs: Legs) -> None:
    debits, credits = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for pair in pairs(legs):
        assert pair.amount > 0
        debits[pair.debit, pair.currency] += pair.amount
        credits[pair.credit, pair.currency] += pair.amount
    for side, sign in (debits, -1), (credits, 1):
        expected = Counter[tuple[str, str]]()
        for account, currency, amount in legs:
            expected[account, currency] += max(0, sign * amount)
        assert side == +expected
    assert len(list(pairs(legs))) < len(legs)


@given(legs=balanced())
def test_the_same_legs_are_the_same_pairs(legs: Legs) -> None:
    assert list(pairs(legs)) == list(pairs(list(legs)))


def test_example_1_as_a_bank_sees_it() -> None:
    state = a_tree()
    held, posted = decided(state, a_place()), decided(state, a_settle())
    assert [*_pairs(held), *_pairs(posted)] == [
        Pair("agent:S", "hold:S", 95_950, "RUB"),
        Pair("hold:S", "payee:mobile", 95_000, "RUB"),
        Pair("hold:S", "fee", 950, "RUB"),
        Pair("payee:mobile", "agent:S", 950, "RUB"),
        Pair("payee:mobile", "agent:A", 475, "RUB"),
        Pair("payee:mobile", "reward", 475, "RUB"),
    ]


@pytest.mark.parametrize(
    ("legs", "found"),
    [
        ([], []),
        ([("a", "RUB", 5), ("b", "RUB", -5)], [("b", "a", 5, "RUB")]),
        ([("a", "RUB", -5), ("a", "RUB", 5)], [("a", "a", 5, "RUB")]),
        (
            [("a", "RUB", -5), ("b", "RUB", -3), ("c", "RUB", 6), ("d", "RUB", 2)],
            [("a", "c", 5, "RUB"), ("b", "c", 1, "RUB"), ("b", "d", 2, "RUB")],
        ),
        (
            [("a", "RUB", -5), ("b", "USD", -1), ("x", "RUB", 5), ("x", "USD", 1)],
            [("a", "x", 5, "RUB"), ("b", "x", 1, "USD")],
        ),
    ],
)
def test_each_leg_meets_the_oldest_of_the_other_side(legs: Legs, found: list[tuple[str, str, int, str]]) -> None:
    assert [(one.debit, one.credit, one.amount, one.currency) for one in pairs(legs)] == found


def _pairs(entry) -> list[Pair]:
    return list(pairs((leg.account, leg.currency, leg.amount) for leg in entry.legs))


# --- purposes


def test_every_kind_of_entry_has_a_sentence_or_moves_nothing() -> None:
    assert SENTENCES.keys() | MOVES_NOTHING == set(EntryKind)
    assert not SENTENCES.keys() & MOVES_NOTHING
    assert TAKES_BACK.keys() <= SENTENCES.keys()
    assert {entry.kind for entry in a_ledger() if entry.legs} <= SENTENCES.keys()


def test_a_purpose_names_accounts_and_no_payers_mark() -> None:
    assert purpose(EntryKind.POSTED, "kiosk-1.1", "mobile", "payee:mobile", "agent:S") == (
        "Payment kiosk-1.1 to mobile: payee mobile to agent S"
    )
    assert purpose(EntryKind.CHANGE_PAID_OUT, "", "", "change:9f86d081", "agent:S") == (
        "Change handed out: change kept for a payer to agent S"
    )
