"""A payment that waits for funds is given up by an operator: its cash is the payer's change, at once or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.entry import Entry, EntryKind
from streams.ledger.commands import Instruct, LedgerCommand
from streams.ledger.decide import Duplicate
from streams.ledger.image import image_of
from streams.ledger.perform import perform
from streams.ledger.replies import replies_to
from streams.ledger.state import State
from tests.audit_ledgers import audited, failed, rechained
from tests.builders import (
    AT,
    a_deposit,
    a_place,
    a_resolve,
    a_tree,
    a_withdrawal,
    balances,
    decided,
    folded,
    legs,
    open_agent,
    performed,
)

CODE = "0" * 32


def late(number: int, amount: int, **changes: object) -> LedgerCommand:
    """An order whose cash was taken, without tariff: it needs its amount."""
    return a_place(number=number, amount=amount, fee=0, tariff=None, collected=amount, change_to=CODE, **changes)


def two_that_wait() -> State:
    """The first needs 50000, the one behind it 600; S has 1000."""
    state = a_tree(money=1_000)
    for command in late(1, 50_000), late(2, 600):
        assert decided(state, command).kind is EntryKind.WAITING_FUNDS
    return state


def give_up(number: int = 1, **changes: object) -> Instruct:
    return a_resolve(f"kiosk-1.{number}", False, **{"id": f"give-up-{number}"} | changes)


def test_a_payment_that_waits_is_declined_by_hand_and_its_cash_is_the_payers_change() -> None:
    state = two_that_wait()
    [entry] = performed(state, give_up(2))
    assert (entry.kind, entry.refusal, entry.reason) == (EntryKind.DECLINED, 300, "Payee's letter 4")
    assert (entry.cause.id, entry.cause.by) == ("give-up-2", "chief:1")
    assert legs(entry) == [("agent:S", -600), (f"change:{CODE}", 600)]
    assert balances(state) == {"agent:S": 400, f"change:{CODE}": 600, "bank": -1_000}
    assert state.waiting.length("A", "S", "RUB") == 1


def test_terminal_and_operator_are_both_told() -> None:
    state = two_that_wait()
    [entry] = performed(state, give_up(2))
    told = [(to, reply.id, reply.state, reply.code, reply.kept, reply.final) for to, reply in replies_to(entry)]
    assert told == [("kiosk-1", "kiosk-1.2", "DECLINED", 300, 600, True), ("chief", "give-up-2", "DONE", 0, 0, True)]


def test_who_waited_behind_is_held_in_the_same_decision() -> None:
    state = two_that_wait()
    state.books["A"].agents["S"].overdraft = 49_600  # as a decision leaves it that did not look at who waits
    declined, held = performed(state, give_up(1))
    assert (declined.payment.id, held.payment.id) == ("kiosk-1.1", "kiosk-1.2")  # type: ignore[union-attr]
    assert (declined.kind, held.kind, held.cause.by) == (EntryKind.DECLINED, EntryKind.HELD, "funds")


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (give_up(1), "the payer put in 500.00 RUB, and agent S has 10.00: nothing could be kept for the payer"),
        (a_resolve("kiosk-1.2", True), "waits for funds: no payee was asked, so none can have been paid"),
        (give_up(2, id="kiosk-1.2"), "kiosk-1.2 is the payment's own id; give the command another"),
        (give_up(3), "there is no payment kiosk-1.3 in tree A"),
    ],
)
def test_it_is_refused_where_the_payer_would_get_nothing_or_nothing_can_have_been_paid(
    command: Instruct, why: str
) -> None:
    state = two_that_wait()
    [entry] = performed(state, command)
    assert (entry.kind, entry.refusal) == (EntryKind.REFUSED, 300)
    assert why in entry.reason
    assert state.waiting.length("A", "S", "RUB") == 2


def test_nothing_is_kept_of_an_agent_below_one_that_is_below_its_limit() -> None:
    state = two_that_wait()
    state.books["A"].agents["A"].overdraft = -1
    [entry] = performed(state, give_up(2))
    assert entry.reason == "an agent above S is below its limit: nothing of its money is kept for a payer"


def test_the_command_is_answered_once_and_the_fold_is_the_same() -> None:
    entries = _a_ledger()
    state = folded(entries)
    again = perform(state, give_up(2), AT + 1)
    assert isinstance(again, Duplicate)
    assert again.command is not None
    assert (again.command.kind, again.payment) == (EntryKind.DECLINED, None)
    assert image_of(folded(Entry.decode(entry.encode()) for entry in entries)) == image_of(state)


def _a_ledger() -> list[Entry]:
    commands = [
        open_agent("A"),
        open_agent("S", "A"),
        a_deposit("S", 1_000),
        late(1, 50_000),
        late(2, 600),
        give_up(2),
        a_deposit("S", 60_000, id="more"),
        a_withdrawal("S", 100),
    ]
    state = State(0)
    return [entry for command in commands for entry in performed(state, command)]


def test_the_audit_takes_it_and_finds_one_that_did_not_wait_or_kept_nothing() -> None:
    entries = _a_ledger()
    assert failed(entries) == set()
    assert audited(entries)["payments.waiting"].looked_at >= 3
    at = next(n for n, entry in enumerate(entries) if entry.kind is EntryKind.DECLINED)
    assert "payments.evidence" in failed(rechained([*entries[:at], replace(entries[at], legs=()), *entries[at + 1 :]]))
    held = next(n for n, entry in enumerate(entries) if entry.kind is EntryKind.HELD)
    assert "payments.evidence" in failed(rechained([*entries[: held + 1], replace(entries[at], seq=0)]))
