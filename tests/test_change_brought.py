"""Change of one tree spent in another: it is brought there under its code, and whoever has that spends it there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.entry import EntryKind
from schemas.keys import SERVER_KID
from streams.ledger.clearing import called_for
from streams.ledger.decisions import Duplicate
from streams.ledger.replies import replies_to
from streams.ledger.state import State
from tests.audit_ledgers import failed, rechained
from tests.builders import TERMINAL_KID, a_pay_out, a_settle, balances, close, legs, open_agent
from tests.builders_change import CHANGE, CODE, LEFT, MARK, OTHER_CODE, example_3, spending
from tests.builders_clearing import Partitions, bring, two_trees


def with_change(**partitions: object) -> Partitions:
    """Two trees; A keeps the 17750 of Ex. 3 under CODE, which are agent S's cash; and Y of B has 100."""
    world = two_trees(money=49_300, **partitions)
    for command in example_3(), a_settle():
        world.ask(command)
    return world


def test_change_is_brought_to_another_tree_and_spent_there():
    world = with_change()
    sent = world.one(bring(CODE, LEFT))
    assert (sent.kind, legs(sent)) == (EntryKind.TRANSFER_SENT, [(CHANGE, -LEFT), ("clearing:B", LEFT)])
    received, _ = world.deliver()
    assert (received.kind, legs(received)) == (EntryKind.TRANSFER_RECEIVED, [("clearing:A", -LEFT), (CHANGE, LEFT)])
    held = world.one(spending(book="B", agent="Y"))
    assert (held.kind, legs(held)[0]) == (EntryKind.HELD, (CHANGE, -LEFT))
    world.ask(a_settle("kiosk-1.9", book="B"))
    assert balances(world.states["B"], "B") == {
        "bank": -100, "clearing:A": -LEFT, "payee:mobile": 16_750, "fee": 300, "agent:Y": 100 + 700,
    }  # fmt: skip
    assert world.cleared() == 0


def test_part_of_it_is_brought_and_handed_out_and_the_rest_stays():
    world = with_change()
    world.ask(bring(CODE, 10_000))
    world.deliver()
    assert world.states["A"].books["A"].accounts[CHANGE, "RUB"].balance == 7_750
    paid = world.one(a_pay_out(CODE, "Y", 10_000, "B"))
    assert (paid.kind, legs(paid)) == (EntryKind.CHANGE_PAID_OUT, [(CHANGE, -10_000), ("agent:Y", 10_000)])


def test_it_comes_back_under_its_code():
    world = with_change(trees=("A", "B", "D", "Z"))
    before = world.books()["A"]
    world.ask(open_agent("D", tree="D", currency="USD"))
    world.ask(a_pay_out(CODE, "S", 1))
    for tree, words in ("Z", "there is no tree Z"), ("D", "agent D is in USD, the change is in RUB"):
        command = bring(CODE, 500, to_tree=tree, by=TERMINAL_KID)
        world.ask(command)
        rejected, returned = world.deliver()
        assert (rejected.reason, returned.kind, legs(returned)[1]) == (
            words,
            EntryKind.TRANSFER_RETURNED,
            (CHANGE, 500),
        )
        ((who, reply),) = replies_to(returned)
        assert (who, reply.state, reply.reason, reply.final) == ("kiosk-1", "REFUSED", words, True)
    assert world.books()["A"][CHANGE] == before[CHANGE] - 1


def test_a_tree_whose_root_is_closed_takes_none():
    world = with_change()
    world.states["B"], world.logs["B"] = State(1), []
    for command in open_agent("B", tree="B"), close("B", "B"):
        world.ask(command)
    world.ask(bring(CODE, 500))
    assert world.deliver()[0].reason == "agent B is closed"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (bring(OTHER_CODE, 5), "no change in RUB is kept under this in tree A"),
        (bring(CODE, 5, currency="USD"), "no change in USD is kept under this in tree A"),
        (bring(CODE, LEFT + 1), f"{LEFT} minor units of change are left, not {LEFT + 1}"),
        (bring(CODE, 5, to_tree="A"), "the change is kept in tree A already: it can be spent there"),
    ],
)
def test_what_is_not_there_does_not_leave(command, words):
    world = with_change()
    entry = world.one(command)
    assert (entry.kind, entry.refusal, entry.reason, entry.legs) == (EntryKind.REFUSED, 300, words, ())


def test_a_root_is_not_closed_while_its_payers_change_is_under_way():
    world = with_change()
    state = world.states["A"]
    world.ask(bring(CODE, LEFT))
    assert not state.books["A"].accounts[CHANGE, "RUB"].balance
    assert world.one(close("A")).kind is EntryKind.REFUSED
    assert state.books["A"].under_way


def test_the_code_is_in_no_entry_and_in_nothing_one_tree_says_to_another():
    world = with_change()
    world.ask(bring(CODE, LEFT))
    world.deliver()
    log = [*world.logs["A"], *world.logs["B"]]
    said = [command.model_dump_json() for one in log if (command := called_for(one)) is not None]
    assert len(said) == 2
    assert not any(CODE in text for text in [*said, *(one.encode().decode() for one in log)])
    assert MARK in said[0]


def test_a_terminal_asks_and_is_told_and_asking_again_brings_no_more():
    world = with_change()
    command = bring(CODE, 500, by=TERMINAL_KID)
    sent = world.one(command)
    world.deliver()
    assert [who for who, _ in replies_to(sent)] == ["kiosk-1"]
    assert isinstance(world.ask(command), Duplicate)
    assert world.books()["B"][CHANGE] == 500
    assert sent.cause.by != SERVER_KID


def test_the_audit_passes_it_and_finds_change_that_became_an_agent_s():
    world = with_change()
    world.ask(bring(CODE, 500))
    world.deliver()
    log = [*world.logs["A"], *world.logs["B"]]
    assert failed(log) == set()
    at = next(place for place, one in enumerate(log) if one.kind is EntryKind.TRANSFER_RECEIVED)
    entry = log[at]
    stolen = entry.legs[0], replace(entry.legs[1], account="agent:Y")
    log[at] = replace(entry, legs=stolen, crossing=replace(entry.crossing, taker="agent:Y"))
    assert {"ledger.movements", "clearing.pairs"} <= failed(rechained(log))


def test_what_was_brought_is_handed_out_once():
    world = with_change()
    world.ask(bring(CODE, 500))
    world.deliver()
    assert world.one(a_pay_out(CODE, "Y", 500, "B")).kind is EntryKind.CHANGE_PAID_OUT
    assert world.one(a_pay_out(CODE, "Y", 1, "B", id="again")).kind is EntryKind.REFUSED
