"""Change of a payment in doubt is stopped, with all that comes to it: nothing leaves it until it is let go."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.change import ChangeNote
from schemas.change_command import BlockChange
from schemas.entry import Entry, EntryKind
from schemas.outcome import Verdict
from streams.ledger.commands import ChangeDue
from streams.ledger.decide import decide
from streams.ledger.decisions import Stale
from streams.ledger.image import StateImage, image_of, state_of
from streams.ledger.memory import leaving, let_go, needed_to_decide, recall
from streams.ledger.replies import reply_to
from streams.ledger.state import State
from tests.audit_ledgers import failed, rechained
from tests.builders import AT, a_deposit, a_pay_out, a_settle, a_tree, balances, decided, legs, open_agent
from tests.builders_change import (
    CHANGE,
    CODE,
    LEFT,
    MARK,
    OTHER_CHANGE,
    OTHER_CODE,
    OTHER_MARK,
    a_reclaim,
    block_change,
    example_3,
    spending,
    unblock_change,
    with_change,
)

DAY = 86_400_000
DUE = ChangeDue("A", 30)
LATER = AT + 30 * DAY


def stopped(money: int = 200_000) -> State:
    state = with_change(money)
    decided(state, block_change())
    return state


def test_blocking_moves_nothing_and_names_the_account_and_why():
    entry = decided(with_change(), block_change())
    assert (entry.kind, entry.legs, entry.reason) == (EntryKind.CHANGE_BLOCKED, (), "Stolen card")
    assert entry.change == ChangeNote(account=CHANGE)
    reply = reply_to(entry)
    assert reply is not None
    assert reply.state == "DONE"


@pytest.mark.parametrize(("payment", "account"), [("kiosk-1.1", CHANGE), ("kiosk-1.2", "change:payment:kiosk-1.2")])
def test_a_payment_found_fraudulent_poisons_its_change(payment, account):
    state = with_change(money=200_000)
    decided(state, example_3(number=2, payee=None, change_to=None, collected=32_250))
    entry = decided(state, block_change(payment))
    assert entry.change == ChangeNote(account=account)


@pytest.mark.parametrize(("command", "kind"), [
    (spending(), EntryKind.DECLINED), (spending((CODE, LEFT + 1), amount=LEFT), EntryKind.DECLINED),
    (a_pay_out(CODE, "S", 1), EntryKind.REFUSED), (a_reclaim(amount=1), EntryKind.REFUSED),
])  # fmt: skip
def test_nothing_leaves_change_that_is_blocked(command, kind):
    state = stopped()
    entry = decided(state, command)
    assert (entry.kind, entry.refusal) == (kind, 133)
    assert "is blocked: an operator has to look at what it came from" in entry.reason
    assert balances(state)[CHANGE] == LEFT


def test_the_sentence_says_which_of_several_codes_is_blocked():
    state = stopped()
    decided(state, example_3(number=2, code=OTHER_CODE))
    entry = decided(state, spending((OTHER_CODE, 1_000), (CODE, 1_000), amount=1_000))
    assert entry.reason == "change code 2: it is blocked: an operator has to look at what it came from"
    assert balances(state)[OTHER_CHANGE] == LEFT


def test_change_that_is_blocked_does_not_expire_and_holds_up_no_other():
    state = stopped()
    decided(state, example_3(number=2, code=OTHER_CODE))
    assert legs(decided(state, DUE, LATER)) == [(OTHER_CHANGE, -LEFT), ("unclaimed", LEFT)]
    assert isinstance(decide(state, DUE, LATER), Stale)


def test_what_is_let_go_has_its_days_anew_since_nobody_could_have_come_for_it():
    state = stopped()
    decided(state, unblock_change(), LATER)
    assert isinstance(decide(state, DUE, LATER + 30 * DAY - 1), Stale)
    assert decided(state, DUE, LATER + 30 * DAY).kind is EntryKind.CHANGE_EXPIRED


def test_change_that_was_let_go_is_the_payers_again():
    state = stopped()
    entry = decided(state, unblock_change())
    assert (entry.kind, entry.change) == (EntryKind.CHANGE_UNBLOCKED, ChangeNote(account=CHANGE))
    assert decided(state, spending()).kind is EntryKind.HELD


def test_money_that_comes_under_a_blocked_fingerprint_is_blocked_too():
    state = stopped()
    decided(state, example_3(number=2))
    assert balances(state)[CHANGE] == 2 * LEFT
    assert decided(state, a_pay_out(CODE, "S", 1)).refusal == 133


def test_what_was_held_before_settles_and_a_void_gives_back_to_what_is_blocked():
    state = with_change(money=200_000)
    decided(state, spending())
    decided(state, block_change())
    void = decided(state, a_settle("kiosk-1.9", Verdict.FATAL, "check", code="5"))
    assert legs(void)[-1] == (CHANGE, LEFT)
    assert decided(state, spending(number=10)).refusal == 133


def test_expired_change_that_is_blocked_is_not_reclaimed():
    state = with_change()
    decided(state, DUE, LATER)
    decided(state, block_change(), LATER)
    assert decided(state, a_reclaim(), LATER).refusal == 133


def test_change_that_was_kept_of_what_a_blocked_account_paid_is_not_followed():
    """An operator sees which payments spent from it, and blocks each by its payment."""
    state = with_change(money=200_000)
    decided(state, spending(amount=30_000, collected=20_000, change_to=OTHER_MARK))
    decided(state, block_change())
    assert decided(state, a_pay_out(OTHER_CODE, "S", 750)).kind is EntryKind.CHANGE_PAID_OUT
    entry = decided(state, block_change("kiosk-1.9", id="block-2"))
    assert entry.change == ChangeNote(account=OTHER_CHANGE)
    assert decided(state, a_pay_out(OTHER_CODE, "S", 1, id="out-2")).refusal == 133


@pytest.mark.parametrize(("command", "why"), [
    (block_change(), "this change is blocked already"),
    (block_change("kiosk-1.1"), "this change is blocked already"),
    (unblock_change(mark=OTHER_MARK), "no change was ever kept under this fingerprint in tree A"),
    (block_change("kiosk-1.2"), "no change is kept because of payment kiosk-1.2 in tree A"),
    (block_change("kiosk-1.1", tree="B"), "no change is kept because of payment kiosk-1.1 in tree B"),
])  # fmt: skip
def test_change_is_not_blocked_or_let_go(command, why):
    state = stopped()
    entry = decided(state, replace(command, command=command.command.model_copy(update={"id": "other"})))
    assert (entry.kind, entry.refusal, entry.reason) == (EntryKind.REFUSED, 300, why)


def test_change_that_is_not_blocked_is_not_let_go():
    assert decided(with_change(), unblock_change()).reason == "this change is not blocked"


@pytest.mark.parametrize("both", [{"payment": "kiosk-1.1", "mark": MARK}, {"payment": None, "mark": None}])
def test_a_block_names_either_a_payment_or_a_fingerprint(both):
    with pytest.raises(ValidationError, match="give the payment, or the fingerprint"):
        BlockChange(**{**block_change().command.model_dump(), **both})


def test_an_image_has_what_is_blocked():
    state = stopped()
    images: TypeAdapter[StateImage] = TypeAdapter(StateImage)
    again = state_of(images.validate_json(orjson.dumps(image_of(state))))
    assert again.books["A"].change == state.books["A"].change
    assert again.books["A"].change.blocked == {CHANGE}


@pytest.mark.parametrize(("ends", "kind"), [
    ([a_settle()], EntryKind.POSTED), ([a_settle(verdict=Verdict.FATAL, step="check", code="5")], EntryKind.VOIDED),
    ([], EntryKind.DECLINED),
])  # fmt: skip
def test_where_a_payment_has_its_change_leaves_memory_with_the_payment(ends, kind):
    state = a_tree(money=200_000)
    decided(state, example_3(**{} if ends else {"payee": None}))
    for command in ends:
        decided(state, command)
    assert state.payments["kiosk-1.1"].state is kind
    archive = dict(leaving(state))
    let_go(state)
    command = block_change("kiosk-1.1")
    recall(state, {key: archive[key] for key in needed_to_decide(state, [command]) if key in archive})
    assert decided(state, command).change == ChangeNote(account=CHANGE)


def _a_ledger() -> list[Entry]:
    """Blocked while a payment that spent it is held; that one is voided; let go, it expires after its days."""
    state, entries = State(0), list[Entry]()
    steps = [
        (open_agent("A"), AT), (a_deposit("A", 200_000), AT), (example_3(agent="A"), AT), (a_settle(), AT),
        (spending((CODE, 2_000), agent="A", amount=1_000), AT), (block_change(), AT + DAY),
        (a_settle("kiosk-1.9", Verdict.FATAL, "check", code="5"), AT + 2 * DAY), (unblock_change(), AT + 3 * DAY),
        (a_pay_out(CODE, "A", 750), AT + 3 * DAY), (block_change(id="again"), AT + 4 * DAY),
        (unblock_change(id="let-go-again"), AT + 5 * DAY), (DUE, AT + 35 * DAY),
    ]  # fmt: skip
    for command, at in steps:
        entries.append(decided(state, command, at))
    return entries


def test_the_audit_passes_all_of_it():
    assert failed(_a_ledger()) == set()


def test_the_audit_finds_what_left_an_account_that_was_blocked():
    entries = _a_ledger()
    entries.insert(6, entries.pop(8))  # paid out while it was blocked
    assert "ledger.change" in failed(rechained(entries))


def test_the_audit_finds_change_that_expired_too_soon_after_it_was_let_go():
    entries = _a_ledger()
    entries[11] = replace(entries[11], at=AT + 35 * DAY - 1)
    assert "ledger.change" in failed(entries)


def test_the_audit_finds_a_block_of_nothing_and_one_twice():
    entries = _a_ledger()
    entries[5] = replace(entries[5], change=ChangeNote(account=OTHER_CHANGE))
    assert "ledger.change" in failed(entries)
    assert "ledger.change" in failed(rechained([*entries[:10], *entries[11:]]))


def test_a_tree_may_have_no_such_payment():
    assert decided(a_tree(), block_change("kiosk-1.1")).refusal == 300
