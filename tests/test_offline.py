"""Payees served offline: what is queued, when a registry is cut, what its answer leads to, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.entry import Entry, EntryKind
from schemas.offline import HttpUpload, MailDrop
from schemas.registry import RegistryNote, registry_book
from streams.ledger import registries
from streams.ledger.decisions import Conflict, Duplicate, Stale
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.evolve import evolve
from streams.ledger.image import image_of, state_of
from streams.ledger.perform import perform
from streams.ledger.replies import replies_to
from streams.ledger.state import State
from tests.builders import (
    AT,
    NOW,
    a_deposit,
    a_place,
    a_resolve,
    a_settle,
    a_state,
    an_instruct,
    balances,
    folded,
    open_agent,
    set_payee,
)
from tests.builders_offline import (
    FIRST,
    Offices,
    an_offline_payee,
    answer,
    cut,
    deliver,
    place_offline,
    registry_delivered,
    registry_due,
    some_terms,
)
from tests.builders_reversal import a_reversal

BOOK = registry_book("water")


def offices(money: int = 1_000_000) -> Any:
    return Offices.with_registries(open_agent("A"), open_agent("S", "A"), a_deposit("S", money))


def queued(count: int = 1, *, hear: bool = True, **changes: Any) -> Any:
    """A's books after so many payments to water; hear: their lines have arrived."""
    world = offices()
    for number in range(1, count + 1):
        world.ask(place_offline(number, **changes))
    if hear:
        world.deliver()
    return world


def kinds(entries: Any) -> list[str]:
    return [entry.kind.value for entry in entries]


def payment(world: Any, number: int = 1) -> Any:
    return world.states["A"].payments[f"kiosk-1.{number}"]


def test_a_payment_is_held_and_queued_in_one_decision_and_the_terminal_hears_both():
    world = offices()
    entries = world.ask(place_offline())
    assert kinds(entries) == ["HELD", "QUEUED"]
    assert [(to, reply.state, reply.final) for one in entries for to, reply in replies_to(one)] == [
        ("kiosk-1", "HELD", False),
        ("kiosk-1", "QUEUED", False),
    ]
    assert payment(world).state is EntryKind.QUEUED
    assert not payment(world).is_outstanding
    assert balances(world.states["A"])["hold:S"] == 95_950


def test_change_is_kept_while_it_is_queued_as_before():
    world = offices()
    entries = world.ask(place_offline(collected=117_750, change_to="ab" * 16))
    assert [reply.kept for one in entries for _, reply in replies_to(one)] == [17_750, 17_750]
    assert payment(world).kept_on == "change:" + "ab" * 16


def test_what_waited_for_funds_is_queued_when_it_is_held():
    world = offices(money=1)
    assert kinds(world.ask(place_offline(collected=100_000))) == ["WAITING_FUNDS"]
    assert kinds(world.ask(a_deposit("S", 200_000, id="more"))) == ["DEPOSITED", "HELD", "QUEUED"]


def test_its_line_says_all_that_the_file_needs_and_arrives_once():
    world = queued(hear=False)
    (word,) = world.on_the_way
    (entry,) = world.deliver()
    line = entry.registry.line
    assert (entry.book, entry.kind, entry.registry.number) == (BOOK, EntryKind.REGISTRY_LINE, 1)
    assert (line.txn, line.payment, line.tree, line.amount) == (FIRST, "kiosk-1.1", "A", 95_000)
    assert line.subscriber == {"phone": "9161234567"}
    assert isinstance(world.ask(word), Duplicate)
    assert replies_to(entry) == []


