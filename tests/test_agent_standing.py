"""Agents are blocked, unblocked and closed: what that stops, and what still settles."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.agent_command import BlockAgent
from schemas.entry import EntryKind
from schemas.outcome import Verdict
from schemas.refusal import Refusal
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.evolve import evolve
from streams.ledger.image import image_of, state_of
from streams.ledger.state import State
from tests.audit_ledgers import audited
from tests.builders import (
    a_deposit,
    a_place,
    a_settle,
    a_state,
    a_tree,
    balances,
    block,
    close,
    decided,
    open_agent,
    set_limit,
    unblock,
)


def three_levels() -> State:
    """A over S over T, all with money."""
    state = a_tree(root_money=100_000)
    for command in (open_agent("T", "S"), a_deposit("T", 300_000)):
        decided(state, command)
    return state


@pytest.mark.parametrize(
    ("blocked", "sells", "who"),
    [
        ("T", "T", "agent T is blocked"),
        ("S", "T", "agent S, above T, is blocked"),
        ("A", "T", "agent A, above T, is blocked"),
        ("A", "S", "agent A, above S, is blocked"),
    ],
)
def test_a_blocked_agent_stops_all_below_it_and_is_named(blocked, sells, who):
    state = three_levels()
    assert decided(state, block(blocked)).kind is EntryKind.AGENT_BLOCKED
    entry = decided(state, a_place(agent=sells))
    assert (entry.kind, entry.refusal, entry.reason) == (EntryKind.DECLINED, Refusal.NO_RIGHT.code, who)


def test_agents_above_and_beside_a_blocked_one_go_on_selling():
    state = three_levels()
    decided(state, open_agent("X", "A"))
    decided(state, a_deposit("X", 300_000))
    decided(state, block("S"))
    for number, agent in enumerate(("A", "X"), 1):
        entry = decided(state, a_place(agent=agent, number=number, amount=9_500, fee=500))
        assert entry.kind is EntryKind.HELD


def test_what_was_held_before_the_block_still_settles_with_its_rewards():
    state = a_tree(money=200_000)
    for number in (1, 2):
        decided(state, a_place(number=number))
    decided(state, block("A"))
    assert decided(state, a_settle("kiosk-1.1")).kind is EntryKind.POSTED
    assert decided(state, a_settle("kiosk-1.2", Verdict.FATAL)).kind is EntryKind.VOIDED
    assert balances(state)["agent:S"] == 200_000 - 95_950 + 950
    assert balances(state)["agent:A"] == 475


def test_an_unblocked_agent_sells_again_and_who_was_blocked_below_stays_so():
    state = three_levels()
    for command in (block("T"), block("S"), unblock("S")):
        decided(state, command)
    assert decided(state, a_place()).kind is EntryKind.HELD
    assert decided(state, a_place(number=2, agent="T")).reason == "agent T is blocked"


def test_a_blocked_agent_still_takes_deposits_and_limits():
    state = a_tree()
    decided(state, block("S"))
    assert decided(state, a_deposit("S", 5, id="d")).kind is EntryKind.DEPOSITED
    entry = decided(state, set_limit("S", 7))
    assert (entry.kind, entry.agent.status) == (EntryKind.LIMIT_SET, "blocked")


def closable() -> State:
    return a_state(open_agent("A"), open_agent("S", "A"))


def test_a_closed_agent_takes_nothing_and_never_comes_back():
    state = closable()
    entry = decided(state, close("S"))
    assert (entry.kind, entry.agent.status, entry.reason) == (EntryKind.AGENT_CLOSED, "closed", "Letter 12")
    for command, words in [
        (a_deposit("S", id="1"), "agent S is closed"),
        (set_limit("S", 5), "agent S is closed"),
        (block("S"), "agent S is closed"),
        (unblock("S"), "agent S is closed"),
        (close("S", id="2"), "agent S is closed"),
        (open_agent("S", "A", id="3"), "agent S was closed; its id is not given again"),
        (open_agent("T", "S", id="4"), "agent S is closed"),
        (a_place(), "agent S is closed"),
    ]:
        refused = decided(state, command)
        assert refused.kind in (EntryKind.REFUSED, EntryKind.DECLINED)
        assert refused.reason == words
    assert decided(state, close("A")).kind is EntryKind.AGENT_CLOSED


def shared_with_an_open_payment() -> State:
    state = a_tree(funding="shared")
    decided(state, a_place())
    return state


@pytest.mark.parametrize(
    ("prepared", "agent", "words"),
    [
        (closable, "nobody", "there is no agent nobody in tree A"),
        (closable, "A", "agent A has agents below it that are not closed: S"),
        (a_tree, "S", "agent S has 2000.00 RUB; it must have nothing"),
        (lambda: a_state(*map(open_agent, "A")), "S", "no agent S"),
        (shared_with_an_open_payment, "S", "agent S has 1 open payments, or a share in them"),
    ],
)
def test_an_agent_with_anything_left_is_not_closed(prepared, agent, words):
    state = prepared()
    entry = decided(state, close(agent, id="x"))
    assert entry.kind is EntryKind.REFUSED
    assert words in entry.reason


def test_an_agent_all_of_whose_money_is_held_is_not_closed():
    state = a_tree(money=95_950)
    decided(state, a_place())
    assert decided(state, close("S")).reason == "959.50 RUB of agent S is held for open payments"
    decided(state, a_settle(verdict=Verdict.FATAL))
    assert "it must have nothing" in decided(state, close("S", id="again")).reason


@pytest.mark.parametrize(
    ("command", "words"),
    [(block("A", id="x"), "blocked already"), (unblock("S"), "not blocked"), (block("nobody"), "no agent nobody")],
)
def test_a_standing_that_would_not_change_is_refused_in_words(command, words):
    state = a_tree()
    decided(state, block("A"))
    entry = decided(state, command)
    assert (entry.kind, entry.refusal) == (EntryKind.REFUSED, Refusal.OTHER.code)
    assert words in entry.reason


def test_a_snapshot_keeps_who_is_blocked():
    state = three_levels()
    decided(state, block("S"))
    again = state_of(image_of(state))
    assert decided(again, a_place(agent="T")).reason == "agent S, above T, is blocked"


def test_an_agent_opened_by_an_older_release_is_open():
    """Its entry says nothing of a status."""
    entry = decided(State(0), open_agent("A"))
    older = entry.encode().replace(b',"status":"open"', b"")
    assert older != entry.encode()
    assert type(entry).decode(older) == entry


def test_the_fold_stops_where_a_closed_agent_changes():
    state = closable()
    closed = decided(state, close("S"))
    stray = replace(closed, seq=4, kind=EntryKind.LIMIT_SET, cause=replace(closed.cause, id="x"))
    with pytest.raises(LedgerCorrupt, match="who is closed"):
        evolve(state, stray)


def test_a_command_decided_before_later_fields_were_there_is_the_same_command():
    """The digest of a command without any later field is that of all its content."""
    assert BlockAgent.later == frozenset()
    assert set_limit("S", 7).digest == "6f64511b60a9fbb190fd2140c40c4041"


# --- the audit


def entries_of(*commands):
    state = State(0)
    return [decided(state, command) for command in commands]


BEGIN = (open_agent("A"), open_agent("S", "A"), a_deposit("S", 200_000), open_agent("T", "S"))


def test_the_audit_passes_a_ledger_with_agents_of_every_standing():
    entries = entries_of(*BEGIN, block("S"), a_place(), unblock("S"), a_place(number=2), close("T"))
    found = audited(entries)
    assert [check.failures for check in found.values() if not check.passed] == []
    assert found["agents.standing"].looked_at == 7


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda e: replace(e, kind=EntryKind.AGENT_UNBLOCKED), "was open and is blocked"),
        (lambda e: replace(e, agent=replace(e.agent, status="closed")), "was open and is closed"),
        (lambda e: replace(e, kind=EntryKind.AGENT_CLOSED, agent=replace(e.agent, status="closed")), "above T"),
        (lambda e: replace(e, kind=EntryKind.AGENT_CLOSED, agent=replace(e.agent, status="closed")), "with 200000"),
    ],
)
def test_the_audit_finds_a_standing_that_cannot_be(damage, words):
    entries = entries_of(*BEGIN, block("S"))
    check = audited([*entries[:-1], damage(entries[-1])])["agents.standing"]
    assert words in " ".join(check.failures)


def test_the_audit_finds_a_sale_below_a_blocked_agent():
    """Made by taking the entry that unblocked it out of sight."""
    entries = entries_of(*BEGIN, block("A"), unblock("A"), a_place())
    entries[5] = replace(entries[5], kind=EntryKind.LIMIT_SET, agent=replace(entries[5].agent, status="blocked"))
    (failure,) = audited(entries)["agents.standing"].failures
    assert "of agent S was held while A is blocked" in failure


def test_the_audit_finds_money_on_an_account_of_a_closed_agent():
    entries = entries_of(*BEGIN, close("T"), a_deposit("S", 5, id="d"))
    stray = replace(entries[-1], legs=tuple(
        replace(leg, account=leg.account.replace(":S", ":T")) for leg in entries[-1].legs))  # fmt: skip
    assert "of an agent who is closed" in " ".join(audited([*entries[:-1], stray])["agents.standing"].failures)
