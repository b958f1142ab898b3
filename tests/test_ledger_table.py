"""Every state of a payment against everything that can be asked about one: a transition or a refusal, never a gap."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.entry import FINAL, EntryKind
from schemas.outcome import Verdict
from streams.ledger.commands import LedgerCommand, Rouse
from streams.ledger.decisions import Conflict, Duplicate, Stale
from streams.ledger.evolve import MAY_FOLLOW
from streams.ledger.perform import perform
from streams.ledger.state import State
from tests.builders import (
    AT,
    a_deposit,
    a_place,
    a_resolve,
    a_retry,
    a_send,
    a_settle,
    a_tree,
    a_withdrawal,
    block,
    close,
    decided,
    set_limit,
)
from tests.builders_cash import a_collection
from tests.builders_correction import a_correction
from tests.builders_currency import open_currency
from tests.builders_offline import place_offline
from tests.builders_reversal import a_cancel, a_reversal

DOCS = Path(__file__).parent.parent / "docs"
PAYMENT = "kiosk-1.1"
ONCE = a_retry(budget=1)


def _held(*commands: LedgerCommand) -> Callable[[], State]:
    def make() -> State:
        state = a_tree()
        for command in (a_place(), *commands):
            decided(state, command)
        return state

    return make


def _waiting() -> State:
    state = a_tree(money=1)
    decided(state, a_place(collected=100_000))
    return state


def _declined() -> State:
    state = a_tree(money=1)
    decided(state, a_place())
    return state


def _queued() -> State:
    state = a_tree()
    perform(state, place_offline(payee="mobile"), AT)
    return state


STATES: dict[str, Callable[[], State]] = {
    "WAITING_FUNDS": _waiting,
    "DECLINED": _declined,
    "HELD": _held(),
    "SENT": _held(a_send()),
    "QUEUED": _queued,
    "UNKNOWN": _held(a_settle(verdict=Verdict.UNCLEAR)),
    "MANUAL": _held(a_settle(verdict=Verdict.UNCLEAR, retry=ONCE)),
    "POSTED": _held(a_settle()),
    "VOIDED": _held(a_settle(verdict=Verdict.FATAL, step="check", code="5")),
    "REVERSING": _held(a_settle(), a_reversal()),
    "REVERSING, unclear": _held(a_settle(), a_reversal(), a_cancel(verdict=Verdict.UNCLEAR)),
    "REVERSAL_MANUAL": _held(a_settle(), a_reversal(), a_cancel(verdict=Verdict.UNCLEAR, retry=ONCE)),
    "REVERSED": _held(a_settle(), a_reversal(), a_cancel()),
}
PAID_CHECK = a_settle(verdict=Verdict.PAID, step="check")
COMMANDS: dict[str, LedgerCommand] = {
    "paid": a_settle(),
    "paid to a check": PAID_CHECK,
    "fatal": a_settle(verdict=Verdict.FATAL, code="5"),
    "fatal to a check": a_settle(verdict=Verdict.FATAL, step="check", code="5"),
    "fatal to a status": a_settle(verdict=Verdict.FATAL, step="status", code="5"),
    "paid to a status": a_settle(verdict=Verdict.PAID, step="status"),
    "absent to a status": a_settle(verdict=Verdict.ABSENT, step="status"),
    "unclear": a_settle(verdict=Verdict.UNCLEAR),
    "unclear, the last": a_settle(verdict=Verdict.UNCLEAR, retry=ONCE),
    "unclear to a check": a_settle(verdict=Verdict.UNCLEAR, step="check"),
    "unclear to a check, the last": a_settle(verdict=Verdict.UNCLEAR, step="check", retry=ONCE),
    "not sent": a_settle(verdict=Verdict.NOT_SENT),
    "not sent, the last": a_settle(verdict=Verdict.NOT_SENT, retry=ONCE),
    "unclear, and no more to be asked": a_settle(verdict=Verdict.UNCLEAR, is_last=True),
    "not sent, and no more to be asked": a_settle(verdict=Verdict.NOT_SENT, step="status", is_last=True),
    "a pay that must not be repeated": a_send(),
    "given back": a_cancel(),
    "not given back": a_cancel(verdict=Verdict.FATAL, code="300"),
    "unclear to a cancel": a_cancel(verdict=Verdict.UNCLEAR),
    "unclear to a cancel, the last": a_cancel(verdict=Verdict.UNCLEAR, retry=ONCE),
    "cancel not sent": a_cancel(verdict=Verdict.NOT_SENT),
    "cancel not sent, the last": a_cancel(verdict=Verdict.NOT_SENT, retry=ONCE),
    "a reversal is asked": a_reversal(id="another"),
    "the terminal asks for a reversal": a_reversal(id="another", by="kiosk-1:1", terminal="kiosk-1"),
    "another terminal asks for a reversal": a_reversal(id="another", by="kiosk-2:1", terminal="kiosk-2"),
    "resolve: paid": a_resolve(paid=True),
    "resolve: not paid": a_resolve(paid=False),
    "money comes": a_deposit("S", 1_000_000, id="more"),
    "a limit is raised": set_limit("S", 1_000_000),
    "money is withdrawn": a_withdrawal("S", 1),
    "the agent is blocked": block("S"),
    "the agent is closed": close("S"),
    "a currency is opened": open_currency("A"),
    "time passes": Rouse("A"),
    "the terminal is emptied": a_collection(100_000),
    "money is corrected": a_correction({"agent:S": -1, "fee": 1}, corrects=PAYMENT),
    "a correction is proposed": a_correction({"agent:S": 10**6, "bank": -(10**6)}, corrects=PAYMENT, above=0, id="far"),
}
# What each makes of a payment that was HELD, SENT or UNKNOWN.
ANSWERS = {
    "paid": ("POSTED", "POSTED", "POSTED"),
    "paid to a check": ("MANUAL", "POSTED", "POSTED"),
    "fatal": ("VOIDED", "VOIDED", "MANUAL"),
    "fatal to a check": ("VOIDED", "MANUAL", "MANUAL"),
    "fatal to a status": ("VOIDED", "VOIDED", "VOIDED"),
    "paid to a status": ("MANUAL", "POSTED", "POSTED"),
    "absent to a status": ("HELD", "UNKNOWN", "UNKNOWN"),
    "unclear": ("UNKNOWN", "UNKNOWN", "UNKNOWN"),
    "unclear, the last": ("MANUAL", "MANUAL", "MANUAL"),
    "unclear to a check": ("HELD", "UNKNOWN", "UNKNOWN"),
    "unclear to a check, the last": ("VOIDED", "MANUAL", "MANUAL"),
    "not sent": ("HELD", "HELD", "UNKNOWN"),
    "not sent, the last": ("VOIDED", "VOIDED", "MANUAL"),
    "unclear, and no more to be asked": ("MANUAL", "MANUAL", "MANUAL"),
    "not sent, and no more to be asked": ("HELD", "MANUAL", "MANUAL"),
    "a pay that must not be repeated": ("SENT", "stale", "stale"),
}
# What the payee says of the payment itself ends a payment in MANUAL too.
ENDS_DOUBT = {"paid to a status": "POSTED", "fatal to a status": "VOIDED"}
# What each makes of a reversal of which nothing was unclear before, and of one of which something was.
CANCELS = {
    "given back": ("REVERSED", "REVERSED"),
    "not given back": ("POSTED", "REVERSAL_MANUAL"),
    "unclear to a cancel": ("REVERSING", "REVERSING"),
    "unclear to a cancel, the last": ("REVERSAL_MANUAL", "REVERSAL_MANUAL"),
    "cancel not sent": ("REVERSING", "REVERSING"),
    "cancel not sent, the last": ("POSTED", "REVERSAL_MANUAL"),
}


def expected(state: str, command: str) -> str:
    """The state after it, "stale" (nobody waits for the answer), "refused", or "nothing" to do with the payment."""
    if state == "MANUAL" and command in ENDS_DOUBT:
        return ENDS_DOUBT[command]
    if (state, command) == ("REVERSAL_MANUAL", "fatal to a status"):
        return "REVERSED"
    if command in ANSWERS:
        return dict(zip(("HELD", "SENT", "UNKNOWN"), ANSWERS[command], strict=True)).get(state, "stale")
    if command in CANCELS:
        return dict(zip(("REVERSING", "REVERSING, unclear"), CANCELS[command], strict=True)).get(state, "stale")
    if "reversal" in command:
        return "REVERSING" if state == "POSTED" and not command.startswith("another") else "refused"
    if command.startswith("resolve") and state == "REVERSAL_MANUAL":
        return "POSTED" if command == "resolve: paid" else "REVERSED"
    if command.startswith("resolve"):
        by_hand = {("MANUAL", "resolve: paid"): "POSTED", ("MANUAL", "resolve: not paid"): "VOIDED"}
        return by_hand.get((state, command), "refused")  # what waits here has no money to give its cash back
    if command == "the terminal is emptied":
        put_in = state in ("POSTED", "WAITING_FUNDS") or state.startswith("REVER")
        return "nothing" if put_in else "refused"
    if command == "the agent is closed":
        return "refused"  # in each of them it has money, or a payment that is open
    if state == "WAITING_FUNDS":
        then = {"money comes": "HELD", "a limit is raised": "HELD", "money is withdrawn": "refused"}
        return then.get(command, "nothing")
    return "nothing"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("state", STATES)
def test_every_cell_is_a_transition_or_a_refusal(state: str, command: str) -> None:
    ledger = STATES[state]()
    is_in = state.partition(",")[0]
    assert ledger.payments[PAYMENT].state == is_in
    decision = perform(ledger, COMMANDS[command], AT + 1)
    wanted = expected(state, command)
    if wanted == "stale":
        assert isinstance(decision, Stale)
        wanted = is_in
    else:
        assert isinstance(decision, list)
        about = [entry.kind for entry in decision if entry.payment is not None]
        assert (EntryKind.REFUSED in {entry.kind for entry in decision}) == (wanted == "refused")
        assert bool(about) == (wanted not in ("refused", "nothing"))
    assert ledger.payments[PAYMENT].state == (is_in if wanted in ("refused", "nothing") else wanted)


@pytest.mark.parametrize("state", STATES)
def test_the_order_again_is_a_duplicate_and_another_under_its_id_a_conflict(state: str) -> None:
    ledger = STATES[state]()
    order = a_place(collected=100_000) if state == "WAITING_FUNDS" else a_place()
    again = perform(ledger, order, AT + 1)
    assert isinstance(again, Duplicate)
    assert again.payment is not None
    assert again.payment.state == state.partition(",")[0]
    assert isinstance(perform(ledger, a_place(collected=100_001, change_to="0" * 32), AT + 2), Conflict)


def test_the_table_has_every_state_a_payment_can_be_in() -> None:
    reachable = {kind for kinds in MAY_FOLLOW.values() for kind in kinds}
    no_states = {EntryKind.DEFERRED, EntryKind.REROUTED, EntryKind.REVERSAL_REFUSED}
    assert {EntryKind(state.partition(",")[0]) for state in STATES} == reachable - no_states
    assert FINAL & {state for state in MAY_FOLLOW if state is not None} == {EntryKind.POSTED}


def test_the_diagram_shows_exactly_the_courses_that_the_fold_allows() -> None:
    drawn = re.search(r"stateDiagram-v2\n(.*?)```", (DOCS / "money.md").read_text(encoding="utf-8"), re.DOTALL)
    assert drawn is not None
    arrows = re.findall(r"^  (\S+) --> (\w+): (.*)$", drawn[1], re.MULTILINE)
    named = re.compile("DEFERRED|REROUTED|REVERSAL_REFUSED")
    shown = {(start, found[0] if (found := named.match(why)) else end) for start, end, why in arrows}
    allowed = {(start or "[*]", end.value) for start, ends in MAY_FOLLOW.items() for end in ends}
    assert shown == {(str(start), end) for start, end in allowed}
