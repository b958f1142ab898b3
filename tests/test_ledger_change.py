"""The payer's own money: change beyond the price, and cash for what was not paid."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from schemas.change import mark_of
from schemas.command import PayOutChange
from schemas.entry import Entry, EntryKind
from schemas.outcome import Verdict
from schemas.payment import PaymentOrder
from schemas.tariff import Fee, Tariff
from streams.ledger import waiting
from streams.ledger.decide import decide
from streams.ledger.decisions import Duplicate
from streams.ledger.replies import reply_again, reply_to
from streams.ledger.state import State
from tests.audit_ledgers import failed, find, rechained, with_leg
from tests.builders import (
    AT,
    a_deposit,
    a_pay_out,
    a_place,
    a_rate,
    a_resolve,
    a_retry,
    a_settle,
    a_tariff,
    a_tree,
    an_order,
    balances,
    decided,
    legs,
    open_agent,
    performed,
)

CODE = "00112233445566778899aabbccddeeff"
MARK = mark_of(CODE)
CHANGE = f"change:{MARK}"


def the_tariff() -> Tariff:
    """Ex. 3: an absolute fee of 1000, of which 300 are the operator's."""
    operators = a_rate(min_minor=300, max_minor=300)
    return a_tariff(fee=Fee(min_minor=1_000, max_minor=1_000), processing=operators, reward=a_rate())


def example_3(**changes: Any):
    """A price of 31250, its fee, and a note of 50000."""
    values = {"amount": 31_250, "fee": 1_000, "collected": 50_000, "change_to": MARK, "tariff": the_tariff()}
    return a_place(**values | changes)


def test_example_3_change():
    state = a_tree(money=100_000)
    hold = decided(state, example_3())
    assert legs(hold) == [("agent:S", -31_550), ("hold:S", 31_550), ("agent:S", -17_750), (CHANGE, 17_750)]
    post = decided(state, a_settle())
    assert legs(post) == [("hold:S", -31_550), ("payee:mobile", 31_250), ("fee", 300)]
    assert -(balances(state)["agent:S"] - 100_000) + 700 == 50_000  # what S gave away, and its part of the fee


def test_example_3_handed_out():
    state = a_tree(money=100_000)
    decided(state, example_3())
    entry = decided(state, a_pay_out(CODE, "S", 17_750))
    assert (entry.kind, entry.document) == (EntryKind.CHANGE_PAID_OUT, "Receipt 12")
    assert legs(entry) == [(CHANGE, -17_750), ("agent:S", 17_750)]
    assert CHANGE not in balances(state)


@pytest.mark.parametrize(("money", "kind"), [(49_300, EntryKind.HELD), (49_299, EntryKind.WAITING_FUNDS)])
def test_the_agent_must_have_the_price_and_the_change(money, kind):
    assert decided(a_tree(money=money), example_3()).kind is kind


@pytest.mark.parametrize(("collected", "mark", "refusal"), [
    (0, None, 0), (32_250, None, 0), (32_250, MARK, 0), (32_249, MARK, 255), (32_251, None, 255), (32_251, MARK, 0),
])  # fmt: skip
def test_what_is_collected_is_nothing_yet_or_enough_and_more_only_with_a_place_for_it(collected, mark, refusal):
    assert decided(a_tree(), example_3(collected=collected, change_to=mark)).refusal == refusal


@pytest.mark.parametrize("broken", [
    {"payee": None}, {"subscriber": {"phone": "1"}}, {"fee": 999}, {"backlog_max": 0}, {"change_to": None},
])  # fmt: skip
def test_cash_of_a_declined_order_is_the_payers(broken):
    state = a_tree()
    entry = decided(state, example_3(**broken))
    account = CHANGE if "change_to" not in broken else "change:payment:kiosk-1.1"
    assert (entry.kind, legs(entry)) == (EntryKind.DECLINED, [("agent:S", -50_000), (account, 50_000)])
    assert not state.open


def test_a_declined_order_waits_with_its_refusal_where_the_agent_lacks_the_cash():
    state = a_tree(money=49_999)
    entry = decided(state, example_3(payee=None))
    assert (entry.kind, entry.refusal, entry.legs) == (EntryKind.WAITING_FUNDS, 6, ())
    _, declined = performed(state, a_deposit("S", 1, id="more"))
    assert (declined.kind, declined.refusal, declined.cause.by) == (EntryKind.DECLINED, 6, "funds")
    assert legs(declined) == [("agent:S", -50_000), (CHANGE, 50_000)]
    assert (state.payments["kiosk-1.1"].txn, state.next_txn) == (0, 1_000_000_000_000_001)


