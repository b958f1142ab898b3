"""Who waits for whose money: the ids of payments in WAITING_FUNDS, by book and payer, oldest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


class Queues:
    """Kept by the state as payments come and go. A payer, or a book, for whom nothing waits is not listed."""

    __slots__ = ("_books",)

    def __init__(self) -> None:
        self._books: dict[str, dict[str, dict[str, None]]] = {}

    def __bool__(self) -> bool:
        return bool(self._books)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Queues) and self._books == other._books

    def put(self, book: str, payer: str, payment: str) -> None:
        """At the end of the queue."""
        self._books.setdefault(book, {}).setdefault(payer, {})[payment] = None

    def take(self, book: str, payer: str, payment: str) -> None:
        """Out of the queue, wherever it stands in it."""
        payers = self._books[book]
        del payers[payer][payment]
        if not payers[payer]:
            del payers[payer]
        if not payers:
            del self._books[book]

    def books(self) -> list[str]:
        return list(self._books)

    def payers(self, book: str) -> list[str]:
        """Whose money something waits for, the one who began to lack it first coming first."""
        return list(self._books.get(book, ()))

    def length(self, book: str, payer: str) -> int:
        return len(self._books.get(book, _NOBODY).get(payer, ()))

    def oldest(self, book: str, payer: str) -> str | None:
        """The payment that is next to be held."""
        return next(self.of(book, payer), None)

    def of(self, book: str, payer: str) -> Iterator[str]:
        return iter(self._books.get(book, _NOBODY).get(payer, ()))


_NOBODY: Mapping[str, dict[str, None]] = {}
