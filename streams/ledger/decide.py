"""The one door to the rules: what does a command lead to?"""

from __future__ import annotations

from schemas.entry import Entry, EntryKind
from schemas.registry_command import AddToRegistry
from streams.ledger.change_expiry import expire_when_due
from streams.ledger.charges import charge
from streams.ledger.commands import (
    ChangeDue,
    FeeDue,
    Instruct,
    LedgerCommand,
    Place,
    RegistryDelivered,
    RegistryDue,
    Rouse,
    Send,
    Settle,
    VoucherDue,
    WindowDue,
)
from streams.ledger.decisions import Conflict, Decision, Duplicate, Stale
from streams.ledger.instruct import instruct
from streams.ledger.place import place
from streams.ledger.registries import add_line, cut_when_due, note_delivery
from streams.ledger.reversal import settle_reversal, was_given_back
from streams.ledger.settle import ends_doubt, send, settle
from streams.ledger.state import Book, State
from streams.ledger.voucher_sales import note_of
from streams.ledger.vouchers import lapse_when_due, told_again
from streams.ledger.windows import close_when_due

__all__ = ["Conflict", "Decision", "Duplicate", "Stale", "decide"]


def decide(state: State, command: LedgerCommand, at: int) -> Decision:
    """What the command leads to at that time (ms UTC). Changes nothing: give each entry to `evolve` once it is kept.

    Whatever was decided before is looked at first, so that a command delivered again is answered and never repeated.
    """
    match command:
        case Place():
            return _place(state, command, at)
        case Settle():
            return _settle(state, command, at)
        case Send():
            return _send(state, command, at)
        case Instruct():
            return _instruct(state, command, at)
        case Rouse():
            return []  # what follows from it is not the command's: see perform.py
        case WindowDue():
            return _once(close_when_due(state.books.get(command.book), command, at))
        case ChangeDue():
            return _once(expire_when_due(state.books.get(command.book), command, at))
        case FeeDue():
            return _once(charge(state.books.get(command.book), command, at))
        case VoucherDue():
            return _once(lapse_when_due(state.books.get(command.book), command, at))
        case RegistryDue():
            return _once(cut_when_due(state.books.get(command.book), command, at))
        case RegistryDelivered():
            return _once(note_delivery(state.books.get(command.book), command, at))


def _once(found: Entry | Stale) -> Decision:
    return found if isinstance(found, Stale) else [found]


def _place(state: State, command: Place, at: int) -> Decision:
    known = state.payments.find(command.order.id)
    if known is None:
        return [place(state, command, at)]
    if known.digest != bytes.fromhex(command.digest):
        return Conflict(f"payment {known.id} was received before with other content; it is {known.state}")
    if known.book != command.book:
        return Conflict(f"payment {known.id} was received before in tree {known.book}")
    return Duplicate(payment=known, voucher=note_of(known))


def _instruct(state: State, command: Instruct, at: int) -> Decision:
    known = state.commands.find(command.book, command.command.id)
    if known is None and isinstance(command.command, AddToRegistry):
        return add_line(state.books.get(command.book) or Book(command.book), command, command.command, at)
    if known is None:
        return [instruct(state, command, at)]
    if known.digest != bytes.fromhex(command.digest):
        return Conflict(f"command {known.id} was received before with other content")
    return Duplicate(command=known, voucher=told_again(state, command, known))


def _send(state: State, command: Send, at: int) -> Decision:
    payment = state.payments.open.get(command.payment)
    if payment is None or payment.book != command.book:
        return Stale(f"payment {command.payment} is not open in tree {command.book}")
    if payment.state is not EntryKind.HELD or not payment.is_outstanding:
        return Stale(f"payment {command.payment} is {payment.state}: nothing is to be sent for the first time")
    return [send(state.books[payment.book], payment, at)]


def _settle(state: State, command: Settle, at: int) -> Decision:
    payment = state.payments.open.get(command.payment)
    if payment is None or payment.book != command.book:
        return Stale(f"payment {command.payment} is not open in tree {command.book}")
    if payment.state is EntryKind.MANUAL and ends_doubt(payment, command.outcome):
        return [settle(state.books[payment.book], payment, command, at)]
    if payment.state is EntryKind.REVERSAL_MANUAL and was_given_back(command.outcome):
        return [settle_reversal(state.books[payment.book], payment, command, at)]
    if payment.state in (EntryKind.MANUAL, EntryKind.REVERSAL_MANUAL):
        return Stale(f"payment {command.payment} is an operator's to decide")
    if not payment.is_outstanding:
        return Stale(f"payment {command.payment} is {payment.state}: no gateway was asked about it")
    is_reversal = payment.state is EntryKind.REVERSING
    if is_reversal != (command.outcome.step == "cancel"):
        return Stale(f"payment {command.payment} is {payment.state}: no {command.outcome.step} was asked about it")
    return [(settle_reversal if is_reversal else settle)(state.books[payment.book], payment, command, at)]
