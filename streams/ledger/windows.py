"""Settlement windows: what belongs to one, and what closing it leads to.

A window is made of legs, not of times: it has every leg of its accounts that was written since the window before was
closed. So a payment that is posted late is in the next one by construction, and nothing is marked afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from schemas.change import CHANGE
from schemas.command import CloseWindow
from schemas.entry import Cause, Entry, EntryKind, Leg
from schemas.refusal import Refusal
from schemas.window import ALL_CHANGE, Window, WindowPosition
from streams.ledger.accounts import BANK, MEMO, account_payee, legs_of
from streams.ledger.commands import WindowDue
from streams.ledger.decisions import Stale
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.objections import Objection
from streams.ledger.origins import TIMER
from streams.ledger.state import Book, OpenWindow

# The entry must fit into a record of topic `ledger`, 13 MiB; a position takes 160 bytes, with the longest names 240.
MAX_POSITIONS = 50_000


@dataclass(frozen=True, slots=True)
class _Closing:
    """Which window is asked to be closed; due_at: as in Window."""

    subject: str
    number: int
    due_at: int


def close_when_due(book: Book | None, command: WindowDue, at: int) -> Entry | Stale:
    """WINDOW_CLOSED, or Stale when that window is not the one that is open: whoever fires it, it is closed once."""
    if book is None or not book.agents:
        return Stale(f"there is no tree {command.book}")
    cause = Cause(f"window/{command.subject}/{command.number}", "", TIMER)
    blank = Entry(book=book.id, seq=book.seq + 1, kind=EntryKind.WINDOW_CLOSED, at=at, cause=cause)
    closed = _close(book, _Closing(command.subject, command.number, command.due_at), blank)
    return Stale(closed.reason) if isinstance(closed, Objection) else closed


def close_by_hand(book: Book, order: CloseWindow, blank: Entry) -> Entry | Objection:
    """The same for an operator. blank: the entry without what comes of it."""
    if not book.agents:
        return Objection(Refusal.OTHER, f"there is no tree {order.tree}")
    return _close(book, _Closing(order.payee or "", order.number, 0), blank)


def _close(book: Book, asked: _Closing, blank: Entry) -> Entry | Objection:
    window = book.window(asked.subject)
    if asked.number != window.number:
        return Objection(Refusal.OTHER, _other_number(asked, window))
    legs = _settlement(book, asked.subject) if asked.subject else ()
    positions = tuple(_positions(book, asked.subject, window, legs))
    if len(positions) > MAX_POSITIONS:
        return Objection(Refusal.OTHER, f"the window has {len(positions)} accounts, and may have {MAX_POSITIONS}")
    closed = Window(
        subject=asked.subject,
        number=asked.number,
        opened_at=window.opened_at,
        closed_at=blank.at,
        due_at=asked.due_at,
        first_entry=window.first_entry,
        last_entry=blank.seq,
        positions=positions,
    )
    return replace(blank, kind=EntryKind.WINDOW_CLOSED, legs=legs, window=closed)


def _other_number(asked: _Closing, window: OpenWindow) -> str:
    whose = f"window {asked.number} of payee {asked.subject}" if asked.subject else f"window {asked.number} of the tree"
    return f"{whose} is {'closed already' if asked.number < window.number else 'not open yet'}: {window.number} is open"


def _settlement(book: Book, payee: str) -> tuple[Leg, ...]:
    """What is owed to the payee leaves through the bank; what the payee owes us is carried into the next window."""
    account = account_payee(payee)
    due = sorted((currency, end.balance) for (name, currency), end in book.accounts.items() if name == account)
    legs: list[Leg] = []
    for currency, owed in due:
        if owed > 0:
            legs += legs_of(book, currency, [(account, -owed), (BANK, owed)])
    return tuple(legs)


def _positions(book: Book, subject: str, window: OpenWindow, legs: tuple[Leg, ...]) -> Iterator[WindowPosition]:
    settled = {(leg.account, leg.currency): leg for leg in legs}
    for (account, currency), (stands_at, balance) in sorted(_standing(book, subject).items()):
        seq, opening = window.marks.get((account, currency), (0, 0))
        leg = settled.get((account, currency))
        last, closing = (leg.seq, leg.balance) if leg is not None else (stands_at, balance)
        if last > seq or closing:
            paid = -leg.amount if leg is not None else 0
            yield WindowPosition(account, currency, opening, closing, seq + 1, last, paid)


def _standing(book: Book, subject: str) -> dict[tuple[str, str], tuple[int, int]]:
    """The subject's accounts with their last leg's number and balance.

    Memo accounts are in none. Payers' change is one line, ALL_CHANGE, of all its legs and money: a tree may keep that
    of many thousands.
    """
    if subject:
        name = account_payee(subject)
        return {key: (end.seq, end.balance) for key, end in book.accounts.items() if key[0] == name and end.seq}
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for (name, currency), end in book.accounts.items():
        if name.startswith(MEMO):
            continue
        key = (ALL_CHANGE if name.startswith(CHANGE) else name, currency)
        seq, balance = found.get(key, (0, 0))
        if end.seq:
            found[key] = seq + end.seq, balance + end.balance
    return found


def fold_window(book: Book, entry: Entry, window: Window) -> None:
    """For `evolve`: the window is closed and its successor open. Raises LedgerCorrupt when it does not continue it."""
    open_window = book.window(window.subject)
    if (window.number, window.first_entry) != (open_window.number, open_window.first_entry):
        raise LedgerCorrupt(
            f"book {book.id} entry {entry.seq}: window {window.number} of {window.subject or 'the tree'} from entry "
            f"{window.first_entry} is closed, {open_window.number} from {open_window.first_entry} is open"
        )
    marks, standing = dict(open_window.marks), _standing(book, window.subject)
    for position in window.positions:
        key = position.account, position.currency
        seq, balance = marks.get(key, (0, 0))
        stands = standing.get(key)
        if (position.first, position.opening) != (seq + 1, balance) or (position.last, position.closing) != stands:
            raise LedgerCorrupt(
                f"book {book.id} entry {entry.seq}: the position of {' '.join(key)} is not the account's"
            )
        marks[key] = position.last, position.closing
    book.windows[window.subject] = OpenWindow(window.number + 1, window.closed_at, entry.seq + 1, marks)
