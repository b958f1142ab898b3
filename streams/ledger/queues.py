"""Who waits for whose money: the ids of payments in WAITING_FUNDS, by book, payer and currency, oldest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

Purse = tuple[str, str]  # a payer's id, and a currency


class Queues:
    """Kept by the state as payments come and go. A payer, or a book, for whom nothing waits is not listed.

    Who waits for a payer's money in one currency does not stand in the way of another.
    """

    __slots__ = ("_books",)

    def __init__(self) -> None:
        self._books: dict[str, dict[Purse, dict[str, None]]] = {}

    def __bool__(self) -> bool:
        return bool(self._books)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Queues) and self._books == other._books

    def put(self, book: str, payer: str, currency: str, payment: str) -> None:
        """At the end of the queue."""
        self._books.setdefault(book, {}).setdefault((payer, currency), {})[payment] = None

    def take(self, book: str, payer: str, currency: str, payment: str) -> None:
        """Out of the queue, wherever it stands in it."""
        payers, purse = self._books[book], (payer, currency)
        del payers[purse][payment]
        if not payers[purse]:
            del payers[purse]
        if not payers:
            del self._books[book]

    def books(self) -> list[str]:
        return list(self._books)

    def payers(self, book: str) -> list[Purse]:
        """Whose money something waits for, and in which currency; the one who began to lack it first coming first."""
        return list(self._books.get(book, ()))

    def length(self, book: str, payer: str, currency: str) -> int:
        return len(self._books.get(book, _NOBODY).get((payer, currency), ()))

    def oldest(self, book: str, payer: str, currency: str) -> str | None:
        """The payment that is next to be held."""
        return next(self.of(book, payer, currency), None)

    def of(self, book: str, payer: str, currency: str) -> Iterator[str]:
        return iter(self._books.get(book, _NOBODY).get((payer, currency), ()))


_NOBODY: Mapping[Purse, dict[str, None]] = {}
