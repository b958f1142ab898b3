"""Periodic fees of agents: each period once, in order, whoever fires the timer, and for the right sum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import orjson
import pytest
from pydantic import TypeAdapter, ValidationError

from agents.billing import AT_ONCE, BillingClock
from console.plans import payers
from schemas.alert import AlertKind
from schemas.contact import Contact
from schemas.entry import Entry, EntryKind
from schemas.ids import instant_ms
from schemas.period import earlier, first_day, following, kind_of, period_of
from schemas.plan import Plan
from streams.clock import Clock
from streams.directory import Directory
from streams.ledger.balances import balance_of
from streams.ledger.commands import FeeDue, Instruct, LedgerCommand
from streams.ledger.decide import decide
from streams.ledger.decisions import Stale
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.image import StateImage, image_of, state_of
from streams.ledger.replies import replies_to
from streams.ledger.state import State
from streams.settings import Settings
from streams.watch import Watch
from tests.audit_ledgers import audited, failed, rechained
from tests.builders import (
    AT,
    NOW,
    a_deposit,
    a_place,
    a_public_key,
    a_terminal,
    a_tree,
    balances,
    block,
    decided,
    folded,
    legs,
    open_agent,
    performed,
    window_due,
)
from tests.builders_currency import open_currency
from tests.builders_fees import DIGEST, a_plan, fee_due, set_plan


def moment(text: str) -> int:
    return instant_ms(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("period", "kind", "begins", "next_one", "two_before"),
    [
        ("2026-11", "month", "2026-11-01", "2026-12", "2026-09"),
        ("2026-12", "month", "2026-12-01", "2027-01", "2026-10"),
        ("2026-01", "month", "2026-01-01", "2026-02", "2025-11"),
        ("2026-W53", "week", "2026-12-28", "2027-W01", "2026-W51"),
        ("2027-W01", "week", "2027-01-04", "2027-W02", "2026-W52"),
        ("2028-02-28", "day", "2028-02-28", "2028-02-29", "2028-02-26"),
        ("2026-12-31", "day", "2026-12-31", "2027-01-01", "2026-12-29"),
        ("0226-01", "month", "0226-01-01", "0226-02", "0225-11"),  # a slip of the pen sorts before all of today too
        ("0226-W01", "week", "0226-01-02", "0226-W02", "0225-W51"),
    ],
)
def test_periods_follow_each_other(period: str, kind: str, begins: str, next_one: str, two_before: str) -> None:
    assert (kind_of(period), first_day(period)) == (kind, begins)
    assert (following(period), earlier(period, 2)) == (next_one, two_before)
    assert period_of(first_day(period), kind_of(period)) == period
    assert earlier(period, 2) < period < following(period)


def test_the_year_of_a_week_is_not_always_the_days() -> None:
    assert period_of("2027-01-03", "week") == "2026-W53"


def test_a_period_is_charged_with_a_fixed_fee_and_one_per_terminal() -> None:
    state = a_tree()
    entry = decided(state, fee_due())
    assert (entry.kind, entry.cause.id, entry.cause.by) == (EntryKind.FEE_CHARGED, "fee/service/S/2026-01", "timer")
    assert legs(entry) == [("agent:S", -21_000), ("agent-fees", 21_000)]
    assert entry.charge is not None
    assert (entry.charge.period, entry.charge.terminals, entry.charge.amount) == ("2026-01", 2, 21_000)
    assert (entry.charge.plan_digest, entry.document) == (DIGEST, "service, 2026-01, agent S")
    assert replies_to(entry) == []


def test_it_is_charged_once_and_in_order_whoever_fires() -> None:
    state, february = a_tree(), moment("2026-02-01T00:00:00")
    decided(state, fee_due(), february)
    for command in fee_due(), fee_due("2026-03"), fee_due("2025-12"), fee_due("2026-W06"):
        assert isinstance(decide(state, command, february), Stale)
    decided(state, fee_due("2026-02"), february)
    assert isinstance(decide(state, fee_due("2026-03"), february), Stale)  # it has not begun
    assert balances(state)["agent-fees"] == 42_000


def test_a_period_begins_by_the_trees_calendar() -> None:
    state = State(0)
    decided(state, open_agent("A", time_zone="Asia/Tokyo"))
    before = moment("2026-01-31T14:59:59")
    command = fee_due("2026-02", "A", since="2026-02")
    assert isinstance(decide(state, command, before), Stale)
    assert decided(state, command, before + 1_000).kind is EntryKind.FEE_CHARGED


def test_who_spends_anothers_money_is_charged_to_that_one() -> None:
    state = a_tree(funding="shared")
    entry = decided(state, fee_due())
    assert entry.charge is not None
    assert (entry.charge.agent, entry.charge.payer) == ("S", "A")
    assert legs(entry)[0] == ("agent:A", -21_000)


def test_it_is_charged_whatever_the_balance_and_then_nothing_is_sold() -> None:
    state = a_tree(money=20_000)
    watch = Watch(Settings(), 0, {"A/S": Contact(id="A/S", low_balance=1_000)})
    alerts = watch.entry(state, decided(state, fee_due()))
    assert balances(state)["agent:S"] == -1_000
    assert [one.kind for one in alerts] == [AlertKind.LOW_BALANCE]
    entry = decided(state, a_place(amount=100, fee=0, tariff=None))
    assert (entry.kind, entry.refusal) == (EntryKind.DECLINED, 220)


def test_a_fee_of_nothing_is_charged_too_and_moves_nothing() -> None:
    entry = decided(a_tree(), fee_due(fixed=0, terminals=0))
    assert (entry.kind, entry.legs) == (EntryKind.FEE_CHARGED, ())


def test_who_is_blocked_is_charged_who_is_closed_unknown_or_has_other_money_is_not() -> None:
    state = a_tree()
    decided(state, block("S"))
    decided(state, fee_due())
    agent = state.books["A"].agents["S"]
    agent.take(replace(agent.terms, status="closed"))
    for command in fee_due(plan="line"), fee_due(agent="nobody"), fee_due(tree="B"), fee_due(agent="A", currency="USD"):
        assert isinstance(decide(state, command, AT), Stale)


def test_fees_are_the_operators_income_in_the_trees_window() -> None:
    state = a_tree()
    decided(state, fee_due())
    window = decided(state, window_due()).window
    assert window is not None
    assert [one.closing for one in window.positions if one.account == "agent-fees"] == [21_000]


# --- the plan's record


@pytest.mark.parametrize(
    "changes",
    [
        {"fixed": 0, "per_terminal": 0},
        {"fixed": -1},
        {"period": "year"},
        {"agents": ("S", "S")},
        {"currency": "XXX"},
        {"id": "a.b"},
        {"agents": tuple(f"S{n}" for n in range(201))},
    ],
    ids=str,
)
def test_a_plan_that_cannot_be_is_none(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        a_plan(**changes)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"tree": "B"}, "plan service has tree A, which stays; set another plan"),
        ({"period": "week"}, "plan service has period month, which stays; set another plan"),
    ],
)
def test_a_plan_stays_with_its_tree_and_its_kind_of_period(changes: dict[str, object], why: str) -> None:
    state = State(0)
    entry = decided(state, set_plan())
    assert (entry.book, entry.kind) == ("plans/service", EntryKind.DIRECTORY_SET)
    refused = decided(state, set_plan(a_plan(**changes), "plan-2"))
    assert (refused.kind, refused.refusal, refused.reason) == (EntryKind.REFUSED, 300, why)
    assert decided(state, set_plan(a_plan(fixed=1, is_paused=True), "plan-3")).kind is EntryKind.DIRECTORY_SET


# --- the timer


class _OneTree:
    """The shards of a worker that has one partition open."""

    def __init__(self, state: State) -> None:
        self._state = state

    def state(self, partition: int) -> State | None:
        return self._state if partition == 0 else None


def due(state: State, plan: Plan, now: str, partition: int = 0) -> list[FeeDue]:
    directory = Directory()
    for name, agent in ("kiosk-1", "S"), ("kiosk-2", "S"), ("kiosk-3", "A"):
        directory.apply("terminals", name, a_terminal(name, agent).model_dump_json().encode())
    gone = a_terminal("kiosk-4", "S", keys=(a_public_key("kiosk-4:1", revoked_at=NOW),))
    turned = a_terminal("kiosk-1", "S", keys=(a_public_key(revoked_at=NOW), a_public_key("kiosk-1:2")))
    for one in gone, turned:
        directory.apply("terminals", one.id, one.model_dump_json().encode())
    clock = BillingClock(directory, _OneTree(state), Clock(Path("/nowhere")), 1)  # type: ignore[arg-type]
    return clock.due(plan, partition, moment(now))


def test_a_terminal_without_a_key_in_force_costs_nothing() -> None:
    """S has kiosk-1, whose first key was revoked, and kiosk-2; of kiosk-4 there is no other key."""
    assert {one.agent: one.terminals for one in due(a_tree(), a_plan(), "2026-01-02T00:00:00")} == {"A": 1, "S": 2}


def test_every_agent_is_due_its_oldest_period_until_all_that_began_are_charged() -> None:
    state, plan = a_tree(), a_plan()
    course = []
    while asked := due(state, plan, "2026-03-10T00:00:00"):
        for command in asked:
            entry = decided(state, command, moment("2026-03-10T00:00:00"))
            course.append((command.period, command.agent, entry.charge.amount if entry.charge else None))
    assert course == [
        (month, agent, amount)
        for month in ("2026-01", "2026-02", "2026-03")
        for agent, amount in (("A", 18_000), ("S", 21_000))
    ]
    assert due(state, plan, "2026-03-31T23:59:59") == []
    assert [one.period for one in due(state, plan, "2026-04-01T00:00:00")] == ["2026-04", "2026-04"]
    assert {one.plan_digest for one in due(state, plan, "2026-04-01T00:00:00")} == {plan.digest()}


def test_what_is_due_begins_with_the_plan_the_agent_or_two_years_ago() -> None:
    state = a_tree()  # opened on the first of January 2026
    assert {one.period for one in due(state, a_plan(starts=date(2020, 5, 1)), "2026-02-01T00:00:00")} == {"2026-01"}
    assert {one.period for one in due(state, a_plan(starts=date(2026, 3, 9)), "2026-04-01T00:00:00")} == {"2026-03"}
    assert due(state, a_plan(starts=date(2026, 3, 9)), "2026-02-01T00:00:00") == []
    assert {one.period for one in due(state, a_plan(), "2030-12-01T00:00:00")} == {"2029-01"}
    decided(state, open_agent("T", "A"), moment("2026-06-15T00:00:00"))
    assert {one.agent: one.period for one in due(state, a_plan(agents=("T",)), "2026-08-01T00:00:00")} == {
        "T": "2026-06"
    }


def test_who_has_an_account_in_the_plan_s_currency_since_later_owes_nothing_for_before() -> None:
    state, dollars = a_tree(), a_plan(currency="USD")
    decided(state, open_currency("A"), moment("2026-06-15T00:00:00"))
    for there in state, state_of(image_of(state)):
        assert [(one.agent, one.period) for one in due(there, dollars, "2026-08-01T00:00:00")] == [("A", "2026-06")]
        assert {one.period for one in due(there, a_plan(), "2026-08-01T00:00:00")} == {"2026-01"}


def test_a_plan_is_explained_by_the_account_it_is_charged_to() -> None:
    state = a_tree()
    decided(state, open_currency("A"))
    book = state.books["A"]
    everyone = [balance_of(book, agent, AT, one.currency) for agent in "AS" for one in book.purses(agent)]
    found = payers(a_plan(currency="USD"), everyone)
    assert [(one.agent, one.currency) for one in found] == [("A", "USD"), ("S", "RUB")]
    assert [(one.agent, one.currency) for one in payers(a_plan(agents=("A",)), everyone)] == [("A", "RUB")]


def test_nothing_is_due_of_trees_of_others_of_paused_plans_and_of_who_cannot_be_charged() -> None:
    state, now = a_tree(), "2026-02-01T00:00:00"
    assert due(state, a_plan(tree="B"), now) == due(state, a_plan(is_paused=True), now) == []
    assert due(state, a_plan(currency="USD"), now) == due(state, a_plan(), now, partition=1) == []
    assert due(state, a_plan(agents=("nobody",)), now) == []
    assert [one.agent for one in due(state, a_plan(agents=("S",)), now)] == ["S"]


def test_at_most_so_many_are_charged_at_once() -> None:
    state = a_tree()
    for number in range(AT_ONCE):
        decided(state, open_agent(f"S{number}", "A"))
    assert len(due(state, a_plan(), "2026-01-02T00:00:00")) == AT_ONCE


# --- the fold and the audit


def _a_ledger() -> list[Entry]:
    state, entries, at = State(0), list[Entry](), moment("2026-02-02T00:00:00")
    commands: tuple[LedgerCommand | Instruct, ...] = (
        open_agent("A"), open_agent("S", "A", funding="shared"), open_agent("T", "S"), a_deposit("A", 500_000),
        fee_due(), fee_due("2026-02"), fee_due(agent="T", plan="desk", since="2026-W05", period="2026-W05"),
        fee_due(agent="A", plan="day", since="2026-02-01", period="2026-02-01"),
        fee_due(agent="T", fixed=0, terminals=0),
    )  # fmt: skip
    for command in commands:
        entries += performed(state, command, at)
    return entries


def _charge(**changes: object) -> Callable[[Entry], Entry]:
    return lambda entry: replace(entry, charge=replace(entry.charge, **changes))  # type: ignore[arg-type,type-var]


# What was done to the second fee of S, for February, and what the audit says of it.
BROKEN: dict[str, tuple[Callable[[Entry], Entry], str]] = {
    "again": (_charge(period="2026-01"), "charged agent S for 2026-01, after 2026-01"),
    "a gap": (_charge(period="2026-03"), "charged agent S for 2026-03, and 2026-02 was next"),
    "too early": (_charge(period="2026-03", since="2026-03"), "charged agent S for 2026-03 on 2026-02-02"),
    "the amount": (_charge(amount=1), "costs agent S 21000 RUB, says 1"),
    "the terminals": (_charge(terminals=3), "costs agent S 24000 RUB, says 21000"),
    "the payer": (_charge(payer="S"), "charged S for agent S, which spends the money of A"),
    "an agent": (_charge(agent="nobody"), "charged nobody, which is no agent at work"),
    "no fee": (lambda entry: replace(entry, charge=None), "names no fee"),
    "the legs": (lambda entry: replace(entry, legs=()), "costs agent S 21000 RUB"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_the_audit_finds_a_fee_that_is_not_right(what: str) -> None:
    entries = _a_ledger()
    assert failed(entries) == set()
    assert audited(entries)["agents.fees"].looked_at == 5
    change, told = BROKEN[what]
    at = next(n for n, entry in enumerate(entries) if entry.charge and entry.charge.period == "2026-02")
    check = audited(rechained([*entries[:at], change(entries[at]), *entries[at + 1 :]]))["agents.fees"]
    assert any(told in failure for failure in check.failures), check.failures


def test_the_fold_refuses_a_period_that_was_charged() -> None:
    entries = _a_ledger()
    at = next(n for n, entry in enumerate(entries) if entry.charge and entry.charge.period == "2026-02")
    with pytest.raises(LedgerCorrupt, match="plan service charged agent S for 2026-01 already, not for 2026-01"):
        folded([*entries[:at], _charge(period="2026-01")(entries[at])])


def test_what_was_charged_and_when_agents_were_opened_goes_into_a_snapshot() -> None:
    state = folded(_a_ledger())
    images = TypeAdapter(StateImage)
    again = state_of(images.validate_json(orjson.dumps(image_of(state))))
    assert again.books["A"].charged == state.books["A"].charged
    assert again.books["A"].agents["T"].opened_at == moment("2026-02-02T00:00:00")
    assert isinstance(decide(again, fee_due("2026-02"), moment("2026-02-03T00:00:00")), Stale)
