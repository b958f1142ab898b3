"""What becomes of payment orders: the rules' precedence, the limits, and orders that come twice."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from schemas.entry import EntryKind
from schemas.outcome import Verdict
from schemas.payee import SubscriberField
from schemas.refusal import Refusal
from schemas.tariff import Fee
from streams.ledger.accounts import legs_of
from streams.ledger.commands import Settle
from streams.ledger.decide import Conflict, Duplicate, decide
from streams.ledger.image import image_of, state_of
from streams.ledger.limits import shortfall
from streams.ledger.state import Account, AgentState, Book, State
from tests.builders import (
    AT,
    a_deposit,
    a_payee,
    a_place,
    a_rate,
    a_settle,
    a_state,
    a_tariff,
    a_tree,
    decided,
    open_agent,
    set_limit,
)

# Each row breaks one rule of an order that is fine otherwise; rows stand in the order in which they are answered.
BROKEN: list[tuple[Refusal, dict[str, Any]]] = [
    (Refusal.NO_RIGHT, {"agent": "nobody"}),
    (Refusal.NO_SUCH_PAYEE, {"payee": None}),
    (Refusal.OTHER, {"currency": "USD"}),
    (Refusal.BAD_SUBSCRIBER_FORMAT, {"subscriber": {"phone": "916"}}),
    (Refusal.TOO_SMALL, {"min_amount": 95_001}),
    (Refusal.TOO_LARGE, {"max_amount": 94_999}),
    (Refusal.PAYEE_PROHIBITS, {"denominations": (50_000, 100_000)}),
    (Refusal.BAD_FEE, {"fee": 4_998}),
    (Refusal.BAD_FEE, {"collected": 99_999}),
    (Refusal.AGENT_LACKS_FUNDS, {"money": 95_949}),
    (Refusal.TEMPORARY, {"backlog_max": 0}),
]
PAYEE_FIELDS = {"min_amount", "max_amount", "denominations"}


def answer_to(broken: dict[str, Any]) -> tuple[EntryKind, int]:
    state = a_tree(money=broken.get("money", 200_000))
    payee = a_payee(**{name: value for name, value in broken.items() if name in PAYEE_FIELDS})
    order = {name: value for name, value in broken.items() if name not in {*PAYEE_FIELDS, "money", "payee"}}
    entry = decided(state, a_place(payee=broken.get("payee", payee), **order))
    return entry.kind, entry.refusal


def test_an_order_that_breaks_no_rule_is_held():
    assert answer_to({}) == (EntryKind.HELD, 0)


@pytest.mark.parametrize(("refusal", "broken"), BROKEN)
def test_an_order_that_breaks_one_rule_is_declined(refusal, broken):
    assert answer_to(broken) == (EntryKind.DECLINED, refusal.code)


@pytest.mark.parametrize(("first", "second"), list(combinations(BROKEN, 2)))
def test_of_two_broken_rules_the_first_is_answered(first, second):
    kind, code = answer_to(second[1] | first[1])
    assert code == first[0].code
    assert kind is (
        EntryKind.WAITING_FUNDS if {"collected", "money"} <= {*first[1], *second[1]} else EntryKind.DECLINED
    )


def test_precedence_is_that_of_the_refusals():
    """OTHER for a currency comes early on purpose: before it fits, amounts cannot be compared."""
    precedence = list(Refusal)
    positions = [precedence.index(refusal) for refusal, _ in BROKEN if refusal is not Refusal.OTHER]
    assert positions == sorted(positions)


@pytest.mark.parametrize(
    ("subscriber", "accepted"),
    [
        ({"phone": "9161234567", "contract": "AB-1"}, True),
        ({"contract": "AB-1", "phone": "9161234567"}, True),
        ({"phone": "9161234567"}, False),
        ({"phone": "9161234567", "contract": "AB-1", "more": "x"}, False),
        ({"phone": "9161234567", "contract": "AB-1\n"}, False),
        ({"phone": "9161234567", "contract": " AB-1"}, False),
        ({"phone": "٩١٦١٢٣٤٥٦٧", "contract": "AB-1"}, False),  # digits, but no payee's system reads them
    ],
)
def test_subscriber_fields_are_exactly_the_payees_and_match_wholly(subscriber, accepted):
    fields = (
        SubscriberField(name="phone", title="Phone", pattern=r"\d{10}"),
        SubscriberField(name="contract", title="Contract", pattern=r"[A-Z]{2}-\d+"),
    )
    entry = decided(a_tree(), a_place(payee=a_payee(fields=fields), subscriber=subscriber))
    assert entry.refusal == (0 if accepted else Refusal.BAD_SUBSCRIBER_FORMAT.code)
    assert not any(value.strip() in entry.reason for value in subscriber.values()), "payers' data in a reason"


@pytest.mark.parametrize(
    ("amount", "refusal"),
    [
        (99, Refusal.TOO_SMALL),
        (100, None),
        (100_000_000, None),
        (100_000_001, Refusal.TOO_LARGE),
    ],
)
def test_the_payees_bounds_are_themselves_allowed(amount, refusal):
    entry = decided(a_tree(money=200_000_000), a_place(amount=amount, fee=0, tariff=None))
    assert entry.refusal == (refusal.code if refusal else 0)


@pytest.mark.parametrize(
    ("fee", "tariff", "accepted"),
    [
        (0, None, True),
        (1, None, False),
        (1_000, a_tariff(fee=Fee(min_minor=1_000)), True),  # a fee of one sum, whatever the amount
        (999, a_tariff(fee=Fee(min_minor=1_000)), False),
        (2_000, a_tariff(fee=Fee(rate_bps=500, base="collected", max_minor=2_000)), True),
        (5_000, a_tariff(fee=Fee(rate_bps=500, base="collected", max_minor=2_000)), False),
    ],
)
def test_the_fee_stated_must_be_the_tariffs(fee, tariff, accepted):
    entry = decided(a_tree(), a_place(fee=fee, tariff=tariff))
    assert entry.refusal == (0 if accepted else Refusal.BAD_FEE.code)


@pytest.mark.parametrize(("collected", "accepted"), [(0, True), (100_000, True), (99_999, False), (100_001, False)])
def test_collected_is_nothing_yet_or_all_of_it(collected, accepted):
    assert decided(a_tree(), a_place(collected=collected)).refusal == (0 if accepted else Refusal.BAD_FEE.code)


@pytest.mark.parametrize(
    ("money", "overdraft", "funding", "refusal"),
    [
        (95_950, 0, "own", None),
        (95_949, 0, "own", Refusal.AGENT_LACKS_FUNDS),
        (45_950, 50_000, "own", None),
        (45_949, 50_000, "own", Refusal.AGENT_LACKS_FUNDS),
        (0, 95_950, "own", None),
        (95_950, 0, "shared", None),
        (95_949, 0, "shared", Refusal.UPSTREAM_LACKS_FUNDS),
        (45_950, 50_000, "shared", None),
        (45_949, 50_000, "shared", Refusal.UPSTREAM_LACKS_FUNDS),
    ],
)
def test_funds_are_held_only_within_the_payers_limit(money, overdraft, funding, refusal):
    entry = decided(a_tree(money, overdraft, funding), a_place())
    assert entry.refusal == (refusal.code if refusal else 0)
    assert entry.payment is not None
    assert entry.payment.payer_agent == ("A" if funding == "shared" else "S")


def an_agent(available: int, funding: str = "own") -> AgentState:
    return AgentState("a", None, "a", "RUB", 0, funding, Account(1, available), Account())


@pytest.mark.parametrize(
    ("chain", "refusal"),
    [
        ([(100, "own")], None),
        ([(99, "own")], Refusal.AGENT_LACKS_FUNDS),
        ([(100, "own"), (0, "own"), (0, "own")], None),
        ([(100, "own"), (-1, "own"), (0, "own")], Refusal.UPSTREAM_LACKS_FUNDS),
        ([(100, "own"), (0, "own"), (-1, "own")], Refusal.UPSTREAM_LACKS_FUNDS),
        ([(99, "own"), (-1, "own")], Refusal.AGENT_LACKS_FUNDS),
        ([(0, "shared"), (100, "own")], None),
        ([(500, "shared"), (99, "own")], Refusal.UPSTREAM_LACKS_FUNDS),
        ([(0, "shared"), (0, "shared"), (100, "own"), (0, "own")], None),
        ([(0, "shared"), (0, "shared"), (100, "own"), (-1, "own")], Refusal.UPSTREAM_LACKS_FUNDS),
    ],
)
def test_who_in_a_chain_cannot_carry_100(chain, refusal):
    assert shortfall([an_agent(*row) for row in chain], 100) is refusal


def test_an_agent_above_its_lowered_limit_stops_everyone_below():
    state = a_tree(money=200_000)
    root = state.books["A"].agents["A"]
    decided(state, set_limit("A", 150_000, id="more"))
    decided(state, a_place(agent="A", terminal="kiosk-2"))
    assert root.available == 54_050
    decided(state, set_limit("A", 0, id="less"))
    assert root.available == -95_950
    assert decided(state, a_place()).refusal == Refusal.UPSTREAM_LACKS_FUNDS.code


def test_a_declined_payment_reserves_and_numbers_nothing():
    state = a_tree(money=1)
    entry = decided(state, a_place())
    facts = entry.payment
    assert facts is not None
    assert (facts.txn, facts.held, facts.processing, facts.rewards, entry.legs) == (0, 0, 0, (), ())
    decided(state, a_deposit("S", 100_000, id="more"))
    held = decided(state, a_place(number=2))
    assert held.payment is not None
    assert held.payment.txn == 1_000_000_000_000_001


@pytest.mark.parametrize("partition", [0, 3, 255])
def test_numbers_at_the_payee_are_counted_by_partition_and_short_enough(partition):
    commands = [open_agent("A"), a_deposit("A", 10**9), *(a_place(agent="A", number=n) for n in (1, 2))]
    state = a_state(*commands, partition=partition)
    numbers = [payment.txn for payment in state.outstanding()]
    assert numbers == [(partition + 1) * 10**15 + n for n in (1, 2)]
    assert all(len(str(number)) <= 20 for number in numbers)


def test_shares_beyond_the_chain_and_shares_of_nothing_go_to_the_operator():
    entry = decided(a_tree(), a_place(tariff=a_tariff(reward_shares_bps=(0, 2_500, 2_500, 2_500))))
    assert entry.payment is not None
    assert entry.payment.rewards == (("agent:A", 475), ("reward", 1_425))


def test_without_a_tariff_nothing_is_taken_or_shared():
    state = a_tree()
    entry = decided(state, a_place(fee=0, tariff=None))
    assert entry.payment is not None
    assert (entry.payment.held, entry.payment.rewards, entry.payment.tariff_version) == (95_000, (), 0)
    assert [leg.account for leg in decided(state, a_settle()).legs] == ["hold:S", "payee:mobile"]


def test_a_sub_agent_that_shares_earns_for_itself_what_it_sold_on_its_parents_money():
    state = a_tree(funding="shared")
    decided(state, a_place())
    decided(state, a_settle())
    assert {agent.id: agent.balance for agent in state.books["A"].agents.values()} == {
        "A": 200_000 - 95_950 + 475,
        "S": 950,
    }


def test_an_amount_of_nothing_makes_no_leg():
    assert legs_of(Book("A"), "RUB", [("bank", 0), ("fee", 5), ("fee", 0)])[0].amount == 5


def test_a_gateway_with_too_many_payments_waiting_gets_no_more_and_others_do():
    state = a_tree(money=1_000_000)
    for number, backlog, refusal in [(1, 2, 0), (2, 2, 0), (3, 2, 1), (4, 3, 0), (5, 3, 1)]:
        entry = decided(state, a_place(number=number, backlog_max=backlog))
        assert (number, entry.refusal) == (number, refusal)
        assert ("2 payments wait for gateway osmp-1" in entry.reason) == (number == 3)
    elsewhere = a_payee(gateway="osmp-2")
    assert decided(state, a_place(number=6, backlog_max=1, payee=elsewhere)).kind is EntryKind.HELD
    assert state.backlog == {"osmp-1": 3, "osmp-2": 1}


@pytest.mark.parametrize(("last", "waits"), [("HELD", 1), ("UNKNOWN", 1), ("MANUAL", 0), ("POSTED", 0), ("VOIDED", 0)])
def test_a_payment_waits_for_its_gateway_until_it_is_final_or_an_operators(last, waits):
    state = a_tree()
    decided(state, a_place())
    for step in steps_to(last):
        decided(state, step)
    assert state.backlog == ({"osmp-1": 1} if waits else {})
    assert state_of(image_of(state)).backlog == state.backlog


# --- orders that come twice


@pytest.mark.parametrize("last", ["HELD", "UNKNOWN", "MANUAL", "POSTED", "VOIDED", "DECLINED"])
def test_the_same_order_again_gets_its_present_outcome(last):
    state = a_tree(money=1 if last == "DECLINED" else 200_000)
    decided(state, a_place())
    for step in steps_to(last):
        decided(state, step)
    answer = decide(state, a_place(by="kiosk-1:2", payee=None, tariff=None), AT + 1)
    assert isinstance(answer, Duplicate)
    assert answer.payment is not None
    assert (answer.payment.state, answer.command) == (last, None)


@pytest.mark.parametrize("last", ["HELD", "POSTED", "DECLINED"])
def test_the_same_number_with_other_content_is_a_conflict(last):
    state = a_tree(money=1 if last == "DECLINED" else 200_000)
    decided(state, a_place())
    for step in steps_to(last):
        decided(state, step)
    assert isinstance(decide(state, a_place(amount=95_001), AT), Conflict)
    assert state.payments["kiosk-1.1"].state == last


def test_the_same_order_in_another_tree_is_a_conflict():
    state = a_tree()
    decided(state, a_place())
    assert isinstance(decide(state, a_place(book="B"), AT), Conflict)


def test_deciding_changes_nothing():
    state, untouched = a_tree(), a_tree()
    for command in (a_place(), a_place(book="elsewhere"), a_deposit("S", id="d"), open_agent("X", tree="X")):
        decide(state, command, AT)
    assert state == untouched


def steps_to(last: str) -> list[Settle]:
    return {
        "UNKNOWN": [a_settle(verdict=Verdict.UNCLEAR)],
        "MANUAL": [a_settle(verdict=Verdict.UNCLEAR), a_settle(verdict=Verdict.FATAL, code="5")],
        "POSTED": [a_settle()],
        "VOIDED": [a_settle(verdict=Verdict.FATAL, code="5")],
    }.get(last, [])


def test_a_rate_with_a_floor_is_taken_also_of_small_amounts():
    tariff = a_tariff(fee=Fee(), processing=a_rate(1, min_minor=300))
    entry = decided(a_tree(), a_place(amount=1_000, fee=0, tariff=tariff))
    assert entry.payment is not None
    assert entry.payment.held == 1_300


def test_a_fresh_partition_knows_nobody():
    entry = decided(State(0), a_place())
    assert (entry.seq, entry.refusal) == (1, Refusal.NO_RIGHT.code)
