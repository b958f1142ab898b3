"""The audit against reversals: a sound one passes, and each way in which one can be wrong is found and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from schemas.entry import Entry, EntryKind
from schemas.outcome import Verdict
from streams.ledger.commands import LedgerCommand
from streams.ledger.perform import perform
from streams.ledger.state import State
from tests.audit_ledgers import audited, failed, find, rechained, with_leg
from tests.builders import (
    AT,
    a_deposit,
    a_place,
    a_resolve,
    a_retry,
    a_settle,
    a_withdrawal,
    an_outcome,
    close,
    open_agent,
)
from tests.builders_reversal import a_cancel, a_reversal

BY_CASH, AS_CHANGE, KEPT, BY_HAND, TOLD = (f"kiosk-1.{number}" for number in range(1, 6))
ONCE = a_retry(budget=1)


def a_ledger(*more: LedgerCommand) -> list[Entry]:
    commands = [
        open_agent("A"),
        open_agent("S", "A"),
        a_deposit("S", 1_000_000),
        a_place(number=1),
        a_place(number=2, collected=117_750, change_to="ab" * 16),
        a_place(number=3),
        a_place(number=4),
        *(a_settle(payment) for payment in (BY_CASH, AS_CHANGE, KEPT, BY_HAND)),
        a_reversal(BY_CASH),
        a_cancel(BY_CASH, Verdict.UNCLEAR),
        a_cancel(BY_CASH),
        a_reversal(AS_CHANGE, refund="change"),
        a_cancel(AS_CHANGE),
        a_reversal(KEPT),
        a_cancel(KEPT, Verdict.FATAL, code="300"),
        a_reversal(BY_HAND),
        a_cancel(BY_HAND, Verdict.UNCLEAR, retry=ONCE),
        a_resolve(BY_HAND, paid=False),
        *more,
    ]  # fmt: skip
    state = State(0)
    decisions = [perform(state, command, AT + n) for n, command in enumerate(commands)]
    return [entry for decision in decisions if isinstance(decision, list) for entry in decision]


def test_sound_reversals_pass() -> None:
    assert failed(a_ledger()) == set()
    assert audited(a_ledger())["payments.reversals"].looked_at == 10


@pytest.mark.parametrize(("said", "wrong"), [
    (an_outcome(Verdict.FATAL, "status", "statement"), set()),
    (an_outcome(Verdict.PAID, "status"), {"payments.reversals"}),
    (an_outcome(Verdict.FATAL, "cancel"), {"payments.reversals"}),
    (None, {"payments.reversals"}),
])  # fmt: skip
def test_a_doubt_is_ended_by_the_payees_word_that_it_has_the_payment_no_more(said, wrong) -> None:
    doubt = [a_place(number=5), a_settle(TOLD), a_reversal(TOLD), a_cancel(TOLD, Verdict.UNCLEAR, retry=ONCE)]
    entries = a_ledger(*doubt, a_settle(TOLD, Verdict.FATAL, "status", code="statement"))
    assert entries[-1].kind is EntryKind.REVERSED
    assert failed([*entries[:-1], replace(entries[-1], outcome=said)]) == wrong


def test_the_share_of_an_agent_that_is_closed_is_the_operators() -> None:
    commands = [
        open_agent("A"), open_agent("S", "A", funding="shared"), a_deposit("A", 200_000), a_place(), a_settle(),
        a_withdrawal("S", 950), close("S"), a_reversal(), a_cancel(),
    ]  # fmt: skip
    state = State(0)
    decisions = [perform(state, command, AT) for command in commands]
    entries = [entry for decision in decisions if isinstance(decision, list) for entry in decision]
    assert entries[-1].kind == "REVERSED"
    assert failed(entries) == set()


def _at(payment: str, kind: EntryKind, change: Callable[[Entry], Entry]) -> Callable[[list[Entry]], list[Entry]]:
    def damage(entries: list[Entry]) -> list[Entry]:
        place = find(entries, payment, kind)
        return rechained([*entries[:place], change(entries[place]), *entries[place + 1 :]])

    return damage


def _posted(**changes: object) -> Callable[[Entry], Entry]:
    return lambda entry: replace(entry, posted=replace(entry.posted, **changes))  # type: ignore[type-var]


def _shares_kept(entry: Entry) -> Entry:
    """The agent above keeps what it earned, and the operator pays for it."""
    place = next(n for n, leg in enumerate(entry.legs) if leg.account == "agent:A")
    return with_leg(entry, place, account="reward")


DAMAGES = {
    "a reward is kept": _at(BY_CASH, EntryKind.REVERSED, _shares_kept),
    "the payer is not paid back": _at(AS_CHANGE, EntryKind.REVERSED, lambda one: replace(one, legs=one.legs[:-2])),
    "believed on an unclear answer": _at(
        BY_CASH, EntryKind.REVERSED, lambda one: replace(one, outcome=an_outcome(Verdict.UNCLEAR, "cancel"))
    ),
    "believed on an answer to a pay": _at(
        BY_CASH, EntryKind.REVERSED, lambda one: replace(one, outcome=an_outcome(Verdict.PAID))
    ),
    "a refusal after an unclear attempt": _at(
        KEPT, EntryKind.REVERSAL_REFUSED, lambda one: replace(one, tries=2)
    ),
    "posted at another time": _at(BY_CASH, EntryKind.REVERSING, _posted(at=7)),
    "paid back otherwise than was asked": _at(BY_CASH, EntryKind.REVERSED, _posted(refund="change")),
    "does not say how it was posted": _at(BY_CASH, EntryKind.REVERSED, lambda one: replace(one, posted=None)),
    "nobody asked": _at(
        BY_CASH, EntryKind.REVERSING, lambda one: replace(one, cause=replace(one.cause, by="dispatch", digest=""))
    ),
    "legs before the payee has answered": _at(
        KEPT, EntryKind.REVERSAL_REFUSED, lambda one: replace(one, kind=EntryKind.REVERSED)
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGES)
def test_a_reversal_that_is_wrong_is_found(what: str) -> None:
    assert "payments.reversals" in failed(DAMAGES[what](a_ledger()))


def test_a_payment_that_is_reversed_twice_is_off_its_path() -> None:
    entries = a_ledger()
    asked, reversed_ = (find(entries, AS_CHANGE, kind) for kind in (EntryKind.REVERSING, EntryKind.REVERSED))
    again = [replace(entries[n], cause=replace(entries[n].cause, id=f"again-{n}")) for n in (asked, reversed_)]
    assert "payments.path" in failed(rechained([*entries, *again]))
