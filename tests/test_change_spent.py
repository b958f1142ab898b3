"""Change pays for a payment: wholly, partly, beside cash, once; and what becomes of it when the payment is not made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from console.fees import amount_within
from console.requests import encoded
from schemas.change import ChangeSpent
from schemas.entry import Entry, EntryKind
from schemas.outcome import Verdict
from schemas.payment import PaymentOrder
from schemas.tariff import Fee
from streams.ledger.decide import decide
from streams.ledger.decisions import Duplicate
from streams.ledger.prices import price_of
from streams.ledger.replies import reply_again, reply_to
from streams.ledger.state import State
from tests.audit_ledgers import failed, find, rechained, with_leg
from tests.builders import (
    AT,
    a_deposit,
    a_pay_out,
    a_place,
    a_rate,
    a_settle,
    a_tariff,
    a_tariff_with_rules,
    a_tree,
    balances,
    decided,
    legs,
    open_agent,
    performed,
)
from tests.builders_change import (
    CHANGE,
    CODE,
    LEFT,
    MARK,
    OTHER_CHANGE,
    OTHER_CODE,
    OTHER_MARK,
    example_3,
    spending,
    with_change,
)

DEAR = a_tariff(fee=Fee(min_minor=1_000, max_minor=1_000), processing=a_rate(min_minor=15_000), reward=a_rate())
FREE = a_tariff(fee=Fee(), processing=a_rate(), reward=a_rate())
FATAL = a_settle("kiosk-1.9", Verdict.FATAL, "check", code="5")


def test_example_3_spent_on_a_phone():
    state = with_change()
    hold = decided(state, spending(amount=LEFT, fee=0, tariff=FREE))
    assert legs(hold) == [(CHANGE, -17_750), ("hold:S", 17_750)]
    assert legs(decided(state, a_settle("kiosk-1.9"))) == [("hold:S", -17_750), ("payee:mobile", 17_750)]
    assert CHANGE not in balances(state)


def test_example_3_spent_with_a_fee_whose_part_comes_to_the_agent_from_the_change():
    state = with_change()
    hold = decided(state, spending())
    assert legs(hold) == [(CHANGE, -17_750), ("agent:S", 700), ("hold:S", 17_050)]
    post = decided(state, a_settle("kiosk-1.9"))
    assert legs(post) == [("hold:S", -17_050), ("payee:mobile", 16_750), ("fee", 300)]
    assert hold.payment is not None
    assert hold.payment.spent == ((MARK, 17_750),)


def test_an_agent_without_money_sells_for_change():
    state = with_change(money=49_300)
    assert "agent:S" not in balances(state)
    assert decided(state, spending()).kind is EntryKind.HELD


@pytest.mark.parametrize(("money", "refusal"), [(49_300 + 12_550, 0), (49_300 + 12_549, 220)])
def test_what_change_does_not_pay_the_agent_must_have(money, refusal):
    order = spending((CODE, 10_000), amount=22_250)  # held 22550, of which 10000 are change
    assert decided(with_change(money), order).refusal == refusal


def test_a_part_of_the_change_is_spent_and_the_rest_stays_under_its_code():
    state = with_change()
    decided(state, spending((CODE, 5_000), amount=4_000))
    decided(state, spending((CODE, 12_750), amount=11_750, number=10))
    assert CHANGE not in balances(state)
    assert balances(state)["hold:S"] == 4_300 + 12_050


def test_change_and_cash_pay_together_and_what_is_beyond_is_change_again():
    """The price and fee are 31000: 17750 of change, so 13250 of cash; a note of 20000 is put in."""
    state = with_change(money=100_000)
    order = spending(amount=30_000, collected=20_000, change_to=OTHER_MARK)
    hold = decided(state, order)
    assert legs(hold) == [
        (CHANGE, -17_750), ("agent:S", -12_550), ("hold:S", 30_300), ("agent:S", -6_750), (OTHER_CHANGE, 6_750),
    ]  # fmt: skip
    assert _kept(hold) == 6_750


def test_change_of_a_payment_that_spends_change_may_be_kept_under_the_same_code():
    state = with_change(money=100_000)
    decided(state, spending(amount=30_000, collected=20_000, change_to=MARK))
    assert balances(state)[CHANGE] == 6_750


@pytest.mark.parametrize(("collected", "mark", "refusal"), [
    (0, None, 0), (13_250, None, 0), (13_249, None, 255), (13_251, None, 255), (13_251, OTHER_MARK, 0),
])  # fmt: skip
def test_cash_beside_change_is_nothing_yet_or_the_rest_and_more_only_with_a_place_for_it(collected, mark, refusal):
    order = spending(amount=30_000, collected=collected, change_to=mark)
    assert decided(with_change(money=100_000), order).refusal == refusal


def test_several_codes_pay_together():
    state = with_change(money=200_000)
    decided(state, example_3(number=2, code=OTHER_CODE))
    hold = decided(state, spending((CODE, 17_750), (OTHER_CODE, 250), amount=17_000))
    assert legs(hold)[:2] == [(CHANGE, -17_750), (OTHER_CHANGE, -250)]


@pytest.mark.parametrize(("order", "code", "why"), [
    (spending((OTHER_CODE, LEFT)), 300, "the change code: no change in RUB is kept under it"),
    (spending((MARK, LEFT)), 300, "the change code: no change in RUB is kept under it"),  # a fingerprint is no code
    (spending((CODE, LEFT + 1), amount=LEFT), 300, "the change code: 17750 minor units of change are left, not 17751"),
    (spending((CODE, 1), (OTHER_CODE, 1)), 300, "change code 2: no change in RUB is kept under it"),
    (spending(amount=LEFT - 1_001), 255, "177.50 RUB of change is spent for amount and fee, 177.49 RUB: leave"),
    (spending(amount=LEFT, collected=999), 255, "collected 9.99 RUB with 177.50 RUB of change is less than amount"),
    (spending((OTHER_CODE, 1), fee=999), 255, "the fee within 177.49 RUB is 10.00 RUB, not 9.99 RUB"),
    (spending((OTHER_CODE, 1), amount=300_000), 300, "no change in RUB is kept"),  # before want of funds
])  # fmt: skip
def test_change_is_not_spent(order, code, why):
    state = with_change(money=60_000)
    entry = decided(state, order)
    assert (entry.kind, entry.refusal) == (EntryKind.DECLINED, code)
    assert why in entry.reason
    assert balances(state)[CHANGE] == LEFT
    assert entry.payment is not None
    assert entry.payment.spent == ()


def test_change_of_another_currency_is_none():
    state = with_change()
    for command in (open_agent("B", tree="B", currency="USD"), a_deposit("B", 100_000, "B", currency="USD")):
        decided(state, command)
    order = spending(amount=30_000, currency="USD")
    assert decided(state, order).refusal == 300
    assert balances(state)[CHANGE] == LEFT


def test_the_second_of_two_payments_with_one_code_hears_what_is_left():
    state = with_change()
    assert decided(state, spending((CODE, 10_000), amount=9_000)).kind is EntryKind.HELD
    second = decided(state, spending((CODE, 10_000), amount=9_000, number=10))
    assert (second.kind, second.refusal) == (EntryKind.DECLINED, 300)
    assert second.reason == "the change code: 7750 minor units of change are left, not 10000"


def test_a_voided_payment_gives_change_back_under_its_code():
    state = with_change()
    before = balances(state)
    decided(state, spending())
    void = decided(state, FATAL)
    assert legs(void) == [("hold:S", -17_050), ("agent:S", 17_050), ("agent:S", -17_750), (CHANGE, 17_750)]
    assert balances(state) == before
    assert _kept(void) == 0


def test_a_voided_payment_gives_change_back_as_change_and_cash_as_change():
    state = with_change(money=100_000)
    decided(state, spending(amount=30_000, collected=20_000, change_to=OTHER_MARK))
    void = decided(state, FATAL)
    assert legs(void)[2:] == [("agent:S", -31_000), (CHANGE, 17_750), (OTHER_CHANGE, 13_250)]
    kept = balances(state)
    assert (kept[CHANGE], kept[OTHER_CHANGE], _kept(void)) == (17_750, 20_000, 20_000)


def test_what_a_void_gave_back_may_be_spent_again():
    state = with_change()
    decided(state, spending())
    decided(state, FATAL)
    assert decided(state, spending(number=10)).kind is EntryKind.HELD


def test_cash_of_a_declined_payment_is_change_and_the_change_it_would_have_spent_stays():
    state = with_change(money=100_000)
    entry = decided(state, spending(amount=30_000, collected=13_250, payee=None, change_to=OTHER_MARK))
    assert legs(entry) == [("agent:S", -13_250), (OTHER_CHANGE, 13_250)]
    assert balances(state)[CHANGE] == LEFT
    assert _kept(entry) == 13_250


def test_a_payment_that_spends_change_does_not_wait_for_funds():
    """It would be held when its turn comes, and the change may be gone by then."""
    state = with_change()
    entry = decided(state, spending(amount=30_000, collected=13_250, change_to=OTHER_MARK))
    assert (entry.kind, entry.refusal) == (EntryKind.WAITING_FUNDS, 220)
    assert entry.payment is not None
    assert entry.payment.held == 0  # it waits to give its cash back, and is never held
    _, declined = performed(state, a_deposit("S", 50_000, id="more"))
    assert (declined.kind, declined.refusal, legs(declined)[1]) == (EntryKind.DECLINED, 220, (OTHER_CHANGE, 13_250))
    assert balances(state)[CHANGE] == LEFT


def test_where_the_agent_lacks_its_part_and_has_the_cash_it_is_declined_at_once():
    """The operator takes 15000, so S is to give 27250 and 6750 of change; it has no more than the cash."""
    state = with_change(money=49_300 + 20_000)
    order = spending(amount=30_000, collected=20_000, change_to=OTHER_MARK, tariff=DEAR)
    entry = decided(state, order)
    assert (entry.kind, entry.refusal) == (EntryKind.DECLINED, 220)
    assert legs(entry) == [("agent:S", -20_000), (OTHER_CHANGE, 20_000)]


def test_a_code_is_on_no_entry_and_in_no_reply():
    state = with_change()
    orders = spending((CODE, 1_500), amount=500), spending((OTHER_CODE, 1), number=10), spending(number=11)
    for entry in [decided(state, order) for order in orders]:
        reply = reply_to(entry)
        assert reply is not None
        said = entry.encode().decode() + reply.model_dump_json()
        assert CODE not in said
        assert OTHER_CODE not in said


def test_a_payment_delivered_again_spends_nothing_more():
    state = with_change()
    order = spending((CODE, 5_000), amount=4_000)
    decided(state, order)
    again = decide(state, order, AT + 1)
    assert isinstance(again, Duplicate)
    assert reply_again(again).state == "HELD"


@pytest.mark.parametrize("wrong", [
    [{"code": CODE, "amount": 1}, {"code": CODE, "amount": 2}], [{"code": CODE, "amount": 0}],
    [{"code": "0" * 31, "amount": 1}], [{"code": f"{n:032x}", "amount": 1} for n in range(6)],
])  # fmt: skip
def test_an_order_names_five_codes_at_most_each_once_with_an_amount(wrong):
    order = spending().order.model_dump() | {"change_from": tuple(wrong)}
    with pytest.raises(ValidationError):
        PaymentOrder(**order)


def test_the_order_as_it_is_signed_has_its_codes_and_one_that_spends_none_is_as_it_was():
    order = spending().order
    assert PaymentOrder.model_validate_json(encoded(order)).digest() == order.digest()
    assert b"change_from" not in encoded(order.model_copy(update={"change_from": ()}))
    other = order.model_copy(update={"change_from": (ChangeSpent(code=CODE, amount=1),)})
    assert other.digest() != order.digest()


@given(total=st.integers(1, 60_000), tariff=st.sampled_from([None, a_tariff(), FREE, DEAR, a_tariff_with_rules()]))
def test_what_is_sent_of_the_whole_change_has_the_fee_that_the_server_finds(total, tariff):
    amount = amount_within(tariff, total, "A/S", AT)
    if amount is None:
        assert total < 1_001 or (tariff is not None and tariff.rules)  # the fee alone is more, or two rules leave a gap
        return
    order = a_place(amount=amount, fee=total - amount).order
    assert price_of(tariff, "A", order, a_tree().books["A"].chain("S"), AT).fee == total - amount


def _a_ledger() -> list[Entry]:
    state, entries = State(0), list[Entry]()
    for command in (
        open_agent("A"), a_deposit("A", 200_000), example_3(agent="A"), a_settle(),
        spending((CODE, 10_000), agent="A", amount=30_000, collected=21_500, change_to=OTHER_MARK, number=2),
        a_settle("kiosk-1.2", Verdict.FATAL, "check", code="5"),
        spending((CODE, 10_000), agent="A", amount=9_000, number=3), a_settle("kiosk-1.3"),
        a_pay_out(CODE, "A", 7_750),
    ):  # fmt: skip
        entries += performed(state, command)
    return entries


def test_the_audit_passes_all_of_it():
    assert failed(_a_ledger()) == set()


@pytest.mark.parametrize(("payment", "kind", "leg"), [
    ("kiosk-1.2", EntryKind.HELD, 0), ("kiosk-1.2", EntryKind.VOIDED, 3), ("kiosk-1.3", EntryKind.HELD, 0),
])  # fmt: skip
def test_the_audit_finds_change_of_somebody_else_that_was_spent_or_given_back(payment, kind, leg):
    entries = _a_ledger()
    at = find(entries, payment, kind)
    entries[at] = with_leg(entries[at], leg, account="change:" + "0" * 32)
    assert "ledger.movements" in failed(rechained(entries))


def test_the_audit_finds_change_spent_twice():
    entries = _a_ledger()
    at = find(entries, "kiosk-1.1", EntryKind.HELD)
    assert "ledger.change" in failed(rechained([*entries[:at], *entries[at + 2 :]]))


def _kept(entry: Entry) -> int:
    reply = reply_to(entry)
    assert reply is not None
    return reply.kept
