"""An agent's money in one currency becomes money in another, at a rate, and each currency stays balanced by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.entry import Entry, EntryKind
from schemas.money import CURRENCIES
from streams.ledger.commands import Instruct
from streams.ledger.exchange import taken
from streams.ledger.perform import perform
from streams.ledger.state import State
from tests import hypothesis_profiles
from tests.audit_ledgers import audited, failed, rechained
from tests.builders import (
    AT,
    a_deposit,
    a_place,
    a_transfer,
    balances,
    block,
    close,
    decided,
    open_agent,
    performed,
    set_limit,
)
from tests.builders_currency import an_exchange, open_currency
from tests.test_currencies import abroad, two_currencies

assert hypothesis_profiles.PROFILE


@pytest.mark.parametrize(
    ("give", "coin", "rate", "to", "had"),
    [
        (100_000, "RUB", "0.0125", "USD", 1_250),  # 1000.00 RUB are 12.50 USD
        (99_999, "RUB", "0.0125", "USD", 1_249),  # 12.499875 USD
        (1_250, "USD", "80", "RUB", 100_000),
        (1_250, "USD", "151.37", "JPY", 1_892),  # 1892.125 yen, and a yen has no parts
        (1_892, "JPY", "0.0066", "USD", 1_248),  # 12.4872 USD
        (1_250, "USD", "0.3075", "KWD", 3_843),  # 3.84375 KWD, in fils
        (3_843, "KWD", "3.25", "USD", 1_248),  # 12.48975 USD
        (1, "RUB", "0.0125", "USD", 0),
        (1, "JPY", "0.0000000001", "KWD", 0),
        (10**12, "JPY", "9999999999.9999999999", "KWD", 9_999_999_999_999_999_999_900_000),
    ],
)
def test_what_is_had_is_rounded_down_to_the_minor_unit_of_its_currency(give, coin, rate, to, had):
    assert taken(give, coin, to, rate) == had


@given(
    give=st.integers(1, 10**12), coin=st.sampled_from(sorted(CURRENCIES)), to=st.sampled_from(sorted(CURRENCIES)),
    rate=st.decimals("0", "9999999999", places=10),
)  # fmt: skip
def test_whatever_the_rate_the_sum_is_exact(give: int, coin: str, to: str, rate: Decimal):
    exact = Fraction(give, 10 ** CURRENCIES[coin]) * Fraction(rate) * 10 ** CURRENCIES[to]
    assert taken(give, coin, to, f"{rate:f}") == floor(exact)


def test_roubles_become_dollars_and_the_account_exchange_stands_between():
    state = two_currencies(money=200_000)
    entry = decided(state, an_exchange(comment="for March"))
    assert (entry.kind, entry.rate, entry.document, entry.reason) == (
        EntryKind.EXCHANGED, "0.0125", "Deal 5", "for March"
    )  # fmt: skip
    assert [(leg.account, leg.currency, leg.amount) for leg in entry.legs] == [
        ("agent:S", "RUB", -100_000),
        ("exchange", "RUB", 100_000),
        ("exchange", "USD", -1_250),
        ("agent:S", "USD", 1_250),
    ]
    assert balances(state) == {"bank": -200_000, "agent:S": 100_000, "exchange": 100_000}
    assert balances(state, currency="USD") == {"bank": -50_000, "agent:S": 51_250, "exchange": -1_250}
    assert Entry.decode(entry.encode()) == entry


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [
        (an_exchange(take=1_251), 300, "1000.00 RUB at 0.0125 are 12.50 USD, not 12.51 USD"),
        (an_exchange(take=1_249), 300, "1000.00 RUB at 0.0125 are 12.50 USD, not 12.49 USD"),
        (an_exchange(rate="0.0000"), 300, "the rate is 0: nothing would be had for the money"),
        (an_exchange(give=1, take=1), 300, "0.01 RUB at 0.0125 are 0.00 USD, not 0.01 USD"),
        (an_exchange(take_currency="RUB"), 300, "RUB is not exchanged for RUB"),
        (an_exchange(take_currency="EUR"), 300, "agent S is in RUB and USD, what it is to take is in EUR"),
        (an_exchange(give_currency="EUR"), 300, "agent S is in RUB and USD, the exchange is in EUR"),
        (an_exchange(agent="nobody"), 300, "there is no agent nobody in tree A"),
        (an_exchange(agent="X"), 300, "agent X is closed"),
        (an_exchange(give=200_001, take=2_500), 220, "agent S has 2000.00 RUB to give"),
    ],
)
def test_what_cannot_be_exchanged_is_refused_with_a_sentence(command: Instruct, code: int, reason: str):
    state = two_currencies(money=200_000)
    for more in (open_agent("X", "A"), close("X")):
        decided(state, more)
    before = balances(state), balances(state, currency="USD")
    entry = decided(state, command)
    assert (entry.kind, entry.refusal, entry.reason) == (EntryKind.REFUSED, code, reason)
    assert (balances(state), balances(state, currency="USD")) == before


@pytest.mark.parametrize("rate", ["-1", "1e3", ".5", "5.", "1,5", "", "0.00000000001", "12345678901", "1\n", "٣"])
def test_a_rate_is_a_plain_decimal(rate: str):
    with pytest.raises(ValidationError, match="rate"):
        an_exchange(rate=rate)


def test_who_is_blocked_or_whose_money_is_waited_for_exchanges_none():
    state = two_currencies(money=1, dollars=1)
    decided(state, a_place(number=1, collected=100_000))
    waits = "1 payments whose cash is taken wait for the money of S first"
    assert decided(state, an_exchange()).reason == waits
    decided(state, block("A"))
    assert decided(state, an_exchange(id="again")).reason == "agent A, above S, is blocked: it gives no money away"


def test_an_overdraft_may_be_exchanged_and_no_more():
    state = two_currencies(money=0)
    decided(state, set_limit("S", 100_000))
    assert decided(state, an_exchange()).kind is EntryKind.EXCHANGED
    assert decided(state, an_exchange(80, 1, id="more")).reason == "agent S has 0.00 RUB to give"


def test_dollars_that_were_exchanged_for_are_held_for_what_waits_for_dollars():
    state = two_currencies(money=1_000_000, dollars=1)
    decided(state, abroad(1, amount=1_000, collected=1_000))
    entries = performed(state, an_exchange())
    assert [one.kind for one in entries] == [EntryKind.EXCHANGED, EntryKind.HELD]


def test_the_same_exchange_again_is_the_same_and_another_under_its_id_is_a_conflict():
    state = two_currencies(money=200_000)
    decided(state, an_exchange())
    before = balances(state)
    for command in (an_exchange(), an_exchange(80, 1)):
        assert not isinstance(perform(state, command, AT), list)
    assert balances(state) == before


# --- what the audit finds


def a_ledger() -> list[Entry]:
    state, entries = State(0), list[Entry]()
    commands = (open_agent("A"), open_agent("S", "A"), open_currency("A"), open_currency("S"),
                a_deposit("S", 200_000), an_exchange(), a_transfer("S", "A", 5))  # fmt: skip
    for n, command in enumerate(commands):
        entries.append(decided(state, command, AT + n))
    return entries


def _leg(number: int, **changes: object) -> Callable[[Entry], Entry]:
    def damage(entry: Entry) -> Entry:
        legs = list(entry.legs)
        legs[number] = replace(legs[number], **changes)  # type: ignore[arg-type]
        return replace(entry, legs=tuple(legs))

    return damage


def _more(entry: Entry) -> Entry:
    """A cent too many, taken from the right account."""
    return _leg(3, amount=1_251)(_leg(2, amount=-1_251)(entry))


def test_a_sound_exchange_passes_the_audit():
    checks = audited(a_ledger())
    assert {name for name, one in checks.items() if not one.passed} == set()
    assert checks["ledger.exchanges"].looked_at == 3  # what moved anything


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (_more, "100000 RUB at 0.0125 are 1250 USD, not 1251"),
        (lambda one: replace(one, rate="0.0126"), "100000 RUB at 0.0126 are 1260 USD, not 1250"),
        (lambda one: replace(one, rate=""), "'' is no rate"),
        (_leg(3, account="agent:A"), "exchanged RUB of agent:S for USD of agent:A"),
        (lambda one: replace(one, legs=one.legs[:2]), "an exchange moved"),
        (lambda one: replace(one, kind=EntryKind.DEPOSITED), "is no exchange and has the rate 0.0125"),
        (lambda one: replace(one, kind=EntryKind.DEPOSITED, rate=""), "moved RUB and USD"),
    ],
)
def test_the_audit_works_out_every_exchange_again(damage: Callable[[Entry], Entry], complaint: str):
    entries = [damage(one) if one.kind is EntryKind.EXCHANGED else one for one in a_ledger()]
    checks = audited(rechained(entries))
    assert complaint in " ".join(checks["ledger.exchanges"].failures)


def test_the_audit_finds_an_exchange_of_money_the_agent_has_not():
    entries = [one for one in a_ledger() if one.kind not in (EntryKind.DEPOSITED, EntryKind.TRANSFERRED)]
    assert failed(rechained(entries)) == {"ledger.limits"}


def test_the_audit_finds_dollars_exchanged_away_while_a_payment_waited_for_them():
    state, entries = State(0), list[Entry]()
    dollars = {"give_currency": "USD", "take_currency": "RUB"}
    commands = (open_agent("A"), open_agent("S", "A"), open_currency("A"), open_currency("S"),
                a_deposit("S", 1_250, currency="USD"), an_exchange(1_250, 100_000, "80", **dollars),
                abroad(1, collected=10_000))  # fmt: skip
    for n, command in enumerate(commands):
        entries.append(decided(state, command, AT + n))
    assert failed(entries) == set()
    *before, exchanged, waits = entries
    assert waits.kind is EntryKind.WAITING_FUNDS
    assert failed(rechained([*before, waits, exchanged])) == {"payments.waiting"}
