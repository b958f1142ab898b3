"""What becomes of operators' commands: agents, money, directory records, and commands that come twice."""

from __future__ import annotations

from itertools import pairwise

import orjson
import pytest

from schemas.command import SetContact
from schemas.contact import Contact
from schemas.entry import EntryKind
from schemas.ids import ms_instant
from schemas.outcome import Verdict
from schemas.refusal import Refusal
from schemas.terminal import Operator, Terminal
from streams.ledger.commands import Instruct
from streams.ledger.decide import Conflict, Duplicate, decide
from streams.ledger.instruct import MAX_DEPTH
from streams.ledger.state import State
from tests.builders import (
    AT,
    NOW,
    a_deposit,
    a_gateway,
    a_payee,
    a_place,
    a_public_key,
    a_resolve,
    a_settle,
    a_state,
    a_tariff,
    a_terminal,
    a_tree,
    an_instruct,
    an_operator,
    balances,
    decided,
    legs,
    open_agent,
    revoke_key,
    set_gateway,
    set_limit,
    set_operator,
    set_payee,
    set_tariff,
    set_terminal,
)

SHOP = Contact(id="A/S", mail=("till@shop.example",), low_balance=500)


def test_a_tree_is_opened_from_its_root():
    state = a_tree(money=0)
    agents = state.books["A"].agents
    assert [agent.id for agent in state.books["A"].chain("S")] == ["S", "A"]
    assert (agents["S"].parent, agents["S"].name, agents["S"].currency) == ("A", "Agent S", "RUB")


def test_a_deposit_comes_from_the_bank_with_its_document():
    state = a_tree(money=0)
    entry = decided(state, a_deposit("S", 500))
    assert (entry.kind, entry.document, legs(entry)) == (
        EntryKind.DEPOSITED,
        "Payment order 17",
        [("bank", -500), ("agent:S", 500)],
    )


