"""What must become of a settlement window that is to be closed."""

from __future__ import annotations

from tests.chaos.model_terms import Book, Expected


def window_closed(book: Book, subject: str, number: int) -> Expected | None:
    """subject: a payee's id, "" for the tree. None: it is not the window that is open, or there is no tree."""
    if not book.agents or number != book.windows.get(subject, 0) + 1:
        return None
    owed = [
        (account, currency, balance)
        for (account, currency), (_, balance) in sorted(book.ends.items())
        if subject and account == f"payee:{subject}" and balance > 0
    ]
    moves = [leg for account, currency, due in owed for leg in ((account, currency, -due), ("bank", currency, due))]
    return Expected("WINDOW_CLOSED", moves=tuple(moves))
