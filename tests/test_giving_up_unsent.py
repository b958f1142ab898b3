"""A payee that cannot be reached burns no tries: how long it is tried again is a matter of time, where there is one."""

from __future__ import annotations

import pytest

from schemas.entry import EntryKind
from schemas.gateway import RetrySchedule
from schemas.outcome import Verdict
from streams.ledger.perform import perform
from streams.ledger.state import State
from tests.builders import AT, a_deposit, a_place, a_retry, a_settle, a_tree, an_order, decided
from tests.builders_routes import a_payee_with, an_answer

HOUR = 3_600_000
PATIENT = RetrySchedule(interval_ms=60_000, factor_pct=130, budget=3, give_up_s=6 * 3_600)
NOT_SENT = Verdict.NOT_SENT


def course(state: State, retry: RetrySchedule, step: str = "check") -> list[tuple[EntryKind, int]]:
    """Away for good: every time it is due it cannot be asked. Each entry's kind and time since AT."""
    found, at = [], AT
    while True:
        entry = decided(state, a_settle(verdict=NOT_SENT, step=step, retry=retry), at)  # type: ignore[arg-type]
        found.append((entry.kind, at - AT))
        if not entry.due_at:
            return found
        at = entry.due_at


def test_hours_away_do_not_end_a_payment_that_may_wait_longer() -> None:
    state = a_tree()
    decided(state, a_place())
    kinds = course(state, PATIENT)
    assert len(kinds) > 10 > PATIENT.budget
    assert {kind for kind, _ in kinds[:-1]} == {EntryKind.DEFERRED}
    assert kinds[-1] == (EntryKind.VOIDED, 6 * HOUR)  # the last time it is tried is the moment it is given up


def test_after_an_unclear_attempt_it_stays_unknown_as_long_and_then_a_person_decides() -> None:
    state = a_tree()
    decided(state, a_place())
    decided(state, a_settle(verdict=Verdict.UNCLEAR, retry=PATIENT))
    kinds = course(state, PATIENT, "pay")
    assert {kind for kind, _ in kinds[:-1]} == {EntryKind.UNKNOWN}
    assert kinds[-1] == (EntryKind.MANUAL, 6 * HOUR)
    assert state.payments["kiosk-1.1"].tries == 1


@pytest.mark.parametrize(
    ("give_up_s", "kind", "after"),
    [(None, "MANUAL", 3), (600, "MANUAL", 3), (6 * 3_600, "UNKNOWN", 4)],
)
def test_a_payee_that_has_it_under_way_is_asked_as_often_as_the_budget_says(give_up_s, kind, after) -> None:
    """However short the time is in which what cannot be sent is given up."""
    retry = RetrySchedule(interval_ms=3_600_000, factor_pct=100, budget=3, give_up_s=give_up_s)
    state = a_tree()
    decided(state, a_place())
    decided(state, a_settle(verdict=Verdict.UNCLEAR, retry=retry))
    entries = []
    for hours in range(1, after + 1):
        told = a_settle(verdict=Verdict.UNCLEAR, step="status", code="status-50", retry=retry)
        entries.append(decided(state, told, AT + hours * HOUR))
    assert [entry.kind for entry in entries] == ["UNKNOWN"] * (after - 1) + [kind]
    assert entries[0].due_at == AT + 2 * HOUR
    assert ("no clear word" in entries[-1].reason) == (kind == "MANUAL")


def test_tries_are_bounded_by_the_budget_whatever_the_time() -> None:
    state = a_tree()
    decided(state, a_place())
    entries = [decided(state, a_settle(verdict=Verdict.UNCLEAR, retry=PATIENT), AT) for _ in range(PATIENT.budget)]
    assert [entry.kind for entry in entries] == ["UNKNOWN", "UNKNOWN", "MANUAL"]


def test_network_errors_between_tries_are_none() -> None:
    state, retry = a_tree(), a_retry(budget=3)
    decided(state, a_place())
    for _ in range(2):
        decided(state, a_settle(verdict=Verdict.UNCLEAR, retry=retry))
        for _ in range(2):
            entry = decided(state, a_settle(verdict=NOT_SENT, retry=retry))
            assert entry.kind == "UNKNOWN"
    assert state.payments["kiosk-1.1"].tries == 2


def test_time_counts_from_the_hold_of_what_waited_for_its_money() -> None:
    state = a_tree(money=0)
    decided(state, a_place(collected=100_000))
    perform(state, a_deposit("S", 200_000), AT + 5 * HOUR)
    later = AT + 6 * HOUR
    assert decided(state, a_settle(verdict=NOT_SENT, step="check", retry=PATIENT), later).kind == "DEFERRED"


def test_routes_are_gone_round_until_it_is_given_up() -> None:
    state = a_tree()
    decided(state, a_place(an_order(), payee=a_payee_with("a", "b")))
    at, kinds = AT, []
    while True:
        entry = decided(state, an_answer(retry=PATIENT), at)
        kinds.append(entry.kind)
        if entry.kind != EntryKind.REROUTED:
            break
        at = entry.due_at or at
    assert set(kinds[:-1]) == {EntryKind.REROUTED}
    assert (kinds[-1], at) == (EntryKind.VOIDED, AT + 6 * HOUR)
    assert len(kinds) > 20  # each route had its turn in every round


@pytest.mark.parametrize(("budget", "unsent", "spent"), [(3, 2, False), (3, 3, True)])
def test_without_a_time_the_budget_bounds_it_as_it_always_did(budget: int, unsent: int, spent: bool) -> None:
    assert a_retry(budget=budget).is_spent(unsent, AT, AT + 10**9) == spent


def test_records_of_old_are_written_as_they_were() -> None:
    assert "give_up_s" not in RetrySchedule().model_dump()
    assert RetrySchedule(give_up_s=60).model_dump()["give_up_s"] == 60


def test_a_long_wait_is_worked_out_at_once() -> None:
    assert RetrySchedule(interval_ms=10, factor_pct=101, budget=100, give_up_s=60).after(10**9) == 10  # no floats
    assert RetrySchedule(interval_ms=60_000, factor_pct=1_000).after(10**9) == 86_400_000