def test_a_cut_registry_has_number_total_and_digest_and_what_comes_later_is_in_the_next():
    world = queued(2)
    assert kinds([world.one(registry_due())]) == ["REGISTRY_CUT"]
    world.ask(place_offline(3))
    (late,) = world.deliver()
    first, second = world.one(registry_due(number=2)), world.logs[BOOK]
    assert late.registry.number == 2
    assert (first.registry.cut.lines, first.registry.cut.total, first.registry.cut.currency) == (1, 95_000, "RUB")
    cut_1 = next(one.registry.cut for one in second if one.registry.cut is not None)
    assert (cut_1.lines, cut_1.total, cut_1.since, cut_1.form, cut_1.time_zone) == (
        2, 190_000, 0, "tsv", "Europe/Moscow",
    )  # fmt: skip
    assert first.registry.cut.since == cut_1.until
    assert cut_1.digest != first.registry.cut.digest


def test_a_registry_is_cut_also_when_it_is_empty_and_then_only_has_to_be_delivered():
    world = offices()
    entry = world.one(registry_due())
    assert (entry.registry.cut.lines, entry.registry.cut.total, entry.registry.cut.currency) == (0, 0, "RUB")
    world.ask(registry_delivered())
    assert world.states[BOOK].books[BOOK].registries.under_way == {}


def test_a_moment_that_was_kept_is_stale_and_so_is_a_delivery_that_was_said():
    world = queued()
    world.ask(registry_due())
    assert isinstance(world.ask(registry_due()), Stale)
    world.ask(registry_delivered())
    assert isinstance(world.ask(registry_delivered()), Stale)
    assert isinstance(world.ask(registry_delivered(number=7)), Stale)


def test_a_full_registry_is_cut_before_its_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registries, "LINES_MAX", 2)
    world = queued(3)
    assert kinds(world.logs[BOOK]) == ["REGISTRY_LINE", "REGISTRY_LINE", "REGISTRY_CUT", "REGISTRY_LINE"]
    assert [one.registry.number for one in world.logs[BOOK]] == [1, 1, 1, 2]
    assert world.logs[BOOK][2].registry.cut.due_at == 0


def test_a_line_in_another_currency_begins_another_registry():
    world = queued(hear=False)
    world.ask(place_offline(2))
    first, second = world.on_the_way
    abroad = second.command.model_copy(update={"currency": "USD"})
    world.on_the_way = [first, replace(second, command=abroad, digest=abroad.digest())]
    assert kinds(world.deliver()) == ["REGISTRY_LINE", "REGISTRY_CUT", "REGISTRY_LINE"]


def test_what_the_payee_accepts_is_posted_and_what_it_rejects_voided():
    world = queued(2)
    world.ask(registry_due())
    world.ask(registry_delivered())
    entry = world.one(answer((FIRST, 95_000, True), (FIRST + 1, 95_000, False)))
    assert [(to, reply.state) for to, reply in replies_to(entry)] == [("chief", "DONE")]
    ends = world.deliver()
    assert kinds(ends) == ["POSTED", "VOIDED"]
    assert [(one.document, one.reason) for one in ends] == [
        ("registry water 1", ""),
        ("registry water 1", "No such contract"),
    ]
    assert [[(to, reply.state, reply.final) for to, reply in replies_to(one)] for one in ends] == [
        [("kiosk-1", "POSTED", True)],
        [("kiosk-1", "VOIDED", True)],
    ]
    assert "hold:S" not in balances(world.states["A"])
    assert balances(world.states["A"])["payee:water"] == 93_100


def test_cash_of_a_rejected_line_is_the_payers_change():
    world = queued(collected=100_000)
    world.ask(registry_due())
    world.ask(registry_delivered())
    world.ask(answer((FIRST, 95_000, False)))
    (end,) = world.deliver()
    assert ("change:payment:kiosk-1.1", 100_000) in [(leg.account, leg.amount) for leg in end.legs]


def test_lines_leave_memory_as_they_are_answered():
    world = queued(3)
    world.ask(registry_due())
    world.ask(registry_delivered())
    world.ask(answer((FIRST, 95_000, True), id="one"))
    under_way = world.states[BOOK].books[BOOK].registries.under_way
    assert list(under_way[1].lines) == [FIRST + 1, FIRST + 2]
    world.ask(answer((FIRST + 1, 95_000, True), (FIRST + 2, 95_000, False), id="rest"))
    assert under_way == {}


