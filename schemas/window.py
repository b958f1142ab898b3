"""A settlement window: what some accounts of a book did between two closings. Minor units; times in ms UTC."""

from __future__ import annotations

from dataclasses import dataclass

# As which all change accounts of a book are one line of a tree's window: its leg numbers count the legs of all of them.
ALL_CHANGE = "change"


@dataclass(frozen=True, slots=True)
class WindowPosition:
    """One account in a window: its legs `first` … `last`, none when `last` is below `first`.

    opening is the balance before them, closing after them. settled: what this closing paid out of it, by the leg that
    is the last of the window; so all that was due is closing + settled. Credit is positive.
    """

    account: str
    currency: str
    opening: int
    closing: int
    first: int
    last: int
    settled: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """A window that is closed by its entry.

    subject: a payee's id, or "" for the tree's window, which has all accounts of the book. number: 1, 2, 3, … for each
    subject. opened_at: when the window before it was closed, 0 for the first. due_at: the moment of the schedule that
    closed it, 0 when an operator did. It has the book's entries `first_entry` … `last_entry`, the closing one included.
    positions: of the accounts that moved or are not zero, in order of account and currency; payers' change is one line.
    """

    subject: str
    number: int
    opened_at: int
    closed_at: int
    due_at: int
    first_entry: int
    last_entry: int
    positions: tuple[WindowPosition, ...] = ()
