"""For the fold: what has left a book for another tree, until its end is known."""

from __future__ import annotations

from schemas.crossing import Crossing
from schemas.entry import Entry, EntryKind
from streams.ledger.answered import CommandState
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.state import Book, State


def fold_crossing(state: State, book: Book, entry: Entry, crossing: Crossing) -> None:
    """Raises LedgerCorrupt when the entry does not continue what the book knows of it.

    Whoever asked for it hears of the end, and from then on so does who asks again.
    """
    match entry.kind:
        case EntryKind.TRANSFER_SENT:
            fits = (crossing.origin, crossing.number) == (book.id, entry.seq)
            book.under_way[crossing.number] = crossing
        case EntryKind.TRANSFER_CONFIRMED | EntryKind.TRANSFER_RETURNED:
            fits = book.under_way.pop(crossing.number, None) == crossing
            digest = bytes.fromhex(crossing.digest)
            end = CommandState(crossing.order, digest, entry.kind, entry.at, entry.refusal, entry.reason)
            state.commands.put(book.id, end)
        case _:
            fits = crossing.target == book.id
    if not fits:
        name = f"transfer {crossing.number} of {crossing.origin} to {crossing.target}"
        raise LedgerCorrupt(f"book {book.id} entry {entry.seq}: {entry.kind} does not fit {name}")


def leaving_from(book: Book, account: str) -> int:
    """How many are under way that could come back to this account; "": to any."""
    return sum(account in ("", one.giver) for one in book.under_way.values())
