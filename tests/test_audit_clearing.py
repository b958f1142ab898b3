"""What the audit says of money between trees: a sound pair passes, and every way of breaking one is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from console.audit_clearing import OPEN_AT_MOST_MS, ClearingAudit
from console.audit_ledger import LedgerAudit
from console.audit_report import Check
from schemas.entry import Entry, EntryKind
from tests.audit_ledgers import audited, rechained
from tests.builders import a_deposit
from tests.builders_clearing import Partitions, a_transfer_to, two_trees

PAIRS, ZERO = "clearing.pairs", "clearing.zero"
Log = list[Entry]


def seen(*logs: Iterable[Entry]) -> dict[str, Check]:
    """Each log is a partition's, in the order in which they are read."""
    ledger = LedgerAudit()
    clearing = ClearingAudit(ledger)
    for partition, log in enumerate(logs):
        for offset, entry in enumerate(log):
            ledger.see(partition, offset, entry)
            clearing.see(partition, offset, entry)
    return {check.name: check for check in clearing.checks()}


def a_world() -> Partitions:
    """One transfer of 500 that arrived, one of 300 that came back; A's entries 3 to 6 sent and ended them."""
    world = two_trees()
    for command in (a_transfer_to("B", "S", "Y", 500), a_transfer_to("B", "S", "nobody", 300)):
        world.ask(command)
        world.deliver()
    return world


def at(log: Log, kind: EntryKind) -> int:
    return next(place for place, one in enumerate(log) if one.kind is kind)


def test_transfers_that_arrived_and_came_back_pass_in_whatever_order_the_books_are_read():
    logs = a_world().logs
    for order in ("A", "B"), ("B", "A"):
        checks = seen(*(logs[tree] for tree in order))
        assert [(one.passed, bool(one.looked_at), one.note) for one in checks.values()] == [(True, True, "")] * 2


def test_at_every_moment_of_a_system_at_work_what_is_read_of_the_other_book_may_be_older_or_newer():
    logs = a_world().logs
    for in_a in range(len(logs["A"]) + 1):
        for in_b in range(len(logs["B"]) + 1):
            for one in seen(logs["A"][:in_a], logs["B"][:in_b]).values():
                assert one.passed, (in_a, in_b, one.failures)


def test_what_is_under_way_is_counted_and_named_and_has_an_hour():
    world = two_trees()
    world.ask(a_transfer_to())
    assert seen(*world.logs.values())[PAIRS].note == "1 under way: A.4"
    world.at += OPEN_AT_MOST_MS
    world.ask(a_deposit("Y", 1, "B", id="later"))
    assert "has no end after 60 minutes" in seen(*world.logs.values())[PAIRS].failures[0]


def _changed(tree: str, kind: EntryKind, change: Callable[[Entry], list[Entry]]) -> Callable[[dict[str, Log]], None]:
    def damage(logs: dict[str, Log]) -> None:
        place = at(logs[tree], kind)
        logs[tree][place : place + 1] = change(logs[tree][place])

    return damage


def _crossing(**changes: object) -> Callable[[Entry], list[Entry]]:
    return lambda one: [replace(one, crossing=replace(one.crossing, **changes))]


def _more(one: Entry) -> list[Entry]:
    legs = tuple(replace(leg, amount=2 * leg.amount) for leg in one.legs)
    return [replace(one, legs=legs, crossing=replace(one.crossing, amount=2 * one.crossing.amount))]


DAMAGES: dict[str, tuple[Callable[[dict[str, Log]], None], set[str]]] = {
    "more arrives than left": (_changed("B", EntryKind.TRANSFER_RECEIVED, _more), {PAIRS, ZERO}),
    "it arrives twice": (_changed("B", EntryKind.TRANSFER_RECEIVED, lambda one: [one, one]), {PAIRS, ZERO}),
    "it comes back twice": (_changed("A", EntryKind.TRANSFER_RETURNED, lambda one: [one, one]), {PAIRS, ZERO}),
    "it never arrived": (_changed("B", EntryKind.TRANSFER_RECEIVED, lambda one: []), {PAIRS}),
    "it never left": (_changed("A", EntryKind.TRANSFER_SENT, lambda one: []), {PAIRS}),
    "it arrived, and came back": (
        _changed("B", EntryKind.TRANSFER_REJECTED, lambda one: [replace(one, kind=EntryKind.TRANSFER_RECEIVED)]),
        {PAIRS, ZERO},
    ),
    "it is for another agent": (_changed("B", EntryKind.TRANSFER_RECEIVED, _crossing(taker="agent:B")), {PAIRS}),
    "it is for another tree": (_changed("A", EntryKind.TRANSFER_SENT, _crossing(target="C")), {PAIRS}),
    "it names no transfer": (
        _changed("A", EntryKind.TRANSFER_CONFIRMED, lambda one: [replace(one, crossing=None)]),
        {PAIRS},
    ),
    "another message caused it": (
        _changed("B", EntryKind.TRANSFER_RECEIVED, lambda one: [replace(one, cause=replace(one.cause, id="chief.1"))]),
        {PAIRS},
    ),
    "it moved on its own account": (
        _changed("A", EntryKind.TRANSFER_RETURNED, lambda one: [replace(one, legs=())]),
        {ZERO},
    ),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_broken_pair_is_found(what: str):
    damage, checks = DAMAGES[what]
    logs = {tree: list(log) for tree, log in a_world().logs.items()}
    damage(logs)
    found = {name for name, check in seen(*logs.values()).items() if not check.passed}
    assert found & checks == checks, what


@pytest.mark.parametrize(
    ("kind", "account"),
    [(EntryKind.TRANSFER_SENT, "bank"), (EntryKind.TRANSFER_RECEIVED, "agent:B"), (EntryKind.TRANSFER_RETURNED, "fee")],
)
def test_money_that_went_elsewhere_is_found(kind: EntryKind, account: str):
    world = a_world()
    log = [*world.logs["A"], *world.logs["B"]]
    place = at(log, kind)
    legs = log[place].legs
    log[place] = replace(log[place], legs=(legs[0], replace(legs[1], account=account)))
    assert not audited(rechained(log))["ledger.movements"].passed


def test_a_transfer_beyond_what_the_giver_had_is_found():
    world = a_world()
    log = world.logs["A"]
    place = at(log, EntryKind.DEPOSITED)
    log[place] = replace(log[place], legs=tuple(replace(leg, amount=leg.amount // 10) for leg in log[place].legs))
    assert "agent:S has -300 RUB" in " ".join(audited(rechained(log))["ledger.limits"].failures)
