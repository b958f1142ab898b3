"""The audit of registries: what it proves of a sound ledger, and what it finds in one that is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from console.audit_ledger import LedgerAudit
from console.audit_payments import PaymentAudit
from console.audit_registries import HEARD_AFTER_MS, RegistryAudit
from schemas.entry import Entry, EntryKind
from schemas.registry import registry_book
from tests.builders import a_deposit, open_agent
from tests.builders_offline import FIRST, Offices, answer, place_offline, registry_delivered, registry_due

BOOK = registry_book("water")
Log = list[Entry]


def a_day() -> dict[str, Log]:
    """Two registries of three payments: accepted, rejected, and one without an answer; a fourth in the open one."""
    world = Offices.with_registries(open_agent("A"), open_agent("S", "A"), a_deposit("S", 1_000_000))
    for number in (1, 2, 3):
        world.ask(place_offline(number))
    world.deliver()
    for command in (
        registry_due(), registry_delivered(), answer((FIRST, 95_000, True), (FIRST + 1, 95_000, False)),
        registry_due(2), place_offline(4),
    ):  # fmt: skip
        world.ask(command)
        world.deliver()
    return world.logs


def found(logs: Iterable[Log]) -> dict[str, list[str]]:
    audit, payments, ledger = RegistryAudit(), PaymentAudit(), LedgerAudit()
    for partition, log in enumerate(logs):
        for offset, entry in enumerate(log):
            audit.see(partition, offset, entry)
            payments.see(partition, offset, entry)
            ledger.see(partition, offset, entry)
    checks = [*audit.checks(), *payments.checks(ledger)]
    return {check.name: check.failures for check in checks if check.failures}


def test_a_sound_ledger_passes_whichever_book_is_read_first():
    logs = a_day()
    assert found(logs.values()) == {}
    assert found(reversed(logs.values())) == {}


def test_what_is_between_two_books_is_a_note_and_after_an_hour_a_failure():
    logs = a_day()
    audit = RegistryAudit()
    for entry in [*logs["A"], *(one for one in logs[BOOK] if one.kind is not EntryKind.REGISTRY_LINE)][:6]:
        audit.see(0, 0, entry)
    _, payments = audit.checks()
    assert (payments.failures, payments.note) == ([], "1 between two books")
    audit.see(0, 0, replace(logs["A"][0], at=logs["A"][0].at + 2 * HEARD_AFTER_MS))
    _, payments = audit.checks()
    assert len(payments.failures) == 1
    assert "it is queued and has no line" in payments.failures[0]


def _line(entry: Entry, **changes: object) -> Entry:
    return replace(entry, registry=replace(entry.registry, line=replace(entry.registry.line, **changes)))


def _cut(entry: Entry, **changes: object) -> Entry:
    return replace(entry, registry=replace(entry.registry, cut=replace(entry.registry.cut, **changes)))


def _changed(kind: EntryKind, change: Callable[[Entry], Entry]) -> Callable[[Log], Log]:
    """The first entry of this kind, changed."""

    def broken(log: Log) -> Log:
        at = next(place for place, entry in enumerate(log) if entry.kind is kind)
        return [*log[:at], change(log[at]), *log[at + 1 :]]

    return broken


def _without(kind: EntryKind) -> Callable[[Log], Log]:
    def broken(log: Log) -> Log:
        gone = next(entry for entry in log if entry.kind is kind)
        return [entry for entry in log if entry is not gone]

    return broken


def _twice(kind: EntryKind) -> Callable[[Log], Log]:
    return lambda log: [*log, next(entry for entry in log if entry.kind is kind)]


LINE, CUT, DELIVERED, ANSWERED = (
    EntryKind.REGISTRY_LINE, EntryKind.REGISTRY_CUT, EntryKind.REGISTRY_DELIVERED, EntryKind.REGISTRY_ANSWERED,
)  # fmt: skip


@pytest.mark.parametrize(
    ("book", "broken", "check"),
    [
        (BOOK, _without(LINE), "registries.chain"),
        (BOOK, _twice(LINE), "registries.chain"),
        (BOOK, _changed(LINE, lambda one: _line(one, amount=94_999)), "registries.payments"),
        (BOOK, _changed(LINE, lambda one: _line(one, subscriber={"phone": "9160000000"})), "registries.payments"),
        (BOOK, _changed(LINE, lambda one: replace(one, cause=replace(one.cause, by="chief:1"))), "registries.chain"),
        (BOOK, _changed(CUT, lambda one: _cut(one, total=1)), "registries.chain"),
        (BOOK, _changed(CUT, lambda one: _cut(one, digest="0" * 32)), "registries.chain"),
        (BOOK, _without(CUT), "registries.chain"),
        (BOOK, _twice(DELIVERED), "registries.chain"),
        (BOOK, _without(DELIVERED), "registries.chain"),
        (BOOK, _twice(ANSWERED), "registries.chain"),
        (BOOK, _changed(ANSWERED, lambda one: replace(one, registry=None)), "registries.chain"),
        (BOOK, _changed(ANSWERED, lambda one: replace(one, registry=replace(one.registry, answers=tuple(
            replace(said, accepted=not said.accepted) for said in one.registry.answers)))), "registries.payments"),
        ("A", _changed(EntryKind.POSTED, lambda one: replace(one, document="")), "registries.payments"),
        ("A", _changed(EntryKind.POSTED, lambda one: replace(one, cause=replace(one.cause, by="chief:1"))),
         "payments.evidence"),
        ("A", _changed(EntryKind.QUEUED, lambda one: replace(one, cause=replace(one.cause, by="dispatch"))),
         "payments.evidence"),
        ("A", _without(EntryKind.QUEUED), "payments.evidence"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(book: str, broken: Callable[[Log], Log], check: str):
    logs = a_day()
    logs[book] = broken(logs[book])
    assert check in found(logs.values())
