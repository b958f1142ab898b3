"""For `evolve`: what an entry makes of its payee's registries."""

from __future__ import annotations

from schemas.entry import Entry, EntryKind
from schemas.registry import LineAnswer, RegistryCut, RegistryLine, RegistryNote, chained, registry_book
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.registry_state import OpenRegistry, Registries, RegistryUnderWay
from streams.ledger.state import Book


def fold_registry(book: Book, entry: Entry, note: RegistryNote) -> None:
    """Raises LedgerCorrupt when it does not continue what there is: a number, a total, a line, an answer."""
    if book.registries is None:
        book.registries = Registries()
    wrong = "is in another book" if book.id != registry_book(note.payee) else _fold(book.registries, entry, note)
    if wrong is not None:
        raise LedgerCorrupt(f"book {book.id} entry {entry.seq}: registry {note.number} of payee {note.payee} {wrong}")


def _fold(registries: Registries, entry: Entry, note: RegistryNote) -> str | None:
    match entry.kind:
        case EntryKind.REGISTRY_LINE if note.line is not None:
            return _add(registries.current, note.number, note.line)
        case EntryKind.REGISTRY_CUT if note.cut is not None:
            return _cut(registries, note.number, note.cut)
        case EntryKind.REGISTRY_DELIVERED if note.delivery is not None:
            return _deliver(registries, note.number, entry.at)
        case EntryKind.REGISTRY_ANSWERED:
            return _answer(registries, note.number, note.answers)
    return f"says nothing of {entry.kind}"


def _add(registry: OpenRegistry, number: int, line: RegistryLine) -> str | None:
    if number != registry.number:
        return f"gets a line, {registry.number} is open"
    if line.txn in registry.lines or registry.currency not in ("", line.currency):
        return f"cannot have line {line.txn}"
    registry.lines[line.txn] = line
    registry.total += line.amount
    registry.currency = line.currency
    registry.digest = chained(registry.digest, line)
    return None


def _cut(registries: Registries, number: int, cut: RegistryCut) -> str | None:
    registry = registries.current
    if number != registry.number:
        return f"is cut, {registry.number} is open"
    has = len(registry.lines), registry.total, registry.currency or cut.currency, registry.digest, registry.since
    if (cut.lines, cut.total, cut.currency, cut.digest, cut.since) != has:
        return "is cut with other lines than it has"
    registries.under_way[number] = RegistryUnderWay(number, cut, registry.lines)
    registries.current = OpenRegistry(number + 1, cut.until)
    return None


def _deliver(registries: Registries, number: int, at: int) -> str | None:
    under_way = registries.under_way.get(number)
    if under_way is None or under_way.delivered_at:
        return "waits for no delivery"
    under_way.delivered_at = at
    _let_go(registries, under_way)
    return None


def _answer(registries: Registries, number: int, answers: tuple[LineAnswer, ...]) -> str | None:
    under_way = registries.under_way.get(number)
    if under_way is None or not under_way.delivered_at:
        return "waits for no answer"
    for one in answers:
        line = under_way.lines.pop(one.txn, None)
        if line is None or (line.payment, line.tree, line.amount) != (one.payment, one.tree, one.amount):
            return f"has no line {one.txn} to be answered so"
        under_way.answered[one.txn] = one.accepted
    _let_go(registries, under_way)
    return None


def _let_go(registries: Registries, under_way: RegistryUnderWay) -> None:
    if under_way.is_over:
        del registries.under_way[under_way.number]
