"""Registries: what is queued gets a line, what is cut gets a number, what is answered becomes POSTED or VOIDED.

A payment's tree and its payee's registries are different keys, maybe on different partitions: they talk by commands
that the writer signs in the transaction of the entry that calls for them. A line belongs to the registry that is open
when it arrives, so what comes after the cut is in the next one, by construction.
"""

from __future__ import annotations

from dataclasses import replace

from schemas.entry import Cause, Entry, EntryKind
from schemas.registry import RegistryCut, RegistryDelivery, RegistryLine, RegistryNote, registry_book
from schemas.registry_command import AddToRegistry, CutRegistry, DeliverRegistry, RegistryOrder
from streams.ledger.commands import Instruct, RegistryDelivered, RegistryDue, RegistryTerms
from streams.ledger.decisions import Stale
from streams.ledger.objections import Objection, no
from streams.ledger.origins import REGISTRY, TIMER
from streams.ledger.registry_answers import answer_lines
from streams.ledger.registry_state import OpenRegistry, Registries, RegistryUnderWay
from streams.ledger.state import Book, State

# A registry stays in memory until it is answered, and its file in one mail. One that is full is cut before its time.
LINES_MAX = 20_000


def queue(state: State, entry: Entry) -> Entry | None:
    """QUEUED, after a HELD of a payment whose payee is served offline."""
    facts = entry.payment
    if entry.kind is not EntryKind.HELD or facts is None or facts.served != "offline":
        return None
    book = state.books[entry.book]
    cause = Cause(facts.id, "", REGISTRY)
    return Entry(book.id, book.seq + 1, EntryKind.QUEUED, entry.at, cause, payment=facts)


def add_line(book: Book, command: Instruct, order: AddToRegistry, at: int) -> list[Entry]:
    """REGISTRY_LINE; before it REGISTRY_CUT, when the open registry is full or in another currency."""
    registry, entries = _open(book), list[Entry]()
    number = registry.number
    if len(registry.lines) >= LINES_MAX or registry.currency not in ("", order.currency):
        cause = Cause(f"registry/{order.payee}/{number}", "", REGISTRY)
        blank = Entry(book.id, book.seq + 1, EntryKind.REGISTRY_CUT, at, cause)
        entries.append(_cut(registry, order.payee, command.registry, 0, blank))
        number += 1
    line = RegistryLine(
        order.txn, order.payment, order.tree, order.subscriber, order.amount, order.currency, order.paid_at
    )  # fmt: skip
    cause = Cause(order.id, command.digest, command.by)
    note = RegistryNote(order.payee, number, line=line)
    seq = book.seq + len(entries) + 1
    return [*entries, Entry(book.id, seq, EntryKind.REGISTRY_LINE, at, cause, registry=note)]


def cut_when_due(book: Book | None, command: RegistryDue, at: int) -> Entry | Stale:
    """REGISTRY_CUT, also of a registry without lines; Stale when that is not the one that is open."""
    book = book or Book(registry_book(command.payee))
    registry = _open(book)
    if registry.number != command.number:
        return Stale(f"registry {command.number} of payee {command.payee} is not open: {registry.number} is")
    cause = Cause(f"registry/{command.payee}/{command.number}", "", TIMER)
    blank = Entry(book.id, book.seq + 1, EntryKind.REGISTRY_CUT, at, cause)
    return _cut(registry, command.payee, command.terms, command.due_at, blank)


def note_delivery(book: Book | None, command: RegistryDelivered, at: int) -> Entry | Stale:
    """REGISTRY_DELIVERED; Stale when it was said before."""
    under_way = _under_way(book, command.number)
    if book is None or under_way is None or under_way.delivered_at:
        return Stale(f"registry {command.number} of payee {command.payee} waits for no delivery")
    cause = Cause(f"delivery/{command.payee}/{command.number}", "", TIMER)
    note = RegistryNote(command.payee, command.number, delivery=command.delivery)
    return Entry(book.id, book.seq + 1, EntryKind.REGISTRY_DELIVERED, at, cause, registry=note)


def obey_registry(book: Book, order: RegistryOrder, blank: Entry, terms: RegistryTerms | None) -> Entry | Objection:
    """What an operator orders about registries. blank: the entry but for what it says."""
    if book.registries is None and terms is None:
        return no(f"payee {order.payee} has no registries: it is not served offline")
    match order:
        case CutRegistry():
            registry = _open(book)
            if registry.number != order.number:
                is_cut = "cut already" if order.number < registry.number else "not open yet"
                return no(f"registry {order.number} of payee {order.payee} is {is_cut}: {registry.number} is open")
            return _cut(registry, order.payee, terms, 0, blank)
        case DeliverRegistry():
            return _delivered_by_hand(book, order, blank)
        case _:
            return answer_lines(book, order, blank)


def _delivered_by_hand(book: Book, order: DeliverRegistry, blank: Entry) -> Entry | Objection:
    under_way = _under_way(book, order.number)
    if order.number >= _open(book).number:
        return no(f"registry {order.number} of payee {order.payee} is not cut yet")
    if under_way is None or under_way.delivered_at:
        return no(f"registry {order.number} of payee {order.payee} is delivered already")
    note = RegistryNote(order.payee, order.number, delivery=RegistryDelivery("by hand"))
    return replace(blank, kind=EntryKind.REGISTRY_DELIVERED, registry=note, document=order.evidence)


def _cut(registry: OpenRegistry, payee: str, terms: RegistryTerms | None, due_at: int, blank: Entry) -> Entry:
    terms = terms or RegistryTerms()
    cut = RegistryCut(
        lines=len(registry.lines),
        total=registry.total,
        currency=registry.currency or terms.currency,
        digest=registry.digest,
        since=registry.since,
        until=blank.at,
        due_at=due_at,
        form=terms.form,
        time_zone=terms.time_zone,
    )
    return replace(blank, kind=EntryKind.REGISTRY_CUT, registry=RegistryNote(payee, registry.number, cut=cut))


def _open(book: Book) -> OpenRegistry:
    return (book.registries or Registries()).current


def _under_way(book: Book | None, number: int) -> RegistryUnderWay | None:
    return book.registries.under_way.get(number) if book is not None and book.registries is not None else None