def test_nothing_is_kept_where_no_agent_has_such_money():
    for order in (example_3(agent="nobody"), example_3(currency="USD")):
        entry = decided(a_tree(), order)
        assert (entry.kind, entry.legs) == (EntryKind.DECLINED, ())


def test_a_full_line_declines_and_the_cash_stays_where_it_is(monkeypatch):
    monkeypatch.setattr(waiting, "WAITING_MAX", 1)
    state = a_tree(money=0)
    decided(state, example_3())
    entry = decided(state, example_3(number=2, payee=None))
    assert (entry.kind, entry.refusal, entry.legs) == (EntryKind.DECLINED, 1, ())


def test_a_reply_and_its_repetition_say_how_much_is_kept_for_the_payer():
    state = a_tree(money=100_000)
    for number, answer, kept in (
        (1, a_settle(), [17_750, 17_750]),
        (2, a_settle(payment="kiosk-1.2", verdict=Verdict.FATAL, step="check", code="5"), [17_750, 50_000]),
    ):
        order = example_3(number=number)
        entries = [decided(state, order), decided(state, answer)]
        assert [_kept(entry) for entry in entries] == kept
        again = decide(state, order, AT)
        assert isinstance(again, Duplicate)
        assert reply_again(again).kept == kept[-1]


@pytest.mark.parametrize(("broken", "kept"), [({"payee": None}, 50_000), ({"agent": "nobody"}, 0)])
def test_of_two_declined_orders_the_reply_says_whose_cash_is_kept(broken, kept):
    assert _kept(decided(a_tree(), example_3(**broken))) == kept


def test_what_waits_for_funds_keeps_nothing_yet():
    state = a_tree(money=0)
    assert _kept(decided(state, example_3())) == 0
    *_, held = performed(state, a_deposit("S", 49_300, id="more"))
    assert _kept(held) == 17_750


def _kept(entry: Entry) -> int:
    reply = reply_to(entry)
    assert reply is not None
    return reply.kept


def test_cash_of_a_voided_payment_is_the_payers_to_the_last_unit():
    state = a_tree(money=49_300)
    decided(state, example_3())
    void = decided(state, a_settle(verdict=Verdict.FATAL, step="check", code="5"))
    assert legs(void) == [("hold:S", -31_550), ("agent:S", 31_550), ("agent:S", -32_250), (CHANGE, 32_250)]
    assert balances(state) == {"bank": -49_300, "agent:S": -700, CHANGE: 50_000}  # S has its 700 in cash


def test_an_operators_not_paid_gives_the_cash_back_too():
    state = a_tree()
    decided(state, example_3())
    decided(state, a_settle(verdict=Verdict.UNCLEAR, retry=a_retry(budget=1)))
    decided(state, a_resolve(paid=False))
    assert balances(state)[CHANGE] == 50_000


def test_a_payment_whose_cash_was_not_taken_leaves_nothing_to_the_payer():
    state = a_tree()
    decided(state, a_place())
    void = decided(state, a_settle(verdict=Verdict.FATAL, step="check", code="5"))
    assert legs(void) == [("hold:S", -95_950), ("agent:S", 95_950)]


@pytest.mark.parametrize(("command", "why"), [
    (a_pay_out(CODE, "S", 17_751), "17750 minor units of change are left, not 17751"),
    (a_pay_out("0" * 32, "S", 1), "no change in RUB is kept under this"),
    (a_pay_out(MARK, "S", 1), "no change in RUB is kept under this"),
    (a_pay_out("", "S", 1, payment="kiosk-1.1"), "no change in RUB is kept under this"),
    (a_pay_out(CODE, "S", 1, currency="USD"), "no change in USD is kept under this"),
    (a_pay_out(CODE, "nobody", 1), "there is no agent nobody"),
    (a_pay_out(CODE, "B", 1, tree="B"), "there is no agent B in tree B"),
])  # fmt: skip
def test_change_is_not_handed_out(command, why):
    state = a_tree()
    decided(state, example_3())
    entry = decided(state, command)
    assert (entry.kind, entry.refusal) == (EntryKind.REFUSED, 300)
    assert why in entry.reason
    assert CODE not in entry.encode().decode()


