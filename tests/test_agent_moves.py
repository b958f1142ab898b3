"""A sub-agent moves within its tree: where it may go, and what becomes of payments under way."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from schemas.entry import EntryKind
from schemas.outcome import Verdict
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.evolve import evolve
from streams.ledger.image import image_of, state_of
from streams.ledger.moves import MAX_DEPTH
from streams.ledger.state import State
from tests.audit_ledgers import audited, failed
from tests.builders import (
    a_deposit,
    a_place,
    a_settle,
    a_state,
    balances,
    block,
    close,
    decided,
    move,
    open_agent,
    set_limit,
)

BEGIN = (
    open_agent("A"),
    open_agent("S", "A"),
    open_agent("X", "A"),
    open_agent("T", "S"),
    open_agent("U", "T"),
    *(a_deposit(agent, 300_000) for agent in "ASXT"),
)


def chain(state: State, agent: str) -> str:
    return "".join(one.id for one in state.books["A"].chain(agent))


def test_an_agent_moves_with_all_below_it():
    state = a_state(*BEGIN)
    entry = decided(state, move("T", "X"))
    assert (entry.kind, entry.agent.parent, entry.legs, entry.reason) == (EntryKind.AGENT_MOVED, "X", (), "Letter 12")
    assert (chain(state, "U"), chain(state, "S")) == ("UTXA", "SA")
    again = state_of(image_of(state))
    assert chain(again, "U") == "UTXA"


def test_from_then_on_the_new_line_decides():
    state = a_state(*BEGIN, block("X"))
    assert decided(state, a_place(agent="T")).kind is EntryKind.HELD
    decided(state, move("T", "X"))
    assert decided(state, a_place(agent="T", number=2)).reason == "agent X, above T, is blocked"


def test_an_open_payment_keeps_the_rewards_of_the_line_it_was_held_in():
    state = a_state(*BEGIN)
    decided(state, a_place(agent="T"))
    decided(state, move("T", "X"))
    before = balances(state)
    decided(state, a_settle())
    after = balances(state)
    assert (after["agent:T"] - before["agent:T"], after["agent:S"] - before["agent:S"]) == (950, 475)
    assert after["agent:X"] == before["agent:X"]


def test_what_was_sold_before_counts_for_those_who_were_above_then():
    state = a_state(
        *BEGIN, set_limit("S", None, id="s", daily_max=95_000), set_limit("X", None, id="x", daily_max=95_000)
    )
    decided(state, a_place(agent="T"))
    decided(state, move("T", "X"))
    assert decided(state, a_place(agent="S", number=2)).refusal == 16
    assert decided(state, a_place(agent="T", number=3)).kind is EntryKind.HELD
    decided(state, a_settle("kiosk-1.1", Verdict.FATAL))
    assert [state.books["A"].agents[name].sold_day for name in "TSXA"] == [95_000, 0, 95_000, 95_000]


def test_an_agent_on_a_shared_limit_spends_the_money_of_its_new_parent():
    state = a_state(*BEGIN, open_agent("P", "S", funding="shared"), move("P", "X"))
    assert decided(state, a_place(agent="P")).payment.payer_agent == "X"


def closed_below() -> State:
    return a_state(*BEGIN, open_agent("Z", "A"), close("Z"))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (move("A", "S"), "agent A is the root of its tree: it has no other place"),
        (move("S", "S"), "agent S cannot be below itself"),
        (move("S", "T"), "agent T is below S: neither would have a root any more"),
        (move("S", "U"), "agent U is below S: neither would have a root any more"),
        (move("T", "S"), "agent T is below S already"),
        (move("T", "Z"), "agent Z is closed"),
        (move("Z", "S"), "agent Z is closed"),
        (move("nobody", "S"), "there is no agent nobody in tree A"),
        (move("T", "nobody"), "there is no agent nobody in tree A"),
    ],
)
def test_where_an_agent_cannot_go_is_said_in_words(command, words):
    state = closed_below()
    entry = decided(state, command)
    assert (entry.kind, entry.refusal, entry.reason) == (EntryKind.REFUSED, 300, words)
    assert chain(state, "U") == "UTSA"


def test_a_tree_keeps_its_bottom_when_a_subtree_moves():
    """X with one below it fits under level 14, not under 15."""
    names = ["A", *(f"L{level}" for level in range(2, MAX_DEPTH))]
    state = a_state(open_agent("A"), *(open_agent(agent, parent) for parent, agent in pairwise(names)))
    for command in (open_agent("X", "A"), open_agent("Y", "X")):
        decided(state, command)
    refused = decided(state, move("X", "L15"))
    assert refused.reason == "below L15 the agents under X would reach level 17; the last is 16"
    assert decided(state, move("X", "L14", id="again")).kind is EntryKind.AGENT_MOVED
    assert len(state.books["A"].chain("Y")) == MAX_DEPTH


@pytest.mark.parametrize(
    ("changes", "agent"),
    [({"kind": EntryKind.LIMIT_SET}, {}), ({}, {"parent": "nobody"}), ({}, {"parent": "U"}), ({}, {"parent": "T"})],
)
def test_the_fold_and_the_audit_stop_at_a_move_that_cannot_be(changes, agent):
    state = State(0)
    log = [decided(state, command) for command in BEGIN]
    entry = decided(state, move("T", "X"))
    wrong = replace(entry, agent=replace(entry.agent, **agent), **changes)
    state = a_state(*BEGIN)
    with pytest.raises(LedgerCorrupt):
        evolve(state, wrong)
    assert "agents.standing" in failed([*log, wrong])
    assert audited([*log, entry])["agents.standing"].passed
