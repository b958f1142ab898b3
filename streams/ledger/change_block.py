"""Change that an operator has stopped, since what it came from is in doubt: nothing leaves it until it is let go."""

from __future__ import annotations

from dataclasses import replace

from schemas.change import ChangeNote, account_change
from schemas.change_command import BlockChange, UnblockChange
from schemas.entry import Entry, EntryKind
from schemas.money import CURRENCIES
from schemas.refusal import Refusal
from streams.ledger.objections import Objection
from streams.ledger.state import Book, State


def blocked(book: Book, account: str, which: str = "this change") -> Objection | None:
    """Why nothing may leave the account, if so."""
    if account not in book.change.blocked:
        return None
    return Objection(Refusal.NO_RIGHT, f"{which} is blocked: an operator has to look at what it came from")


def block_or_not(state: State, book: Book, order: BlockChange | UnblockChange, blank: Entry) -> Entry | Objection:
    """CHANGE_BLOCKED or CHANGE_UNBLOCKED. It moves nothing; what comes to the account later is blocked with it."""
    account = _account_meant(state, book, order)
    if isinstance(account, Objection):
        return account
    is_blocked, blocks = account in book.change.blocked, isinstance(order, BlockChange)
    if is_blocked == blocks:
        return Objection(Refusal.OTHER, f"this change is {'blocked already' if blocks else 'not blocked'}")
    kind = EntryKind.CHANGE_BLOCKED if blocks else EntryKind.CHANGE_UNBLOCKED
    return replace(blank, kind=kind, reason=order.reason, change=ChangeNote(account=account))


def _account_meant(state: State, book: Book, order: BlockChange | UnblockChange) -> str | Objection:
    """A payment's change is where it was kept because of it; a fingerprint must have had some."""
    if order.mark is not None:
        account = account_change(order.mark)
        if any((account, currency) in book.accounts for currency in CURRENCIES):
            return account
        return Objection(Refusal.OTHER, f"no change was ever kept under this fingerprint in tree {order.tree}")
    payment = state.payments.find(order.payment or "")
    if payment is None or payment.book != book.id or not payment.kept_on:
        return Objection(Refusal.OTHER, f"no change is kept because of payment {order.payment} in tree {order.tree}")
    return payment.kept_on
