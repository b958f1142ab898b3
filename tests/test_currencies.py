"""Several currencies an agent: accounts, limits and lines of their own, one agent, and nothing ever mixed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from pydantic import TypeAdapter

from schemas.balance import Balance
from schemas.change import mark_of
from schemas.command import SetLimit
from schemas.entry import Entry, EntryKind, Leg
from schemas.refusal import Refusal
from streams.ledger.balances import balance_of, touched_agents
from streams.ledger.commands import Instruct, Place
from streams.ledger.currencies import MAX_CURRENCIES
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.evolve import evolve
from streams.ledger.image import StateImage, image_of, state_of
from streams.ledger.state import State
from streams.outbox import Outbox
from tests.audit_ledgers import audited, failed, rechained
from tests.builders import (
    AT,
    a_deposit,
    a_pay_out,
    a_payee,
    a_place,
    a_rate,
    a_settle,
    a_tariff,
    a_transfer,
    a_tree,
    a_withdrawal,
    an_order,
    balances,
    block,
    close,
    decided,
    folded,
    move,
    open_agent,
    performed,
    set_limit,
    unblock,
)
from tests.builders_currency import open_currency

ABROAD = a_payee("abroad", currency="USD", min_amount=1)
TARIFF = a_tariff("abroad", fee=a_tariff().fee.model_copy(update={"rate_bps": 0}), processing=a_rate(1))
TOKYO = ("JPY", "KWD", "EUR", "GBP", "CHF", "CNY", "KZT", "AMD", "GEL")


def abroad(number: int = 1, amount: int = 10_000, **changes: Any) -> Place:
    """100.00 USD by S, with 1.00 for the operator and a reward of 2.00, a half of it S's, a quarter A's."""
    changes = {"amount": amount, "fee": 0, "currency": "USD", "payee": "abroad"} | changes
    return a_place(an_order(number, **changes), payee=ABROAD, tariff=TARIFF)


def two_currencies(dollars: int = 50_000, **tree: Any) -> State:
    """A over S with 2000.00 RUB, both of them with an account in USD; S has the dollars."""
    state = a_tree(**tree)
    for command in (open_currency("A"), open_currency("S"), a_deposit("S", dollars, currency="USD", id="dollars")):
        decided(state, command)
    return state


def log_of(*commands: Instruct | Place | Any) -> list[Entry]:
    state, entries = State(0), list[Entry]()
    for n, command in enumerate(commands):
        entries += performed(state, command, AT + n)
    return entries


def test_a_payment_in_dollars_moves_dollars_and_no_rouble():
    state = two_currencies()
    before = balances(state)
    assert decided(state, abroad()).kind is EntryKind.HELD
    assert balances(state, currency="USD") == {"bank": -50_000, "agent:S": 39_900, "hold:S": 10_100}
    assert decided(state, a_settle()).kind is EntryKind.POSTED
    assert balances(state, currency="USD") == {
        "bank": -50_000, "agent:S": 40_000, "agent:A": 50, "fee": 100, "payee:abroad": 9_800, "reward": 50,
    }  # fmt: skip
    assert balances(state) == before


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [
        (open_currency("S", id="again"), 300, "agent S has an account in USD already"),
        (open_currency("A", "RUB"), 300, "agent A has an account in RUB already"),
        (open_currency("S", "KWD"), 300, "agent A, above S, has no account in KWD: open that one first"),
        (open_currency("nobody"), 300, "there is no agent nobody in tree A"),
        (open_currency("X"), 300, "agent X is closed"),
        (open_currency("P", overdraft=1), 300, "agent P spends the money of S: it cannot have a limit of its own"),
        (a_deposit("S", 1, currency="EUR", id="d"), 300, "agent S is in RUB and USD, the deposit is in EUR"),
        (a_deposit("T", 1, currency="USD", id="d"), 300, "agent T is in RUB, the deposit is in USD"),
        (a_transfer("S", "T", 1, currency="USD"), 300, "agent T is in RUB, the transfer is in USD"),
        (a_withdrawal("S", 1, currency="EUR"), 300, "agent S is in RUB and USD, the withdrawal is in EUR"),
        (a_withdrawal("S", 50_001, currency="USD"), 220, "agent S has 500.00 USD to give"),
        (set_limit("T", 1, currency="USD"), 300, "agent T is in RUB, the limit is in USD"),
        (
            set_limit("S", None, daily_max=5, payment_max=6, currency="USD"),
            300,
            "the maximum of a payment of agent S, 0.06 USD, would be above the daily maximum, 0.05 USD",
        ),
        (move("S", "T"), 300, "agent S has an account in USD and T has none: who has one, all above it have"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(command: Instruct, code: int, reason: str):
    state = two_currencies()
    for more in (open_agent("T", "A"), open_agent("X", "A"), close("X"), open_agent("P", "S", funding="shared")):
        decided(state, more)
    entry = decided(state, command)
    assert (entry.kind, entry.refusal, entry.reason) == (EntryKind.REFUSED, code, reason)


def test_an_agent_has_ten_currencies_and_no_more():
    state = a_tree()
    for currency in TOKYO:
        assert decided(state, open_currency("A", currency)).kind is EntryKind.CURRENCY_OPENED
    refused = decided(state, open_currency("A", "USD"))
    assert refused.reason == f"agent A has accounts in {MAX_CURRENCIES} currencies; more than 10 are not kept"


def test_a_payment_in_a_currency_the_agent_has_not_is_declined_and_nothing_is_kept():
    state = two_currencies()
    decided(state, open_agent("T", "S"))
    entry = decided(state, abroad(agent="T", collected=10_000))
    assert (entry.kind, entry.refusal, entry.legs) == (EntryKind.DECLINED, Refusal.OTHER.code, ())
    assert entry.reason == "agent T has no account in USD, the payment's currency"


def test_each_currency_has_limits_and_days_of_its_own():
    state = two_currencies(money=500_000)
    decided(state, set_limit("S", None, daily_max=15_000, currency="USD", id="usd"))
    assert decided(state, abroad(1)).kind is EntryKind.HELD
    refused = decided(state, abroad(2))
    assert refused.refusal == Refusal.DAILY_LIMIT.code
    assert refused.reason == "agent S sold 100.00 USD of at most 150.00 USD on 2026-01-01"
    assert decided(state, a_place(number=3)).kind is EntryKind.HELD  # 950.00 RUB
    agents = state.books["A"]
    assert [one.sold_day for one in (agents.agents["S"], agents.agents_in("USD")["S"])] == [95_000, 10_000]
    decided(state, a_settle("kiosk-1.1", verdict=a_settle().outcome.verdict.FATAL, code="5"))
    assert agents.agents_in("USD")["S"].sold_day == 0


def test_an_overdraft_in_dollars_is_no_overdraft_in_roubles():
    state = two_currencies(dollars=100)
    decided(state, set_limit("S", 20_000, currency="USD", id="usd"))
    assert state.books["A"].agents["S"].overdraft == 0
    assert decided(state, abroad()).kind is EntryKind.HELD
    assert state.books["A"].agents_in("USD")["S"].available == 100 + 20_000 - 10_100


def test_permitted_payees_and_standing_are_the_agents_in_every_currency():
    state = two_currencies()
    decided(state, set_limit("S", None, payees=("mobile",)))
    assert decided(state, abroad(1)).refusal == Refusal.PAYEE_UNAVAILABLE.code
    decided(state, set_limit("S", None, payees=("abroad",), currency="USD", id="in-dollars"))
    assert decided(state, a_place(number=2)).refusal == Refusal.PAYEE_UNAVAILABLE.code
    decided(state, block("A"))
    assert decided(state, abroad(3)).reason == "agent A, above S, is blocked"
    decided(state, unblock("A"))
    assert decided(state, abroad(4)).kind is EntryKind.HELD


def test_who_waits_for_dollars_does_not_stand_in_the_way_of_roubles():
    state = two_currencies(dollars=1)
    assert decided(state, abroad(1, collected=10_000)).kind is EntryKind.WAITING_FUNDS
    assert decided(state, a_place(number=2)).kind is EntryKind.HELD
    assert decided(state, a_withdrawal("S", 1)).kind is EntryKind.WITHDRAWN
    assert decided(state, a_withdrawal("S", 1, currency="USD", id="usd")).reason == (
        "1 payments whose cash is taken wait for the money of S first"
    )
    assert [one.kind for one in performed(state, a_deposit("S", 10**6, id="roubles"))] == [EntryKind.DEPOSITED]
    dollars = performed(state, a_deposit("S", 20_000, currency="USD", id="more"))
    assert [one.kind for one in dollars] == [EntryKind.DEPOSITED, EntryKind.HELD]


def test_what_waited_for_dollars_is_held_within_the_limit_in_dollars_of_then():
    state = two_currencies(dollars=1)
    decided(state, abroad(1, collected=10_000))
    decided(state, set_limit("S", None, daily_max=9_999, currency="USD"))
    _, entry = performed(state, a_deposit("S", 20_000, currency="USD", id="more"))
    assert (entry.kind, entry.refusal) == (EntryKind.DECLINED, Refusal.DAILY_LIMIT.code)


def test_a_line_in_one_currency_stays_strict():
    state = two_currencies(dollars=5_000)
    decided(state, abroad(1, collected=10_000))
    assert decided(state, abroad(2, amount=10, collected=10)).kind is EntryKind.WAITING_FUNDS
    declined = decided(state, abroad(3, amount=10))
    assert (declined.refusal, declined.reason) == (
        220, "payments whose cash is taken wait for the money of S first: 2"
    )  # fmt: skip


def test_change_in_dollars_is_handed_out_in_dollars_by_who_has_them():
    state = two_currencies()
    code = "0" * 32
    decided(state, open_agent("T", "S"))
    decided(state, abroad(1, collected=10_500, change_to=mark_of(code)))
    assert balances(state, currency="USD")[f"change:{mark_of(code)}"] == 500
    by_t = decided(state, a_pay_out(code, "T", 500, currency="USD"))
    assert by_t.reason == "agent T is in RUB, the change is in USD"
    assert decided(state, a_pay_out(code, "S", 500, currency="RUB", id="r")).kind is EntryKind.REFUSED
    assert decided(state, a_pay_out(code, "S", 500, currency="USD", id="u")).kind is EntryKind.CHANGE_PAID_OUT


def test_an_agent_is_closed_only_when_it_has_nothing_in_any_currency():
    state = two_currencies(dollars=7, money=0)
    assert decided(state, close("S")).reason == "agent S has 0.07 USD; it must have nothing"
    decided(state, a_withdrawal("S", 7, currency="USD"))
    assert decided(state, close("S", id="again")).kind is EntryKind.AGENT_CLOSED
    assert {one.status for one in state.books["A"].purses("S")} == {"closed"}


def test_a_sub_agent_moves_with_all_its_currencies():
    state = two_currencies()
    for command in (open_agent("T", "A"), open_currency("T"), move("S", "T")):
        assert decided(state, command).kind is not EntryKind.REFUSED
    assert [one.id for one in state.books["A"].chain("S", "USD")] == ["S", "T", "A"]
    assert [one.id for one in state.books["A"].chain("S")] == ["S", "T", "A"]


def test_a_shared_limit_spends_the_dollars_above():
    state = two_currencies(dollars=1, funding="shared")
    refused = decided(state, abroad(1))
    assert refused.refusal == Refusal.UPSTREAM_LACKS_FUNDS.code
    decided(state, a_deposit("A", 20_000, currency="USD", id="above"))
    assert decided(state, abroad(2)).payment.payer_agent == "A"  # type: ignore[union-attr]


def test_balances_are_shown_by_currency():
    state = two_currencies()
    book = state.books["A"]
    assert touched_agents(book, decided(state, abroad())) == {("S", "USD")}
    shown = balance_of(book, "S", AT, "USD")
    assert (shown.currency, shown.balance, shown.held) == ("USD", 39_900, 10_100)
    assert balance_of(book, "S", AT).currency == "RUB"
    assert touched_agents(book, decided(state, block("S"))) == {("S", "RUB"), ("S", "USD")}
    with pytest.raises(KeyError):
        balance_of(book, "S", AT, "EUR")


def test_the_live_table_keeps_its_keys_and_has_one_more_for_each_further_currency():
    state = two_currencies()
    outbox = Outbox(state)
    for command in (abroad(1), a_place(number=2), block("A")):
        outbox.entry(decided(state, command))
    shown = {
        one.key: Balance.model_validate_json(one.value or b"") for one in outbox.close() if one.topic == "balances"
    }
    assert {key: one.currency for key, one in shown.items()} == {
        b"A/S": "RUB", b"A/S/USD": "USD", b"A/A": "RUB", b"A/A/USD": "USD",
    }  # fmt: skip
    assert shown[b"A/A/USD"].status == "blocked"


def test_the_state_survives_an_image():
    state = two_currencies()
    for command in (abroad(1), abroad(2, amount=10**6, collected=10**6), set_limit("S", 5, currency="USD")):
        decided(state, command)
    images: TypeAdapter[StateImage] = TypeAdapter(StateImage)
    again = state_of(images.validate_json(orjson.dumps(image_of(state))))
    assert (again.books, again.waiting) == (state.books, state.waiting)


def test_a_limit_that_names_no_currency_is_the_command_it_was_before_there_were_several():
    was = set_limit("S", 5).command.model_dump(mode="json")
    del was["currency"]
    order = set_limit("S", 5).command
    assert order.digest() == SetLimit.model_validate_json(orjson.dumps(was)).digest()
    assert order.digest() != set_limit("S", 5, currency="USD").command.digest()
    assert order.digest() == "7907745507a158c23af4384aa4015574"


def _damaged(entry: Entry, **terms: Any) -> Entry:
    assert entry.agent is not None
    return replace(entry, agent=replace(entry.agent, **terms))


@pytest.mark.parametrize(
    ("place", "damage", "complaint"),
    [
        (3, lambda one: _damaged(one, currency="EUR"), "agent S is below A, not open in EUR"),
        (3, lambda one: _damaged(one, currency="RUB"), "agent S is opened in RUB"),
        (1, lambda one: _damaged(one, currency="USD"), "agent S is below A, not open in USD"),
        (4, lambda one: _damaged(one, currency="EUR"), "agent S has no EUR"),
    ],
)
def test_the_fold_refuses_accounts_that_nobody_opened(
    place: int, damage: Callable[[Entry], Entry], complaint: str
):  # fmt: skip
    log = log_of(
        open_agent("A"), open_agent("S", "A"), open_currency("A"), open_currency("S"), set_limit("S", 7, currency="USD")
    )
    state = folded(log[:place])
    with pytest.raises(LedgerCorrupt, match=complaint):
        evolve(state, damage(log[place]))


def a_move_without_dollars() -> list[Entry]:
    """S, who has dollars, is put below T, who has none: no rule lets it, so the last entry is made by hand."""
    *entries, blocked = log_of(
        open_agent("A"), open_agent("S", "A"), open_currency("A"), open_currency("S"), open_agent("T", "A"), block("S")
    )
    moved = _damaged(replace(blocked, kind=EntryKind.AGENT_MOVED), parent="T", status="open")
    return [*entries, moved]


def test_the_fold_and_the_audit_refuse_a_move_to_where_a_currency_is_not():
    entries = a_move_without_dollars()
    with pytest.raises(LedgerCorrupt, match="AGENT_MOVED puts S below T"):
        folded(entries)
    found = audited(entries)
    assert found["agents.currencies"].failures[0].endswith("agent S has an account in USD, and T above has none")


# --- what the audit finds


def a_ledger() -> list[Entry]:
    return log_of(
        open_agent("A"), open_agent("S", "A"), open_currency("A"), open_currency("S"),
        a_deposit("S", 500_000), a_deposit("S", 15_000, currency="USD", id="usd"),
        set_limit("S", None, daily_max=90_000, currency="USD"), a_place(number=1), abroad(2),
        abroad(3, collected=10_000), a_settle("kiosk-1.2"),
    )  # fmt: skip


def test_a_ledger_in_two_currencies_passes_the_audit():
    checks = audited(a_ledger())
    assert {name for name, one in checks.items() if not one.passed} == set()
    assert checks["agents.currencies"].looked_at == 5 + 9  # entries of terms, legs of agents and holds


def test_the_audit_finds_money_in_a_currency_that_was_not_opened():
    entries = [one for one in a_ledger() if not (one.kind is EntryKind.CURRENCY_OPENED and one.agent.agent == "S")]  # type: ignore[union-attr]
    assert {"agents.currencies", "core.fold"} <= failed(rechained(entries))


def test_the_audit_finds_a_limit_of_another_currency_in_force():
    """The most of a day in dollars is taken for that in roubles."""
    entries = [
        _damaged(one, currency="RUB") if one.kind is EntryKind.LIMIT_SET else one for one in a_ledger()
    ]  # fmt: skip
    assert "agents.limits" in failed(rechained(entries))


def test_the_audit_finds_dollars_sold_beyond_the_limit_in_dollars():
    entries = [_damaged(one, daily_max=9_999) if one.kind is EntryKind.LIMIT_SET else one for one in a_ledger()]
    assert failed(rechained(entries)) == {"agents.limits"}


def test_the_audit_finds_an_entry_that_mixes_currencies():
    entries = a_ledger()
    deposit = entries[5]
    bank = replace(deposit.legs[0], currency="RUB")
    entries[5] = replace(deposit, legs=(bank, *deposit.legs[1:]))
    assert {"ledger.zero", "ledger.exchanges"} <= failed(rechained(entries))


def test_an_entry_never_mixes_currencies_unseen_by_the_fold():
    log = a_ledger()
    deposit = log[5]
    legs = (Leg("bank", "RUB", -15_000, 2, -515_000), *deposit.legs[1:])
    with pytest.raises(LedgerCorrupt, match="do not sum to zero"):
        evolve(folded(log[:5]), replace(deposit, legs=legs))
