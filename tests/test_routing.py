"""Routes: which gateway a payment goes by first, and which one next. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product

import pytest

from schemas.entry import Entry, EntryKind
from schemas.ids import ms_instant
from schemas.outcome import Verdict
from schemas.payee import Payee
from streams.ledger.commands import LedgerCommand
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.evolve import evolve
from streams.ledger.image import image_of, state_of
from streams.ledger.routing import choose
from streams.ledger.state import State
from tests.builders import (
    AT,
    a_deposit,
    a_payee,
    a_place,
    a_resolve,
    a_retry,
    a_settle,
    a_tree,
    an_order,
    decided,
    folded,
    open_agent,
)  # fmt: skip
from tests.builders_routes import a_payee_with, a_route, an_answer

HOUR = 3_600_000
PAID, FATAL, UNCLEAR, NOT_SENT = Verdict.PAID, Verdict.FATAL, Verdict.UNCLEAR, Verdict.NOT_SENT


# --- choosing


def test_without_routes_it_is_the_payees_gateway() -> None:
    assert choose(a_payee(), "kiosk-1.1", AT) == ("osmp-1",)


def test_the_lowest_priority_goes_first_and_the_others_follow() -> None:
    assert choose(a_payee_with(a_route("b", 7), a_route("a", 2), a_route("c", 9)), "kiosk-1.1", AT) == ("a", "b", "c")


def test_each_gets_its_share_and_always_of_the_same_payments() -> None:
    payee = a_payee_with(a_route("a", share=70), a_route("b", share=20), a_route("c", share=10))
    chosen = [choose(payee, f"kiosk-1.{n}", AT) for n in range(10_000)]
    first = Counter(gateways[0] for gateways in chosen)
    assert [round(first[one] / 1_000) for one in "abc"] == [7, 2, 1]
    assert all(sorted(gateways) == ["a", "b", "c"] for gateways in chosen)
    assert chosen == [choose(payee, f"kiosk-1.{n}", AT + n) for n in range(10_000)]
    second = Counter(gateways[1] for gateways in chosen if gateways[0] == "a")
    assert round(second["b"] / second["c"], 1) == pytest.approx(2, abs=0.3)


def test_what_does_not_work_comes_last_and_the_shares_of_the_others_stay_theirs() -> None:
    payee = a_payee_with(a_route("a"), a_route("b"), a_route("c"), a_route("d", 2))
    for n in range(200):
        well, ill = choose(payee, f"k.{n}", AT), choose(payee, f"k.{n}", AT, frozenset({"a", "d"}))
        assert ill == (*[one for one in well if one in "bc"], *[one for one in well if one in "ad"])
    assert choose(payee, "k.1", AT, frozenset("abcd"))[-1] == "d"  # all ill: as if all were well


# AT is a Thursday's first instant in UTC, and three in the morning in Moscow.
BANDS = [
    ({}, "UTC", True),
    ({"weekdays": ("thu",)}, "UTC", True),
    ({"weekdays": ("wed", "fri")}, "UTC", False),
    ({"begins": "03:00", "ends": "03:01"}, "Europe/Moscow", True),
    ({"begins": "03:01", "ends": "24:00"}, "Europe/Moscow", False),
    ({"begins": "22:00", "ends": "06:00", "weekdays": ("wed",)}, "Europe/Moscow", True),  # the night of Wednesday
    ({"begins": "22:00", "ends": "06:00", "weekdays": ("thu",)}, "Europe/Moscow", False),
    ({"weekdays": ("wed",)}, "America/New_York", True),
]


@pytest.mark.parametrize(("band", "zone", "is_open"), BANDS)
def test_a_route_is_taken_in_its_time_of_the_payees_week(band: dict[str, object], zone: str, is_open: bool) -> None:
    payee = a_payee_with(a_route("day", **band), time_zone=zone)
    assert choose(payee, "kiosk-1.1", AT) == (("day",) if is_open else ("osmp-1",))


def test_a_gateway_with_two_routes_is_asked_once() -> None:
    payee = a_payee_with(a_route("a", 1, weekdays=("thu",)), a_route("b", 2), a_route("a", 3))
    assert choose(payee, "kiosk-1.1", AT) == ("a", "b")
    assert choose(payee, "kiosk-1.1", AT + 24 * HOUR) == ("b", "a")


def test_the_time_is_that_of_receipt_and_not_the_terminals() -> None:
    payee = a_payee_with(a_route("day", begins="09:00", ends="18:00"))
    state = a_tree()
    entry = decided(state, a_place(payee=payee, made_at=ms_instant(AT - HOUR)), AT + 10 * HOUR)
    assert entry.payment is not None
    assert entry.payment.gateway == "day"


def test_too_long_a_line_is_as_good_as_no_gateway() -> None:
    payee = a_payee_with("a", "b")
    state = a_tree()
    gateways = []
    for n in range(1, 4):
        entry = decided(state, a_place(an_order(n, amount=100, fee=0), payee=payee, tariff=None, backlog_max=1))
        assert entry.payment is not None
        gateways.append((entry.kind, entry.payment.gateway, entry.refusal))
    assert gateways[:2] == [("HELD", "a", 0), ("HELD", "b", 0)]
    assert gateways[2][0] == "DECLINED"
    assert gateways[2][2] == 1  # both are full


def test_no_payee_has_no_gateway() -> None:
    entry = decided(a_tree(), a_place(payee=None))
    assert entry.payment is not None
    assert (entry.payment.gateway, entry.payment.routes) == ("", ())


# --- moving on


def held(payee: Payee | None = None) -> State:
    state = a_tree()
    decided(state, a_place(payee=payee or a_payee_with("a", "b", "c")))
    return state


def route(state: State) -> tuple[str, str, tuple[str, ...], tuple[str, ...]]:
    payment = state.payments["kiosk-1.1"]
    assert payment.facts is not None
    return payment.state.value, payment.facts.gateway, payment.facts.routes, payment.facts.rerouted_from


@pytest.mark.parametrize("answer", [(NOT_SENT, "check"), (NOT_SENT, "pay"), (UNCLEAR, "check")])
def test_what_could_not_be_asked_goes_to_the_next_and_stays_in_line(answer: tuple[Verdict, str]) -> None:
    state = held()
    entry = decided(state, an_answer(*answer))
    assert (entry.kind, entry.tries, entry.legs, entry.due_at) == ("REROUTED", 0, (), 0)
    assert route(state) == ("HELD", "b", ("c", "a"), ("a",))
    assert state.backlog == {"b": 1}


def test_the_gateways_own_trouble_ends_its_route_and_the_payees_word_the_payment() -> None:
    state = held()
    decided(state, an_answer(FATAL, code="243"))
    assert route(state) == ("HELD", "b", ("c",), ("a",))
    entry = decided(state, an_answer(FATAL, code="5"))
    assert (entry.kind, entry.refusal) == ("VOIDED", 5)


def test_the_last_route_is_treated_as_the_only_one() -> None:
    state = held()
    for gateway in "bc":
        decided(state, an_answer(FATAL, code="8"))
        assert route(state)[1] == gateway
    entry = decided(state, an_answer(FATAL, code="8"))
    assert (entry.kind, entry.refusal) == ("VOIDED", 8)


def test_after_a_round_of_all_routes_it_waits_as_long_as_the_schedule_says() -> None:
    state, retry = held(a_payee_with("a", "b")), a_retry(1_000, 200, budget=3)
    course = [decided(state, an_answer(retry=retry), AT) for _ in range(6)]
    assert [entry.kind for entry in course] == [*["REROUTED"] * 5, "VOIDED"]
    assert [entry.due_at and entry.due_at - AT for entry in course] == [0, 1_000, 0, 2_000, 0, 0]
    assert [entry.payment.gateway for entry in course[:-1] if entry.payment] == ["b", "a", "b", "a", "b"]
    assert "nothing was sent" in course[-1].reason


def test_the_payees_own_codes_are_a_matter_of_the_route() -> None:
    state = held()
    entry = decided(state, a_settle(verdict=FATAL, step="check", code="243"))  # dispatch knows of no technical code
    assert entry.kind == "VOIDED"


STEPS = ("check", "pay", "status")
SAFE = {(NOT_SENT, "check"), (NOT_SENT, "pay"), (UNCLEAR, "check"), (FATAL, "check")}


@pytest.mark.parametrize(("verdict", "step"), list(product(Verdict, STEPS)))
def test_only_answers_after_which_nothing_can_have_been_sent_reroute(verdict: Verdict, step: str) -> None:
    state = held()
    entry = decided(state, an_answer(verdict, step))
    assert (entry.kind == "REROUTED") == ((verdict, step) in SAFE)


@pytest.mark.parametrize(("verdict", "step"), list(product(Verdict, STEPS)))
@pytest.mark.parametrize("before", ["an unclear pay", "a worker before", "both"])
def test_after_something_may_have_been_sent_no_answer_reroutes(before: str, verdict: Verdict, step: str) -> None:
    """Law 6: never from UNKNOWN, never on another gateway."""
    state = held()
    if before != "a worker before":
        assert decided(state, an_answer(UNCLEAR, "pay")).kind == "UNKNOWN"
    entry = decided(state, an_answer(verdict, step, sent_before=before != "an unclear pay"))
    assert entry.kind != "REROUTED"
    assert entry.payment is not None
    assert entry.payment.gateway == "a"


def test_a_route_once_changed_survives_a_snapshot_and_the_posting() -> None:
    state = held()
    decided(state, an_answer())
    again = state_of(image_of(state))
    assert route(again) == route(state)
    decided(again, an_answer())
    decided(again, a_settle())
    assert route(again) == ("POSTED", "c", ("a", "b"), ("a", "b"))


def test_what_waited_for_its_money_keeps_the_route_of_its_receipt() -> None:
    state = a_tree(money=0)
    order = a_place(payee=a_payee_with("a", "b"), collected=100_000)
    assert decided(state, order).kind == "WAITING_FUNDS"
    assert route(state) == ("WAITING_FUNDS", "a", ("b",), ())


# --- the fold is no fool


@pytest.mark.parametrize("wrong", ["to a stranger", "with tries", "with another amount", "after a pay", "no answer"])
def test_the_fold_takes_no_other_change_for_a_new_route(wrong: str) -> None:
    log, state = _log_of(a_place(payee=a_payee_with("a", "b")), an_answer())
    entry = log[-1]
    assert entry.payment is not None
    changes: dict[str, object] = {
        "to a stranger": {"payment": replace(entry.payment, gateway="z")},
        "with tries": {"tries": 1},
        "with another amount": {"payment": replace(entry.payment, amount=1)},
        "after a pay": {"outcome": replace(entry.outcome, verdict=UNCLEAR, step="pay")},
        "no answer": {"outcome": None},
    }[wrong]  # type: ignore[assignment]
    with pytest.raises(LedgerCorrupt):
        evolve(folded(log[:-1]), replace(entry, **changes))  # type: ignore[arg-type]
    assert state.payments["kiosk-1.1"].state is EntryKind.HELD


def test_the_fold_takes_no_new_route_after_an_unclear_attempt() -> None:
    log, _ = _log_of(a_place(payee=a_payee_with("a", "b")), an_answer())
    unclear, state = _log_of(a_place(payee=a_payee_with("a", "b")), an_answer(UNCLEAR, "pay"))
    with pytest.raises(LedgerCorrupt):
        evolve(folded(unclear), replace(log[-1], seq=state.books["A"].seq + 1))


def _log_of(*commands: LedgerCommand) -> tuple[list[Entry], State]:
    state = State(0)
    first = (open_agent("A"), open_agent("S", "A"), a_deposit("S", 200_000))
    return [decided(state, command) for command in (*first, *commands)], state


def test_an_operator_ends_what_was_rerouted_like_anything_else() -> None:
    state = held()
    decided(state, an_answer())
    decided(state, an_answer(UNCLEAR, "pay", retry=a_retry(budget=1)))
    assert route(state)[0] == "MANUAL"
    assert decided(state, a_resolve(paid=False)).kind == "VOIDED"
