"""What must be in a terminal, and what must become of a collection."""

from __future__ import annotations

from schemas.cash import CollectCash, Collection
from schemas.entry import Entry
from tests.chaos.model_terms import Book, Expected, moves_of

_MOST = 10**12


def remember_cash(book: Book, entry: Entry) -> None:
    """What the entry says was put in, or taken out."""
    facts, found = entry.payment, entry.cash
    if found is not None:
        book.tills[found.terminal, found.agent, found.currency] = (0, found.number, entry.seq + 1)
    if facts is None:
        return
    amount = 0
    if not facts.collected:
        rest = facts.amount + facts.fee - sum(spent for _, spent in facts.spent)
        amount = max(rest, 0) if entry.kind.value == "POSTED" else 0
    elif entry.cause.id == facts.id and entry.cause.by not in ("dispatch", "funds", "registry"):
        kept = entry.kind.value == "DECLINED" and not entry.legs
        amount = 0 if kept else facts.collected
    if amount:
        key = (facts.terminal, facts.agent, facts.currency)
        expected, number, first = book.tills.get(key, (0, 0, 1))
        book.tills[key] = (expected + amount, number, first)


def collected(book: Book, order: CollectCash) -> Expected:
    till = book.tills.get((order.terminal, order.agent, order.currency))
    notes = sorted(((int(worth), pieces) for worth, pieces in order.counted.items()), reverse=True)
    counted = sum(worth * pieces for worth, pieces in notes)
    if till is None or counted > _MOST:
        return Expected("REFUSED", 300)
    expected, number, first = till
    there, away = f"cash:{order.terminal}", f"cash-taken:{order.agent}"
    moves = moves_of(order.currency, (there, -expected), (away, expected), (there, counted), (away, -counted))
    found = Collection(
        order.terminal, order.agent, order.currency, number + 1, expected, counted, expected - counted, tuple(notes),
        first, book.seq + 1,
    )  # fmt: skip
    return Expected("CASH_COLLECTED", moves=moves, document=order.bag, cash=found)
