"""The audit against routes: a sound ledger passes, and each way in which a route can be wrong is found and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from schemas.entry import Entry, EntryKind
from schemas.outcome import Verdict
from streams.ledger.state import State
from tests.audit_ledgers import audited, failed
from tests.builders import a_deposit, a_place, a_settle, decided, open_agent
from tests.builders_routes import a_payee_with, an_answer


def a_ledger() -> list[Entry]:
    """b lets it go after a, and c pays it."""
    state = State(0)
    commands = [
        open_agent("A"),
        open_agent("S", "A"),
        a_deposit("S", 1_000_000),
        a_place(payee=a_payee_with("a", "b", "c")),
        an_answer(Verdict.NOT_SENT, code="connect"),
        an_answer(Verdict.FATAL, code="243"),
        a_settle(),
    ]
    return [decided(state, command) for command in commands]


def changed(entry: Entry, **facts: object) -> Entry:
    assert entry.payment is not None
    return replace(entry, payment=replace(entry.payment, **facts))  # type: ignore[arg-type]


FIRST, SECOND, POSTED = 4, 5, 6
WRONG: dict[str, tuple[int, Callable[[Entry], Entry], str]] = {
    "tries": (FIRST, lambda one: replace(one, tries=1), "after 1 tries"),
    "unclear pay": (
        FIRST,
        lambda one: replace(one, outcome=replace(one.outcome, verdict=Verdict.UNCLEAR, step="pay")),  # type: ignore[type-var]
        "the payee may have been paid",
    ),
    "no answer": (FIRST, lambda one: replace(one, outcome=None), "the payee may have been paid"),
    "to a stranger": (FIRST, lambda one: changed(one, gateway="z"), "is rerouted to z"),
    "forgets": (SECOND, lambda one: changed(one, rerouted_from=("b",)), "is rerouted to c"),
    "invents": (FIRST, lambda one: changed(one, routes=("c", "a", "z")), "got a route that it had not"),
    "silently": (POSTED, lambda one: changed(one, gateway="a"), "went by gateway c, and now by a"),
    "from unknown": (FIRST, lambda one: replace(one, kind=EntryKind.UNKNOWN, tries=1), "rerouted when it is UNKNOWN"),
}


def test_a_ledger_with_changed_routes_is_sound() -> None:
    assert failed(a_ledger()) == set()
    assert audited(a_ledger())["payments.routes"].looked_at == 4


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_route_is_found(what: str) -> None:
    place, change, says = WRONG[what]
    log = a_ledger()
    log[place] = change(log[place])
    check = audited(log)["payments.routes"]
    assert any(says in failure for failure in check.failures), check.failures


def test_another_fact_than_the_route_may_not_change_with_it() -> None:
    log = a_ledger()
    log[FIRST] = changed(log[FIRST], amount=1, held=2)
    assert "payments.facts" in failed(log)
