"""What must become of a payee's registries: lines, cuts, deliveries, answers; and of the payments in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

import orjson

from schemas.entry import Entry
from schemas.registry import LineAnswer, RegistryCut, RegistryDelivery, RegistryLine, RegistryNote
from schemas.registry_command import (
    AddToRegistry,
    AnswerOfLine,
    AnswerRegistry,
    CutRegistry,
    DeliverRegistry,
    PaymentAnswered,
    RegistryCommand,
)
from tests.chaos.model_answer import queued_ends
from tests.chaos.model_terms import Book, Expected, Known, Sale

_OTHER, _PROHIBITS = 300, 7
_REFUSED = Expected("REFUSED", _OTHER)


@dataclass(slots=True)
class Registry:
    """lines: all it ever had. answered: number at the payee -> accepted?"""

    since: int = 0
    until: int = 0
    lines: dict[int, RegistryLine] = field(default_factory=dict)
    is_delivered: bool = False
    answered: dict[int, bool] = field(default_factory=dict)


def queued(sale: Sale | None, entry: Entry) -> list[Expected]:
    """Straight after it was held."""
    if sale is None or sale.book != entry.book or sale.state != "HELD" or sale.facts.served != "offline":
        return []
    return [Expected("QUEUED", facts=sale.facts, fields=tuple(sale.facts.subscriber))]


def registry_timed(book: Book, entry: Entry, known: Known) -> Iterable[Expected]:
    """What nobody signed: a cut-off, a delivery, or a registry that could not take the next line."""
    note = entry.registry
    if note is None or entry.cause.digest:
        return
    number, registry = _open(book)
    if entry.cause.id == f"delivery/{note.payee}/{note.number}" and entry.kind.value == "REGISTRY_DELIVERED":
        waiting = book.registries.get(note.number)
        if waiting is not None and waiting.until and not waiting.is_delivered:
            yield Expected("REGISTRY_DELIVERED", registry=RegistryNote(note.payee, note.number, delivery=note.delivery))
    elif entry.cause.id == f"registry/{note.payee}/{number}" and note.cut is not None:
        yield from _cut(registry, note.payee, number, entry.at, note.cut.due_at, known)


def registry_obeyed(book: Book, order: RegistryCommand, entry: Entry, known: Known) -> Iterable[Expected]:
    if isinstance(order, PaymentAnswered):
        return
    number, registry = _open(book)
    if isinstance(order, AddToRegistry):
        line = RegistryLine(
            order.txn, order.payment, order.tree, order.subscriber, order.amount, order.currency, order.paid_at
        )  # fmt: skip
        yield Expected("REGISTRY_LINE", registry=RegistryNote(order.payee, number, line=line))
        return
    if not book.registries and not any(one is not None and one.offline for one in known.payees(order.payee, entry.at)):
        yield _REFUSED
        return
    match order:
        case CutRegistry():
            right = order.number == number
            yield from _cut(registry, order.payee, number, entry.at, 0, known) if right else [_REFUSED]
        case DeliverRegistry():
            waiting = book.registries.get(order.number)
            if waiting is None or not waiting.until or waiting.is_delivered:
                yield _REFUSED
                return
            note = RegistryNote(order.payee, order.number, delivery=RegistryDelivery("by hand"))
            yield Expected("REGISTRY_DELIVERED", document=order.evidence, registry=note)
        case AnswerRegistry():
            yield _answered(book.registries.get(order.number), order)


def payment_answered(id: str, order: PaymentAnswered, sale: Sale | None) -> Expected:
    """id: the tree's."""
    if sale is None or (sale.book, sale.state, sale.facts.txn) != (id, "QUEUED", order.txn):
        return _REFUSED
    return queued_ends(sale, accepted=order.accepted)._replace(document=f"registry {order.payee} {order.number}")


def remember_registry(book: Book, entry: Entry) -> None:
    """As the entry says it, right or wrong."""
    note = entry.registry
    if note is None:
        return
    registry = book.registries.setdefault(note.number, Registry())
    if note.line is not None:
        registry.lines[note.line.txn] = note.line
    if note.cut is not None:
        registry.until = entry.at
        book.registries.setdefault(note.number + 1, Registry(since=entry.at))
    if note.delivery is not None:
        registry.is_delivered = True
    registry.answered |= {one.txn: one.accepted for one in note.answers}


def _open(book: Book) -> tuple[int, Registry]:
    number = max(book.registries, default=1)
    return number, book.registries.get(number) or Registry()


def _cut(
    registry: Registry, payee: str, number: int, at: int, due_at: int, known: Known
) -> Iterator[Expected]:  # fmt: skip
    lines, digest = list(registry.lines.values()), ""
    for one in lines:
        content = [one.txn, one.payment, one.tree, one.subscriber, one.amount, one.currency, one.paid_at]
        digest = blake2b(digest.encode() + orjson.dumps(content), digest_size=16).hexdigest()
    for record in known.payees(payee, at):
        form, zone, currency = ("tsv", "UTC", "")
        if record is not None and record.offline is not None:
            form, zone, currency = record.offline.form, record.time_zone, record.currency
        currency = lines[0].currency if lines else currency
        cut = RegistryCut(
            len(lines), sum(one.amount for one in lines), currency, digest, registry.since,
            at, due_at, form, zone,
        )  # fmt: skip
        yield Expected("REGISTRY_CUT", registry=RegistryNote(payee, number, cut=cut))


def _answered(registry: Registry | None, order: AnswerRegistry) -> Expected:
    if registry is None or not registry.is_delivered or len(registry.answered) == len(registry.lines):
        return _REFUSED
    if not all(_fits(registry, said) for said in order.answers):
        return _REFUSED
    fresh = []
    for said in order.answers:
        if said.txn not in registry.answered:
            line = registry.lines[said.txn]
            fresh.append(LineAnswer(said.txn, line.payment, line.tree, line.amount, said.accepted, said.reason))
    return Expected("REGISTRY_ANSWERED", registry=RegistryNote(order.payee, order.number, answers=tuple(fresh)))


def _fits(registry: Registry, said: AnswerOfLine) -> bool:
    """What is answered already only has to be answered alike."""
    if said.txn in registry.answered:
        return registry.answered[said.txn] == said.accepted
    return said.txn in registry.lines and registry.lines[said.txn].amount == said.amount