def test_a_limit_may_be_lowered_below_what_was_spent():
    state = a_tree(money=0, overdraft=100_000)
    decided(state, a_place())
    entry = decided(state, set_limit("S", 10))
    assert (entry.kind, entry.agent.overdraft) == (EntryKind.LIMIT_SET, 10)
    assert state.books["A"].agents["S"].available == -95_940


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (open_agent("B", tree="A"), "its tree must be B"),
        (open_agent("A", id="again"), "already open"),
        (open_agent("S", "A", id="again"), "already open"),
        (open_agent("X", "nobody"), "no agent nobody"),
        (open_agent("X", "X"), "no agent X"),
        (open_agent("X", "A", currency="USD"), "is in RUB"),
        (open_agent("B", tree="B", funding="shared"), "nobody whose money"),
        (open_agent("X", "A", funding="shared", overdraft=1), "limit of its own"),
        (set_limit("nobody", 1), "no agent nobody"),
        (set_limit("P", 1), "spends the money of A"),
        (a_deposit("nobody", id="d"), "no agent nobody"),
        (a_deposit("P", id="d"), "spends the money of A"),
        (a_deposit("S", currency="USD", id="d"), "is in RUB"),
        (a_deposit("A", tree="B", id="d"), "no agent A in tree B"),
        (a_resolve("kiosk-1.9"), "no payment kiosk-1.9"),
        (a_resolve("kiosk-1.1"), "is HELD"),
        (a_resolve("kiosk-1.1", tree="B"), "no payment kiosk-1.1 in tree B"),
        (a_resolve("kiosk-1.2"), "is POSTED"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words_and_changes_nothing(command, words):
    def prepared() -> State:
        state = a_tree()
        for step in (open_agent("P", "A", funding="shared"), a_place(), a_place(number=2, amount=100, fee=5),
                     a_settle("kiosk-1.2")):  # fmt: skip
            decided(state, step)
        return state

    state, before = prepared(), prepared()
    entry = decided(state, command)
    assert (entry.kind, entry.refusal, entry.legs) == (EntryKind.REFUSED, Refusal.OTHER.code, ())
    assert words in entry.reason
    assert state.payments == before.payments
    if command.book == "A":
        assert state.books["A"].agents == before.books["A"].agents
    again = decide(state, command, AT + 1)
    assert isinstance(again, Duplicate)
    assert again.command is not None
    assert (again.command.kind, again.command.reason) == (EntryKind.REFUSED, entry.reason)


def test_a_tree_has_a_bottom():
    state = a_state(open_agent("A"))
    names = ["A", *(f"L{level}" for level in range(2, MAX_DEPTH + 2))]
    kinds = [decided(state, open_agent(agent, parent)).kind for parent, agent in pairwise(names)]
    assert kinds == [EntryKind.AGENT_OPENED] * (MAX_DEPTH - 1) + [EntryKind.REFUSED]
    assert len(state.books["A"].chain(names[-2])) == MAX_DEPTH


@pytest.mark.parametrize(
    "command", [open_agent("A"), set_limit("A", 5), a_deposit("A", 5), set_payee(), set_terminal()]
)
def test_the_same_command_again_is_done_once(command):
    state = a_state(open_agent("A", id="first"))
    decided(state, command)
    accounts = balances(state)
    assert isinstance(decide(state, command, AT + 1), Duplicate)
    assert balances(state) == accounts


def test_the_same_id_with_other_content_is_a_conflict():
    state = a_state(open_agent("A"), a_deposit("A", 5))
    assert isinstance(decide(state, a_deposit("A", 6), AT), Conflict)


def test_ids_of_commands_are_told_apart_by_book_and_from_payments():
    state = a_tree()
    decided(state, a_place())
    assert isinstance(decide(state, a_deposit("S", 5, id="kiosk-1.1"), AT), list)
    decided(state, set_payee(a_payee("one"), command_id="same"))
    assert isinstance(decide(state, set_payee(a_payee("two"), command_id="same"), AT), list)


def test_a_resolve_is_answered_once_and_keeps_its_own_id():
    state = a_tree()
    for command in (a_place(), a_settle(verdict=Verdict.UNCLEAR), a_settle(verdict=Verdict.FATAL)):
        decided(state, command)
    decided(state, a_resolve(paid=False))
    again = decide(state, a_resolve(paid=False), AT)
    assert isinstance(again, Duplicate)
    assert again.command is not None
    assert again.command.kind is EntryKind.VOIDED
    assert decided(state, a_resolve(paid=True, id="changed-my-mind")).kind is EntryKind.REFUSED
    assert balances(state) == {"bank": -200_000, "agent:S": 200_000}


# --- directory


@pytest.mark.parametrize(
    ("command", "table", "record", "value"),
    [
        (set_payee(), "payees", "mobile", a_payee()),
        (set_tariff(), "tariffs", "mobile", a_tariff()),
        (set_gateway(), "gateways", "osmp-1", a_gateway()),
        (an_instruct(SetContact(id="c", issued_at=NOW, contact=SHOP)), "contacts", "A/S", SHOP),
    ],
)
def test_a_directory_record_is_kept_as_it_was_ordered(command, table, record, value):
    state = State(0)
    entry = decided(state, command)
    assert entry.kind is EntryKind.DIRECTORY_SET
    assert (entry.record.table, entry.record.id) == (table, record)
    assert type(value).model_validate_json(orjson.dumps(entry.record.value)) == value
    assert state.books[f"{table}/{record}"].record == entry.record


def terminal_on(state: State) -> Terminal:
    record = state.books["terminals/kiosk-1"].record
    assert record is not None
    return Terminal.model_validate_json(orjson.dumps(record.value))


def test_a_key_is_enrolled_when_it_is_decided_and_keeps_that_time():
    state = State(0)
    decided(state, set_terminal(), AT)
    assert [key.enrolled_at for key in terminal_on(state).keys] == [ms_instant(AT)]
    two = a_terminal(keys=(a_public_key("kiosk-1:1"), a_public_key("kiosk-1:2", "B")), address="Station")
    decided(state, set_terminal(two, "second"), AT + 1_500)
    assert [key.enrolled_at for key in terminal_on(state).keys] == [ms_instant(AT), ms_instant(AT + 1_500)]
    assert terminal_on(state).address == "Station"


def test_an_enrollment_time_in_the_order_is_not_believed():
    state = State(0)
    decided(state, set_terminal(a_terminal(keys=(a_public_key(enrolled_at=ms_instant(0)),))))
    assert terminal_on(state).keys[0].enrolled_at == NOW


def test_a_key_is_revoked_once():
    state = a_state(set_terminal())
    assert decided(state, revoke_key(), AT + 1).kind is EntryKind.DIRECTORY_SET
    assert decided(state, revoke_key(command_id="again"), AT + 9).kind is EntryKind.DIRECTORY_SET
    assert terminal_on(state).keys[0].revoked_at == ms_instant(AT + 1)


def with_revoked_key() -> State:
    state = a_state(set_terminal())
    decided(state, revoke_key(), AT + 1)
    return state


def with_revoked_key_dropped() -> State:
    state = with_revoked_key()
    decided(state, set_terminal(a_terminal(keys=(a_public_key("kiosk-1:2", "B"),)), "second"))
    return state


REVOKED = a_public_key(revoked_at=NOW)


@pytest.mark.parametrize(
    ("prepared", "command", "words"),
    [
        (lambda: a_state(set_terminal()), set_terminal(a_terminal(agent="T"), "x"), "belongs to agent S"),
        (lambda: a_state(set_terminal()), set_terminal(a_terminal(tree="B"), "x"), "belongs to agent S in tree A"),
        (
            lambda: a_state(set_terminal()),
            set_terminal(a_terminal(keys=(a_public_key(x="B"),)), "x"),
            "another key has the id",
        ),
        (lambda: a_state(set_terminal()), set_terminal(a_terminal(keys=(REVOKED,)), "x"), "an order of its own"),
        (lambda: State(0), set_terminal(a_terminal(keys=(REVOKED,)), "x"), "cannot be revoked already"),
        (lambda: State(0), set_terminal(a_terminal(keys=(a_public_key(), a_public_key())), "x"), "twice"),
        (with_revoked_key, set_terminal(a_terminal(), "x"), "cannot come back"),
        (with_revoked_key_dropped, set_terminal(a_terminal(), "x"), "cannot come back"),
        (with_revoked_key_dropped, set_terminal(a_terminal(keys=(a_public_key(x="C"),)), "x"), "another key has"),
        (
            lambda: a_state(set_payee()),
            set_payee(a_payee(currency="USD"), "x"),
            "payee mobile is paid in RUB, which stays",
        ),
        (lambda: State(0), revoke_key(), "no terminal kiosk-1"),
        (lambda: a_state(set_terminal()), revoke_key("kiosk-1:9"), "no key kiosk-1:9"),
        (lambda: a_state(set_tariff()), set_tariff(command_id="x"), "version 1 is on file"),
        (lambda: a_state(set_tariff(a_tariff(version=7))), set_tariff(a_tariff(version=6), "x"), "version 7"),
        (
            lambda: a_state(set_operator()),
            set_operator(an_operator(keys=(a_public_key("chief:1", "B"),)), "x"),
            "another key has the id",
        ),
    ],
)
def test_a_record_that_may_not_replace_the_one_on_file_is_refused(prepared, command: Instruct, words):
    state = prepared()
    before = state.books[command.book].record if command.book in state.books else None
    entry = decided(state, command)
    assert entry.kind is EntryKind.REFUSED
    assert words in entry.reason
    assert state.books[command.book].record == before


def test_a_terminal_with_a_revoked_key_can_still_be_changed():
    """The record is read, changed and sent back: the revoked key in it stays revoked since the same moment."""
    state = with_revoked_key()
    changed = terminal_on(state).model_copy(update={"address": "Station"})
    assert decided(state, set_terminal(changed, "x")).kind is EntryKind.DIRECTORY_SET
    assert terminal_on(state) == changed


def test_a_newer_tariff_replaces_the_one_on_file():
    state = a_state(set_tariff())
    entry = decided(state, set_tariff(a_tariff(version=2), "x"))
    assert (entry.kind, entry.record.value["version"]) == (EntryKind.DIRECTORY_SET, 2)


def test_an_operator_gets_a_further_key():
    state = a_state(set_operator())
    both = an_operator(keys=(a_public_key("chief:1"), a_public_key("chief:2", "B")))
    entry = decided(state, set_operator(both, "x"), AT + 1)
    keys = Operator.model_validate_json(orjson.dumps(entry.record.value)).keys
    assert [key.enrolled_at for key in keys] == [NOW, ms_instant(AT + 1)]