def test_change_is_handed_out_once():
    state = a_tree()
    decided(state, example_3())
    kinds = [decided(state, a_pay_out(CODE, "S", 10_000, id=f"out-{number}")).kind for number in range(2)]
    assert kinds == [EntryKind.CHANGE_PAID_OUT, EntryKind.REFUSED]


def test_change_without_a_code_is_known_by_its_payment():
    state = a_tree()
    decided(state, example_3(payee=None, change_to=None, collected=32_250))
    entry = decided(state, a_pay_out("", "S", 32_250, payment="kiosk-1.1"))
    assert legs(entry) == [("change:payment:kiosk-1.1", -32_250), ("agent:S", 32_250)]


def test_who_hands_out_on_shared_money_gives_it_to_whose_money_it_is():
    state = a_tree(funding="shared")
    decided(state, example_3())
    assert legs(decided(state, a_pay_out(CODE, "S", 750))) == [(CHANGE, -750), ("agent:A", 750)]


def test_handed_out_change_is_money_that_another_payment_may_have_waited_for():
    state = a_tree(money=49_300)
    decided(state, example_3())
    decided(state, example_3(number=2, amount=10_000, collected=11_000, change_to=None))
    assert [entry.kind for entry in performed(state, a_pay_out(CODE, "S", 17_750))] == ["CHANGE_PAID_OUT", "HELD"]


@pytest.mark.parametrize("both", [{"code": CODE, "payment": "kiosk-1.1"}, {"code": None, "payment": None}])
def test_a_pay_out_names_either_a_code_or_a_payment(both):
    with pytest.raises(ValidationError, match="give the code, or the payment"):
        PayOutChange(**{**a_pay_out(CODE).command.model_dump(), **both})


def test_the_fingerprint_is_not_the_code_and_finds_it_again():
    assert mark_of(CODE) == hashlib.blake2b(CODE.encode(), digest_size=16).hexdigest() != CODE


def test_orders_of_old_have_the_digest_they_had():
    order = an_order(collected=100_000)
    old = {name: value for name, value in order.__dict__.items() if name not in ("change_to", "change_from")}
    canonical = orjson.dumps(old, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
    assert order.digest() == hashlib.blake2b(canonical, digest_size=16).hexdigest()
    assert PaymentOrder(**old | {"change_to": MARK}).digest() != order.digest()


def _a_ledger() -> list[Entry]:
    state, entries = State(0), list[Entry]()
    for command in (
        open_agent("A"), a_deposit("A", 60_000), example_3(agent="A"), a_settle(), a_pay_out(CODE, "A", 7_000),
        example_3(agent="A", number=2, payee=None), a_deposit("A", 90_000, id="more"),
        example_3(agent="A", number=3), a_settle("kiosk-1.3", Verdict.FATAL, "check", code="5"),
    ):  # fmt: skip
        entries += performed(state, command)
    return entries


def test_the_audit_passes_all_of_it():
    assert failed(_a_ledger()) == set()


@pytest.mark.parametrize(("payment", "kind", "leg"), [
    ("kiosk-1.1", EntryKind.HELD, 3), ("kiosk-1.2", EntryKind.DECLINED, 1), ("kiosk-1.3", EntryKind.VOIDED, 3)
])  # fmt: skip
def test_the_audit_finds_change_that_went_to_somebody_else(payment, kind, leg):
    entries = _a_ledger()
    at = find(entries, payment, kind)
    entries[at] = with_leg(entries[at], leg, account="change:" + "0" * 32)
    assert "ledger.movements" in failed(rechained(entries))


def test_the_audit_finds_cash_that_is_nowhere_and_change_below_nothing():
    entries = _a_ledger()
    out = next(n for n, entry in enumerate(entries) if entry.kind is EntryKind.CHANGE_PAID_OUT)
    assert "ledger.change" in failed(rechained([*entries[:2], entries[out], *entries[3:]]))
    at = find(entries, "kiosk-1.2", EntryKind.DECLINED)
    entries[at] = replace(entries[at], legs=())
    assert "payments.evidence" in failed(rechained(entries))
