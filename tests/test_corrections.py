"""Corrections by hand: what they move, who must sign, and what the audit finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.entry import Entry, EntryKind
from schemas.money import MAX_MINOR
from streams.ledger.commands import Instruct
from streams.ledger.corrections import PROPOSALS_MAX
from streams.ledger.decisions import Duplicate
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.evolve import evolve
from streams.ledger.image import image_of, state_of
from streams.ledger.memory import leaving, let_go, needed_to_decide, recall
from streams.ledger.perform import perform
from streams.ledger.replies import reply_to
from streams.ledger.state import State
from tests.audit_ledgers import audited, failed, rechained
from tests.builders import (
    AT,
    a_deposit,
    a_place,
    a_settle,
    a_tree,
    a_withdrawal,
    block,
    close,
    decided,
    open_agent,
    performed,
)
from tests.builders_correction import SECOND_KID, a_correction, a_drop, an_approval
from tests.builders_currency import open_currency


def _balance(state: State, account: str, currency: str = "RUB") -> int:
    end = state.books["A"].accounts.get((account, currency))
    return end.balance if end is not None else 0


def _proposed(**changes: Any) -> State:
    state = a_tree(money=100_000)
    decided(state, a_correction(above=1_249, **changes))
    return state


def test_up_to_the_threshold_one_operator_is_enough_and_the_entry_says_what_it_corrects():
    state = a_tree(money=100_000)
    before = _balance(state, "agent:S")
    entry = decided(state, a_correction(above=1_250))
    assert [(leg.account, leg.amount) for leg in entry.legs] == [("agent:S", -1_250), ("fee", 1_250)]
    assert (_balance(state, "agent:S"), _balance(state, "fee")) == (before - 1_250, 1_250)
    found = entry.correction
    assert found is not None
    assert (found.corrects, found.reason, found.proposed_by, found.approved_by) == (
        "entry 1", "Fee was not taken", "chief:1", "",
    )  # fmt: skip
    assert (found.threshold, entry.document, entry.reason) == (1_250, "Act 7", "Fee was not taken")


def test_a_unit_above_it_nothing_moves_until_another_operator_approves():
    state = a_tree(money=100_000)
    before = _balance(state, "agent:S")
    entry = decided(state, a_correction(above=1_249))
    assert (entry.kind, entry.legs) == (EntryKind.CORRECTION_PROPOSED, ())
    reply = reply_to(entry)
    assert reply is not None
    assert (reply.state, reply.reason) == ("DONE", "proposed: nothing moves until another operator approves it")
    assert _balance(state, "agent:S") == before
    entry = decided(state, an_approval())
    assert entry.kind is EntryKind.CORRECTED
    assert entry.correction is not None
    assert (entry.correction.proposed_by, entry.correction.approved_by) == ("chief:1", SECOND_KID)
    assert (entry.document, _balance(state, "agent:S")) == ("Act 7, seen", before - 1_250)


@pytest.mark.parametrize("by", ["chief:1", "chief:2"])
def test_who_proposed_it_cannot_approve_it_with_whatever_key(by: str):
    state = _proposed()
    entry = decided(state, an_approval(by=by))
    assert (entry.kind, entry.refusal) == (EntryKind.REFUSED, 133)
    assert entry.reason == "operator chief proposed this correction: another one must approve it"
    assert decided(state, an_approval(id="again")).kind is EntryKind.CORRECTED


@pytest.mark.parametrize("end", [an_approval(), a_drop(), a_drop(by=SECOND_KID)])
def test_a_proposal_is_decided_once(end: Instruct):
    state = _proposed()
    assert decided(state, end).kind in (EntryKind.CORRECTED, EntryKind.CORRECTION_DROPPED)
    for more in an_approval(id="more"), a_drop(id="most"):
        entry = decided(state, more)
        assert (entry.refusal, entry.reason) == (
            300, "no correction correct-1 is proposed in tree A: none was, or it was approved or dropped before",
        )  # fmt: skip


def test_what_has_changed_since_it_was_proposed_is_looked_at_again():
    state = _proposed()
    decided(state, a_withdrawal("S", _balance(state, "agent:S")))
    assert decided(state, close("S")).kind is EntryKind.AGENT_CLOSED
    entry = decided(state, an_approval())
    assert (entry.refusal, entry.reason) == (300, "agent S is closed")
    assert decided(state, a_drop()).kind is EntryKind.CORRECTION_DROPPED


def test_an_agent_may_come_below_its_limit_by_it_and_then_sells_nothing():
    state = a_tree(money=1_000)
    decided(state, block("S"))
    assert decided(state, a_correction()).kind is EntryKind.CORRECTED  # blocked or not
    assert state.books["A"].agents["S"].available < 0


def test_money_that_comes_by_it_is_held_for_what_waits():
    state = a_tree(money=1)
    decided(state, a_place(collected=100_000))
    kinds = [one.kind for one in performed(state, a_correction({"agent:S": 10**6, "bank": -(10**6)}))]
    assert kinds == [EntryKind.CORRECTED, EntryKind.HELD]


FOLLOWS = "follow payments, transfers, counts or exchanges: none is corrected by hand"


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        ("hold:S", f"accounts of kind hold {FOLLOWS}"),
        ("change:payment:kiosk-1.1", f"accounts of kind change {FOLLOWS}"),
        ("clearing:B", f"accounts of kind clearing {FOLLOWS}"),
        ("cash:kiosk-1", f"accounts of kind cash {FOLLOWS}"),
        ("cash-taken:S", f"accounts of kind cash-taken {FOLLOWS}"),
        ("exchange", f"accounts of kind exchange {FOLLOWS}"),
        ("agent:nobody", "there is no agent nobody in tree A"),
        ("payee:nobody", "payee nobody has no account in RUB in tree A"),
        ("bank:mine", "there is no account bank:mine"),
        ("pocket", "there is no account pocket"),
    ],
)
def test_what_is_not_corrected_by_hand_is_refused_with_a_sentence(account: str, reason: str):
    state = a_tree(money=100_000)
    for above in (0, 10**6):
        entry = decided(state, a_correction({account: 1, "agent:S": -1}, above=above, id=f"above-{above}"))
        assert (entry.kind, entry.refusal, entry.reason) == (EntryKind.REFUSED, 300, reason)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"corrects": "entry 99"}, "there is no entry 99"),
        ({"corrects": "kiosk-1.9"}, "there is no payment kiosk-1.9 in tree A"),
        ({"currency": "USD"}, "tree A has no accounts in USD"),
        ({"tree": "Z"}, "there is no tree Z"),
    ],
)
def test_what_it_corrects_must_be_there(changes: dict[str, Any], reason: str):
    entry = decided(a_tree(money=100_000), a_correction(**changes))
    assert (entry.kind, entry.refusal) == (EntryKind.REFUSED, 300)
    assert reason in entry.reason


def test_a_further_currency_is_corrected_by_those_who_have_it():
    state = a_tree(money=100_000)
    decided(state, open_currency("A"))
    assert decided(state, a_correction(currency="USD")).reason == "agent S is in RUB, the correction is in USD"
    entry = decided(state, a_correction({"agent:A": 5, "reward": -5}, currency="USD", id="other"))
    assert (entry.kind, _balance(state, "agent:A", "USD")) == (EntryKind.CORRECTED, 5)


def test_what_a_payee_is_owed_is_corrected_once_anything_was_posted_to_it():
    state = a_tree(money=1_000_000)
    for command in (a_place(), a_settle()):
        decided(state, command)
    before = _balance(state, "payee:mobile")
    decided(state, a_correction({"payee:mobile": -300, "agent:S": 300}, corrects="kiosk-1.1"))
    assert _balance(state, "payee:mobile") == before - 300


@pytest.mark.parametrize(
    ("movements", "complaint"),
    [
        ({"agent:S": -1, "fee": 2}, "they differ by 1"),
        ({"agent:S": 0, "fee": 0}, "a movement of 0 is none"),
        ({"agent:S": 1}, "at least 2"),
        ({f"agent:{n}": 1 if n % 2 else -1 for n in range(22)}, "at most 20"),
        ({"agent:S": MAX_MINOR + 1, "fee": -MAX_MINOR - 1}, "less than or equal"),
        ({"agent:S\n": 1, "fee": -1}, "pattern"),
    ],
)
def test_a_correction_that_is_none_is_no_command(movements: dict[str, int], complaint: str):
    with pytest.raises(ValidationError, match=complaint):
        a_correction(movements)


def test_so_many_proposals_wait_and_no_more():
    state = a_tree(money=100_000)
    for number in range(PROPOSALS_MAX):
        decided(state, a_correction(above=0, id=f"c-{number}"))
    entry = decided(state, a_correction(above=0, id="more"))
    assert (entry.kind, entry.refusal) == (EntryKind.REFUSED, 1)
    assert decided(state, a_correction(above=10**6, id="small")).kind is EntryKind.CORRECTED


def test_a_proposal_outlives_a_snapshot_and_the_same_command_again_is_the_same():
    state = state_of(image_of(_proposed()))
    assert list(state.books["A"].proposals) == ["correct-1"]
    state = _proposed()
    assert isinstance(perform(state, a_correction(above=0), AT), Duplicate)  # the threshold is not in its content
    assert decided(state, an_approval()).kind is EntryKind.CORRECTED


def test_the_payment_it_corrects_is_recalled_from_the_archive():
    state = a_tree(money=1_000_000)
    for command in (a_place(), a_settle()):
        decided(state, command)
    archive = dict(leaving(state))
    let_go(state)
    order = a_correction(corrects="kiosk-1.1")
    recall(state, {key: archive[key] for key in needed_to_decide(state, [order]) if key in archive})
    assert decided(state, order).kind is EntryKind.CORRECTED


def test_the_fold_refuses_a_correction_that_does_not_continue_the_log():
    state = _proposed()
    sound = performed(_proposed(), an_approval())[0]
    assert sound.correction is not None
    for wrong in (
        replace(sound, correction=replace(sound.correction, reason="other")),
        replace(sound, kind=EntryKind.DEPOSITED),
        replace(sound, legs=()),
        replace(sound, correction=replace(sound.correction, approved_by="")),
    ):
        with pytest.raises(LedgerCorrupt, match="does not fit correction correct-1"):
            evolve(state_of(image_of(state)), wrong)


# --- what the audit finds


def _ledger() -> list[Entry]:
    state = State(0)
    small = a_correction({"agent:S": -5, "bank": 5}, above=5, id="small")
    other = a_correction({"agent:S": -7, "fee": 7}, above=6, id="other")
    commands = (open_agent("A"), open_agent("S", "A"), a_deposit("S", 100_000), small, a_correction(above=9),
                an_approval(), other, a_drop("other"))  # fmt: skip
    return [decided(state, command) for command in commands]


def test_sound_corrections_pass_the_audit():
    checks = audited(_ledger())
    assert {name for name, one in checks.items() if not one.passed} == set()
    assert checks["ledger.corrections"].looked_at == 5


def _said(**changes: Any) -> Callable[[Entry], Entry]:
    def damage(entry: Entry) -> Entry:
        assert entry.correction is not None
        return replace(entry, correction=replace(entry.correction, **changes))

    return damage


@pytest.mark.parametrize(
    ("number", "damage", "complaint"),
    [
        (5, _said(approved_by="chief:2"), "is proposed and approved by chief"),
        (5, lambda one: replace(one, cause=replace(one.cause, by="third:1")), "is approved by third:1"),
        (5, _said(reason="Other"), "says something else than when it was proposed"),
        (5, _said(approved_by=""), "may one operator, and nobody approved it"),
        (5, lambda one: replace(one, legs=()), "is to move"),
        (5, lambda one: replace(one, kind=EntryKind.DEPOSITED), "names a correction"),
        (3, lambda one: replace(one, correction=None), "names no correction"),
        (3, _said(movements=(("hold:S", -5), ("bank", 5))), "is of hold:S, which is never corrected by hand"),
        (3, _said(movements=(("agent:S", -5), ("bank", 6))), "does not sum to zero"),
        (3, _said(threshold=4), "debits 5, 4 may one operator, and nobody approved it"),
        (3, _said(proposed_by="second:1"), "and says by second:1"),
        (7, _said(proposal="small"), "was not proposed, or is decided already"),
    ],
)
def test_the_audit_finds_a_correction_that_is_not_right(
    number: int, damage: Callable[[Entry], Entry], complaint: str
):  # fmt: skip
    entries = _ledger()
    entries[number] = damage(entries[number])
    assert complaint in " ".join(audited(rechained(entries))["ledger.corrections"].failures)


def test_the_audit_finds_an_approval_without_a_proposal():
    entries = _ledger()
    assert "ledger.corrections" in failed(rechained([*entries[:4], *entries[5:]]))