def test_the_same_answer_again_changes_nothing():
    world = queued(2)
    world.ask(registry_due())
    world.ask(registry_delivered())
    first = answer((FIRST, 95_000, True))
    world.ask(first)
    again = answer((FIRST, 95_000, True), issued_at=NOW.replace(year=2027))
    assert again.digest == first.digest
    assert isinstance(world.ask(again), Duplicate)
    overlapping = world.one(answer((FIRST, 95_000, True), (FIRST + 1, 95_000, True), id="all"))
    assert [one.txn for one in overlapping.registry.answers] == [FIRST + 1]
    assert isinstance(world.ask(answer((FIRST, 95_000, False))), Conflict)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (answer((FIRST, 95_000, False)), f"line {FIRST}: it was accepted, and cannot be rejected now"),
        (answer((FIRST + 1, 95_001, True)), f"line {FIRST + 1}: its amount is 95000, not 95001"),
        (answer((FIRST + 1, 95_000, True), (FIRST + 9, 1, True)), f"line {FIRST + 9}: there is no such line"),
        (answer((FIRST, 95_000, True), number=2), "registry 2 of payee water is not delivered yet"),
        (answer((FIRST, 95_000, True), number=3), "registry 3 of payee water is not cut yet"),
        (answer((FIRST, 95_000, True), number=4), "registry 4 of payee water is not cut yet"),
        (cut(1), "registry 1 of payee water is cut already: 3 is open"),
        (cut(4), "registry 4 of payee water is not open yet: 3 is open"),
        (deliver(1), "registry 1 of payee water is delivered already"),
        (deliver(3), "registry 3 of payee water is not cut yet"),
        (cut(1, "nobody", terms=None), "payee nobody has no registries: it is not served offline"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line_and_nothing_of_it_is_done(said: Any, why: str):
    world = queued(2)
    world.ask(registry_due())
    world.ask(registry_delivered())
    world.ask(answer((FIRST, 95_000, True), id="one"))
    world.ask(registry_due(2))
    before = image_of(world.states[BOOK]).books[0].registries
    state = world.states[BOOK] if said.book == BOOK else State(5)
    (entry,) = perform(state, replace(said, command=said.command.model_copy(update={"id": "bad"})), AT)
    assert (entry.kind, entry.refusal) == (EntryKind.REFUSED, 300)
    assert why in entry.reason, entry.reason
    assert image_of(world.states[BOOK]).books[0].registries == before


def test_a_registry_that_is_answered_to_its_last_line_takes_no_further_answer():
    world = queued()
    world.ask(registry_due())
    world.ask(deliver())
    world.ask(answer((FIRST, 95_000, True)))
    entry = world.one(answer((FIRST, 95_000, True), id="other"))
    assert (entry.kind, entry.reason) == (EntryKind.REFUSED, "registry 1 of payee water is answered to its last line")


def test_an_operator_cuts_and_delivers_by_hand_with_evidence():
    world = queued()
    assert world.one(cut()).registry.cut.due_at == 0
    entry = world.one(deliver())
    assert (entry.registry.delivery.how, entry.document) == ("by hand", "By courier, receipt 8")


def test_no_gateways_answer_and_no_operator_ends_a_queued_payment_and_nothing_reverses_it():
    world = queued()
    assert isinstance(world.ask(a_settle()), Stale)
    assert "its payee's answer to that ends it" in world.one(a_resolve()).reason
    world.ask(registry_due())
    world.ask(registry_delivered())
    world.ask(answer((FIRST, 95_000, True)))
    world.deliver()
    entry = world.one(a_reversal())
    assert (entry.refusal, "served by registries" in entry.reason) == (7, True)


def test_an_answer_for_a_payment_that_waits_for_none_is_refused():
    world = queued()
    world.ask(registry_due())
    world.ask(registry_delivered())
    world.ask(answer((FIRST, 95_000, True)))
    (word,) = world.on_the_way
    world.deliver()
    for wrong in ({"payment": "kiosk-1.7"}, {"txn": FIRST + 5}, {}):
        command = word.command.model_copy(update={"id": f"registry.x{len(wrong)}{wrong.get('txn', '')}", **wrong})
        entry = world.one(replace(an_instruct(command, word.by)))
        assert entry.kind is EntryKind.REFUSED
        assert replies_to(entry) == []


def test_the_books_are_the_same_read_again_and_from_a_snapshot():
    world = queued(4)
    world.ask(registry_due())
    world.ask(registry_delivered())
    world.ask(answer((FIRST, 95_000, True), (FIRST + 3, 95_000, False)))
    world.ask(place_offline(5))
    world.deliver()
    for name, number in (("A", 0), (BOOK, 1)):
        assert folded(world.logs[name], number) == world.states[name]
        assert image_of(state_of(image_of(world.states[name]))) == image_of(world.states[name])


@pytest.mark.parametrize(
    "change",
    [
        {"number": 2},
        {"payee": "mobile"},
        {"lines": 2},
        {"total": 1},
        {"digest": "0" * 32},
        {"since": 5},
        {"currency": "USD"},
    ],
)
def test_a_cut_that_does_not_fit_its_lines_stops_the_fold(change: dict[str, Any]):
    world = queued()
    log = world.logs[BOOK] + [world.one(registry_due())]
    note = log[-1].registry
    of_note = {name: value for name, value in change.items() if name in ("number", "payee")}
    of_cut = {name: value for name, value in change.items() if name not in of_note}
    bad = replace(log[-1], registry=replace(note, cut=replace(note.cut, **of_cut), **of_note))
    with pytest.raises(LedgerCorrupt, match="registry"):
        folded([*log[:1], bad], 1)


@pytest.mark.parametrize(
    "kind", [EntryKind.REGISTRY_LINE, EntryKind.REGISTRY_DELIVERED, EntryKind.REGISTRY_ANSWERED, EntryKind.DEPOSITED]
)
def test_a_note_that_says_nothing_or_the_wrong_thing_stops_the_fold(kind: EntryKind):
    world = queued()
    log = world.logs[BOOK]
    bad: Entry = replace(log[0], seq=2, kind=kind, registry=RegistryNote("water", 1))
    with pytest.raises(LedgerCorrupt):
        evolve(folded(log, 1), bad)


def test_terms_given_again_keep_their_moment_and_others_get_a_new_one():
    state = a_state(set_payee(an_offline_payee()))
    first = state.books["payees/water"].record.value["offline"]["since"]
    assert first == "2026-01-01T00:00:00Z"
    perform(state, set_payee(an_offline_payee(max_amount=5_000), "two"), AT + 86_400_000)
    assert state.books["payees/water"].record.value["offline"]["since"] == first
    terms = some_terms(cut_off="0 3 * * *")
    perform(state, set_payee(an_offline_payee(terms=terms), "three"), AT + 86_400_000)
    assert state.books["payees/water"].record.value["offline"]["since"] == "2026-01-02T00:00:00Z"


@pytest.mark.parametrize(
    "record",
    [
        lambda: an_offline_payee(served="online"),
        lambda: an_offline_payee(offline=None),
        lambda: an_offline_payee(reversal_s=60),
        lambda: some_terms(cut_off="0 0 * *"),
        lambda: some_terms(cut_off="* * * * * *"),
        lambda: some_terms(delivery={"by": "file", "directory": "../etc"}),
        lambda: some_terms(delivery={"by": "fax"}),
        lambda: MailDrop(address="a@b\r\nBcc: c@d.example"),
        lambda: HttpUpload(url="https://user:secret@water.example/in"),
        lambda: HttpUpload(url="https://water.example/in?x=1"),
        lambda: HttpUpload(url="https://water.example/in", credentials="../key"),
    ],
)
def test_terms_that_cannot_be_are_refused(record: Any):
    with pytest.raises(ValidationError):
        record()


def test_a_record_of_old_keeps_its_content():
    kept = set(a_place().payee.model_dump())
    assert not kept & {"offline", "served"}
