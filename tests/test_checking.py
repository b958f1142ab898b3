"""What Kassa's own rules say to a question about a subscriber, and the numbers payees are asked under."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.command import SetLimit
from schemas.payee import SubscriberField
from schemas.refusal import Refusal
from schemas.tracking import CHECKS_FROM
from streams.ledger.checking import Looked, Terms, facts_of, look
from streams.ledger.state import TXN_PER_PARTITION, State
from tests.builders import AT, NOW, a_gateway, a_payee, a_place, a_settle, a_tariff, a_tree, an_instruct, block, decided
from tests.builders_tracking import a_check

MOST_PARTITIONS = 256


def looked(state: State | None = None, payee: Any = "default", backlog: int = 1_000, **check: Any) -> Looked:
    payee = a_payee() if payee == "default" else payee
    return look(state or a_tree(), "A", a_check(**check), Terms(payee, a_tariff(), backlog), AT)


def test_a_payment_that_would_be_taken_is_told_its_fee() -> None:
    assert looked() == Looked(None, 95_000, 5_000, "osmp-1")


def test_the_fee_told_is_the_one_an_order_is_taken_with() -> None:
    state = a_tree(money=10**9)
    for amount in (100, 101, 99_999, 12_345_678):
        fee = looked(state, amount=amount).fee
        entry = decided(state, a_place(number=amount, id=f"kiosk-1.{amount}", amount=amount, fee=fee))
        assert (amount, entry.refusal) == (amount, 0)


def test_without_an_amount_the_least_the_payee_takes_is_tried_and_no_fee_is_told() -> None:
    assert looked(amount=None) == Looked(None, 100, None, "osmp-1")
    assert looked(amount=None, payee=a_payee(denominations=(30_000, 10_000))) == Looked(None, 10_000, None, "osmp-1")


@pytest.mark.parametrize(
    ("check", "payee", "refusal"),
    [
        ({"agent": "Z"}, {}, Refusal.NO_RIGHT),
        ({}, None, Refusal.NO_SUCH_PAYEE),
        ({"subscriber": {"phone": "12"}}, {}, Refusal.BAD_SUBSCRIBER_FORMAT),
        ({"subscriber": {"number": "9161234567"}}, {}, Refusal.BAD_SUBSCRIBER_FORMAT),
        ({"amount": 99}, {}, Refusal.TOO_SMALL),
        ({"amount": 99}, {"min_amount": 1}, None),
        ({"amount": 100_000_001}, {}, Refusal.TOO_LARGE),
        ({"amount": 95_000}, {"denominations": (10_000,)}, Refusal.PAYEE_PROHIBITS),
        ({"amount": 900_000}, {}, Refusal.AGENT_LACKS_FUNDS),
        ({}, {"currency": "USD"}, Refusal.OTHER),
    ],
)
def test_what_an_order_would_be_declined_for_is_the_answer(
    check: dict[str, Any], payee: dict[str, Any] | None, refusal: Refusal | None
) -> None:
    found = looked(payee=None if payee is None else a_payee(**payee), **check)
    assert (found.objection.refusal if found.objection else None) is refusal


def test_whoever_may_not_sell_is_told_so_before_the_payer_s_cash_is_in() -> None:
    state = a_tree()
    decided(state, an_instruct(SetLimit(id="l", issued_at=NOW, tree="A", agent="S", payees=("other",))))
    assert looked(state).objection is not None
    assert looked(state).objection[0] is Refusal.PAYEE_UNAVAILABLE  # type: ignore[index]
    decided(state, block("A"))
    assert looked(state).objection[0] is Refusal.NO_RIGHT  # type: ignore[index]


def test_where_too_many_payments_wait_for_the_payee_no_more_cash_is_taken() -> None:
    state = a_tree()
    decided(state, a_place(amount=100, fee=5))
    assert looked(state, backlog=1).objection[0] is Refusal.TEMPORARY  # type: ignore[index]
    decided(state, a_settle())
    assert looked(state, backlog=1).objection is None


def test_where_an_agent_s_collected_cash_waits_for_funds_it_is_said_to_lack_them() -> None:
    state = a_tree(money=50_000)
    decided(state, a_place(collected=100_000))
    assert looked(state, amount=1_000).objection[0] is Refusal.AGENT_LACKS_FUNDS  # type: ignore[index]


def test_looking_changes_nothing() -> None:
    state, same = a_tree(), a_tree()
    looked(state)
    looked(state, agent="nobody")
    assert state == same


def test_the_payee_is_asked_in_its_own_order_of_fields_about_a_payment_that_does_not_exist() -> None:
    field = SubscriberField(name="district", title="District", pattern=r"\d+")
    payee = a_payee(fields=(*a_payee().fields, field), gateway=a_gateway().id)
    facts = facts_of(
        a_check(subscriber={"district": "5", "phone": "9161234567"}), payee, Looked(None, 95_000, None, "g"), AT
    )
    assert list(facts.subscriber.items()) == [("phone", "9161234567"), ("district", "5")]
    assert (facts.amount, facts.held, facts.received_at) == (95_000, 0, AT)


def test_a_question_s_number_is_its_own_and_none_that_a_payment_can_have() -> None:
    numbers = {a_check(f"q{number}").txn() for number in range(1_000)}
    assert len(numbers) == 1_000
    last_of_payments = (MOST_PARTITIONS + 1) * TXN_PER_PARTITION
    assert last_of_payments < CHECKS_FROM <= min(numbers)
    assert max(numbers) < 2**63
    assert all(len(str(number)) == 19 for number in numbers)
    assert a_check().txn() == a_check().txn() != a_check(amount=1).txn()
