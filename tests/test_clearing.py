"""Money between trees: two entries, each balanced, and nothing in between is lost, doubled or forgotten."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b

import orjson
import pytest
from pydantic import TypeAdapter

from schemas.command import COMMAND
from schemas.entry import Entry, EntryKind
from schemas.keys import SERVER_KID
from streams.ledger.clearing import UNDER_WAY_MAX, called_for
from streams.ledger.decisions import Conflict, Duplicate
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.evolve import evolve
from streams.ledger.image import StateImage, image_of, state_of
from streams.ledger.memory import leaving, let_go
from streams.ledger.replies import replies_to, reply_again
from streams.ledger.state import State
from streams.outbox import Outbox
from streams.topics import COMMANDS
from tests.builders import (
    a_deposit,
    a_place,
    a_transfer,
    an_instruct,
    block,
    close,
    folded,
    legs,
    open_agent,
)
from tests.builders_clearing import Partitions, a_transfer_to, called_for_by, sums, two_trees

IMAGES: TypeAdapter[StateImage] = TypeAdapter(StateImage)


def test_a_transfer_to_another_tree_is_two_entries_each_balanced_and_a_third_that_says_it_arrived():
    world = two_trees()
    sent = world.one(a_transfer_to("B", "S", "Y", 500, comment="for March"))
    assert (sent.kind, legs(sent)) == (EntryKind.TRANSFER_SENT, [("agent:S", -500), ("clearing:B", 500)])
    assert (sent.document, sent.reason) == ("Memo 3", "for March")
    assert world.cleared() == 500, "it is under way"
    received, confirmed = world.deliver()
    assert (received.kind, legs(received)) == (EntryKind.TRANSFER_RECEIVED, [("clearing:A", -500), ("agent:Y", 500)])
    assert (received.book, received.document, received.reason) == ("B", "Memo 3", "for March")
    assert (confirmed.book, confirmed.kind, confirmed.legs) == ("A", EntryKind.TRANSFER_CONFIRMED, ())
    assert world.books() == {
        "A": {"bank": -2_000, "agent:S": 1_500, "clearing:B": 500},
        "B": {"bank": -100, "agent:Y": 600, "clearing:A": -500},
    }
    assert world.cleared() == 0
    assert {one.crossing for one in (sent, received, confirmed)} == {sent.crossing}


TAKERS = (
    (a_transfer_to("B", "S", "nobody"), "there is no agent nobody in tree B"),
    (a_transfer_to("Z", "S", "Y"), "there is no tree Z"),
    (a_transfer_to("B", "S", "P"), "agent P spends the money of B: transfer to that one"),
    (a_transfer_to("B", "S", "X"), "agent X is closed"),
    (a_transfer_to("D", "S", "D"), "agent D is in USD, the transfer is in RUB"),
)


@pytest.mark.parametrize(("command", "words"), TAKERS)
def test_what_the_other_tree_cannot_take_comes_back_and_whoever_asked_hears_why(command, words):
    world = two_trees(trees=("A", "B", "D", "Z"))
    for one in (
        open_agent("P", "B", "B", funding="shared"), open_agent("X", "B", "B"), close("X", "B"),
        open_agent("D", tree="D", currency="USD"),
    ):  # fmt: skip
        world.ask(one)
    before = sums(world.books())
    world.ask(command)
    rejected, returned = world.deliver()
    assert (rejected.kind, rejected.legs, rejected.refusal, rejected.reason) == (
        EntryKind.TRANSFER_REJECTED, (), 300, words,
    )  # fmt: skip
    assert (returned.kind, legs(returned)[1], returned.reason) == (
        EntryKind.TRANSFER_RETURNED, ("agent:S", 500), words,
    )  # fmt: skip
    assert sums(world.books()) == before
    assert replies_to(rejected) == []
    ((who, reply),) = replies_to(returned)
    assert (who, reply.id, reply.state, reply.code, reply.reason, reply.final) == (
        "chief", command.command.id, "REFUSED", 300, words, True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (a_transfer_to("A", "S", "A"), 300, "both agents are in tree A: name no other tree"),
        (a_transfer_to("B", "S", "Y", 2_001), 220, "agent S has 20.00 RUB to give"),
        (a_transfer_to("B", "S", "Y", currency="USD"), 300, "agent S is in RUB, the transfer is in USD"),
        (a_transfer_to("B", "nobody", "Y"), 300, "there is no agent nobody in tree A"),
        (a_transfer_to("B", "X", "Y"), 300, "agent X is closed"),
        (a_transfer_to("B", "P", "Y"), 300, "agent P spends the money of A: transfer from that one"),
        (a_transfer_to("B", "T", "Y", 5), 300, "agent T is blocked: it gives no money away"),
    ],
)
def test_what_could_not_be_given_within_the_tree_does_not_leave_it(command, code, words):
    world = two_trees()
    for one in (
        open_agent("P", "A", funding="shared"), open_agent("X", "A"), close("X"), open_agent("T", "A"),
        a_deposit("T", 50), block("T"),
    ):  # fmt: skip
        world.ask(one)
    entry = world.one(command)
    assert (entry.kind, entry.refusal, entry.reason, entry.legs) == (EntryKind.REFUSED, code, words, ())
    assert world.on_the_way == []


def test_nobody_gives_to_another_tree_what_payers_whose_cash_is_taken_wait_for():
    world = two_trees(money=100)
    world.ask(a_place(collected=100_000))
    assert world.one(a_transfer_to(amount=1)).reason == "1 payments whose cash is taken wait for the money of S first"


def test_money_that_comes_rouses_what_waits_for_it_and_so_does_money_that_comes_back():
    world = two_trees(money=200_000)
    world.ask(a_place(book="B", agent="Y", collected=100_000))
    world.ask(a_transfer_to("B", "S", "Y", 150_000))
    assert [one.kind for one in world.deliver()][:2] == [EntryKind.TRANSFER_RECEIVED, EntryKind.HELD]
    world = two_trees(money=100_000)
    world.ask(a_transfer_to("Z", "S", "Y", 50_000))
    world.ask(a_place(collected=100_000))
    world.states["Z"], world.logs["Z"] = State(2), []
    assert [one.kind for one in world.deliver()][1:] == [EntryKind.TRANSFER_RETURNED, EntryKind.HELD]


def test_what_is_delivered_again_changes_nothing_and_nobody_is_told():
    world = two_trees()
    world.ask(a_transfer_to())
    receive = world.on_the_way[0]
    world.deliver()
    before = world.books()
    again = world.ask(receive)
    assert isinstance(again, Duplicate)
    assert world.books() == before
    outbox = Outbox(world.states["B"])
    outbox.duplicate(again, SERVER_KID)
    assert outbox.close() == []


def test_another_content_under_the_id_is_a_conflict():
    world = two_trees()
    world.ask(a_transfer_to())
    receive = world.on_the_way[0].command
    world.deliver()
    more = receive.model_copy(update={"crossing": replace(receive.crossing, amount=501)})
    assert isinstance(world.ask(an_instruct(more, SERVER_KID)), Conflict)


def test_the_command_is_written_with_the_entry_under_the_other_tree_s_key_and_reads_back():
    world = two_trees()
    sent = world.one(a_transfer_to())
    outbox = Outbox(world.states["A"])
    outbox.entry(sent)
    (record,) = [one for one in outbox.close() if one.topic == COMMANDS.name]
    assert (record.key, record.partition, record.to_sign) == (b"B", -1, True)
    command = COMMAND.validate_json(record.value)
    assert command == called_for(Entry.decode(sent.encode()))
    assert (command.id, command.tree) == (f"clearing.A.{sent.seq}", "B")


def test_whoever_asked_hears_that_it_left_and_then_that_it_arrived_and_so_when_asked_again():
    world = two_trees()
    command = a_transfer_to()
    sent = world.one(command)
    again = world.ask(command)
    _, confirmed = world.deliver()
    late = world.ask(command)
    heard = [replies_to(sent)[0], ("chief", reply_again(again)), replies_to(confirmed)[0], ("chief", reply_again(late))]
    assert [(who, one.id, one.state, one.final) for who, one in heard] == [
        ("chief", "send-S-Y", "DONE", False),
        ("chief", "send-S-Y", "DONE", False),
        ("chief", "send-S-Y", "DONE", True),
        ("chief", "send-S-Y", "DONE", True),
    ]
    world.ask(command := a_transfer_to("B", "S", "nobody"))
    world.deliver()
    assert reply_again(world.ask(command)).state == "REFUSED"


def test_two_trees_on_one_partition_hear_of_each_other_likewise():
    world = two_trees()
    state = State(0)
    one = Partitions({"A": state, "B": state}, {"A": [], "B": []})
    for entry in [*world.logs["A"], *world.logs["B"]]:
        evolve(state, entry)
    one.ask(a_transfer_to())
    assert [entry.kind for entry in one.deliver()] == [EntryKind.TRANSFER_RECEIVED, EntryKind.TRANSFER_CONFIRMED]
    assert one.books()["B"]["agent:Y"] == 600


def test_who_sent_money_is_not_closed_before_its_end_is_known():
    world = two_trees(money=500)
    world.ask(a_transfer_to())
    assert world.one(close("S")).reason == "1 transfers of agent S to other trees are under way; they must end before"
    assert world.one(close("A")).kind is EntryKind.REFUSED
    world.deliver()
    assert world.one(close("S", id="now")).kind is EntryKind.AGENT_CLOSED


def test_a_tree_has_so_much_under_way_and_no_more():
    world = two_trees(money=UNDER_WAY_MAX + 1)
    for number in range(UNDER_WAY_MAX):
        world.ask(a_transfer_to(amount=1, id=f"send-{number}"))
    refused = world.one(a_transfer_to(amount=1, id="one-more"))
    assert (refused.refusal, refused.reason) == (
        1, "1000 transfers from tree A to others are under way already; repeat later",
    )  # fmt: skip
    world.deliver()
    assert world.one(a_transfer_to(amount=1, id="then")).kind is EntryKind.TRANSFER_SENT


def test_at_every_prefix_of_both_logs_nothing_is_lost_and_delivering_all_again_completes_it():
    """A crash leaves a prefix of each log, and every command stays on its topic: whatever was lost is decided again."""
    whole = two_trees()
    asked = [a_transfer_to("B", "S", "Y", 500), a_transfer_to("B", "S", "nobody", 300), a_transfer("S", "A", 100)]
    begin = {tree: len(log) for tree, log in whole.logs.items()}
    for command in asked:
        whole.ask(command)
    whole.deliver()
    end, total = whole.books(), sums(whole.books())
    for in_a in range(begin["A"], len(whole.logs["A"]) + 1):
        for in_b in range(begin["B"], len(whole.logs["B"]) + 1):
            world = Partitions.of()
            for tree, length in (("A", in_a), ("B", in_b)):
                world.logs[tree] = whole.logs[tree][:length]
                world.states[tree] = folded(world.logs[tree], world.states[tree].partition)
            for command in asked:
                world.ask(command)
            world.on_the_way = called_for_by([*world.logs["A"], *world.logs["B"]])
            world.deliver()
            assert world.books() == end
            assert (world.cleared(), sums(world.books())) == (0, total)


def test_a_fold_that_went_through_a_snapshot_knows_what_is_under_way():
    world = two_trees()
    world.ask(a_transfer_to())
    state = world.states["A"]
    let_go(state)
    world.states["A"] = state_of(IMAGES.validate_json(orjson.dumps(image_of(state))))
    assert world.states["A"].books["A"].under_way == state.books["A"].under_way != {}
    assert [one.kind for one in world.deliver()] == [EntryKind.TRANSFER_RECEIVED, EntryKind.TRANSFER_CONFIRMED]
    assert list(leaving(world.states["A"])), "the command that asked for it has an end to be archived"


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (EntryKind.TRANSFER_SENT, {"number": 99}),
        (EntryKind.TRANSFER_SENT, {"origin": "B"}),
        (EntryKind.TRANSFER_CONFIRMED, {"amount": 1}),
        (EntryKind.TRANSFER_CONFIRMED, {"number": 99}),
        (EntryKind.TRANSFER_RECEIVED, {"target": "A"}),
    ],
)
def test_the_fold_finds_an_entry_that_does_not_continue_its_transfer(kind, changes):
    world = two_trees()
    world.ask(a_transfer_to())
    world.deliver()
    log = world.logs["B" if kind is EntryKind.TRANSFER_RECEIVED else "A"]
    at = next(place for place, one in enumerate(log) if one.kind is kind)
    log[at] = replace(log[at], crossing=replace(log[at].crossing, **changes))
    with pytest.raises(LedgerCorrupt, match="does not fit transfer"):
        folded(log[: at + 1])


def test_what_is_not_under_way_does_not_come_back():
    world = two_trees()
    world.ask(a_transfer_to("B", "S", "nobody"))
    world.ask(world.on_the_way.pop(0))
    (back,) = world.on_the_way
    world.deliver()
    other = back.command.model_copy(update={"id": "clearing.B.99"})
    entry = world.one(an_instruct(other, SERVER_KID))
    assert (entry.kind, entry.reason) == (EntryKind.REFUSED, "transfer 4 of tree A is not under way")
    assert replies_to(entry) == []


def test_a_transfer_within_the_tree_is_the_command_it_was():
    """Its digest is that of a release that knew no other tree."""
    command = a_transfer("A", "S", 5).command
    content = command.model_dump(mode="json")
    del content["to_tree"]
    canonical = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    assert command.digest() == blake2b(canonical, digest_size=16).hexdigest()
    assert command.digest() != a_transfer("A", "S", 5, to_tree="B").command.digest()
