"""What a product's stock is asked, and what it answers: reserve, sell, block, pay for. Its book is the only writer.

A sale wins: a payment whose reservation has lapsed gets another voucher, as long as there is one, since its money is
taken already. Nothing here knows a PIN; it is handed on as it was loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from schemas.entry import Cause, Entry, EntryKind
from schemas.money import Money
from schemas.payee import Payee
from schemas.refusal import Refusal
from schemas.voucher import VoucherNote, account_supplier, no_sealing_key
from schemas.voucher_command import (
    BlockBatch,
    DropBatch,
    LoadVouchers,
    PaySupplier,
    ReprintVoucher,
    ReserveVoucher,
    SellVoucher,
    StockCommand,
    UnblockBatch,
)
from streams.ledger.accounts import BANK, legs_of
from streams.ledger.answered import CommandState
from streams.ledger.commands import Instruct, Product, VoucherDue
from streams.ledger.decisions import Stale
from streams.ledger.objections import Objection, no
from streams.ledger.origins import TIMER
from streams.ledger.state import Book, State
from streams.ledger.stock import Batch, Stock, unpack_pin
from streams.ledger.voucher_loading import drop, load
from streams.ledger.voucher_sales import is_payers, note_of

# At one time, so that one terminal cannot empty the shelf: it has a payer or two before it.
RESERVED_PER_TERMINAL = 10
# In one entry, so that it fits into a record. The rest follow when the timer fires next.
LAPSED_MAX = 500

_NOBODYS = Product(None)


def stock_order(book: Book, command: Instruct, order: StockCommand, blank: Entry) -> Entry | Objection:
    """blank: the entry but for what it says."""
    product = command.product or _NOBODYS
    match order:
        case LoadVouchers():
            return load(book, product, order, blank)
        case DropBatch():
            return drop(book, order, blank)
        case BlockBatch() | UnblockBatch():
            return _block_or_not(book, order, blank)
        case PaySupplier():
            return _pay_supplier(book, order, blank)
        case ReserveVoucher():
            return _reserve(book, command.terminal, product, order, blank)
        case SellVoucher():
            return _sell(book.stock or Stock(), order, blank)


def told_again(state: State, command: Instruct, known: CommandState) -> VoucherNote | None:
    """What who asked for a voucher before, and asks again, is told of it: until when it is reserved, or its PIN.

    Ids and content of commands are no secret, and who signs is no part of them: another terminal that signs the same
    again is told nothing.
    """
    order = command.command
    if not isinstance(order, ReserveVoucher | ReprintVoucher) or not is_payers(command.terminal, order.payment):
        return None
    if isinstance(order, ReserveVoucher) and known.kind is EntryKind.VOUCHER_RESERVED:
        stock = state.books[command.book].stock
        reservation = stock.reserved.get(order.payment) if stock is not None else None
        return VoucherNote(order.payee, until=reservation.until) if reservation is not None else None
    if isinstance(order, ReprintVoucher) and known.kind is EntryKind.VOUCHER_REPRINTED:
        payment = state.payments.find(order.payment)
        return note_of(payment) if payment is not None else None
    return None


def has_lapsed(book: Book, at: int) -> bool:
    """Is there a reservation that is over at that time (ms UTC)?"""
    return book.stock is not None and next(book.stock.lapsed(at), None) is not None


def lapse_when_due(book: Book | None, command: VoucherDue, at: int) -> Entry | Stale:
    """VOUCHER_LAPSED, or Stale when nothing is due: what has lapsed is reserved no more, whoever fires it."""
    lapsed = tuple(islice(book.stock.lapsed(at), LAPSED_MAX)) if book is not None and book.stock is not None else ()
    if book is None or not lapsed:
        return Stale(f"no reservation in {command.book} is over")
    cause = Cause(f"voucher/{book.seq + 1}", "", TIMER)
    note = VoucherNote(book.id.partition("/")[2], lapsed=lapsed)
    return Entry(book.id, book.seq + 1, EntryKind.VOUCHER_LAPSED, at, cause, voucher=note)


def _reserve(book: Book, terminal: str, product: Product, order: ReserveVoucher, blank: Entry) -> Entry | Objection:
    if (why_not := _not_reserved(terminal, product.payee, order, product.is_sealed)) is not None:
        return why_not
    stock = book.stock or Stock()
    if order.payment in stock.reserved:
        return no(f"a voucher is reserved for payment {order.payment} already")
    if stock.reservations_of(terminal) >= RESERVED_PER_TERMINAL:
        why = f"{RESERVED_PER_TERMINAL} vouchers are reserved for terminal {terminal} already; pay for one, or wait"
        return Objection(Refusal.TEMPORARY, why)
    batch = stock.best(order.denomination, order.currency, blank.at)
    if batch is None:
        return Objection(Refusal.TEMPORARY, _none_left(order))
    note = _note(order.payee, batch, batch.free[0], order.payment, order.tree)
    return replace(
        blank, kind=EntryKind.VOUCHER_RESERVED, voucher=replace(note, pin="", until=blank.at + product.reserve_ms)
    )


def _not_reserved(terminal: str, payee: Payee | None, order: ReserveVoucher, is_sealed: bool) -> Objection | None:
    if not is_payers(terminal, order.payment):
        return Objection(
            Refusal.NO_RIGHT, "a voucher is reserved by the terminal that will pay for it, and nobody else"
        )
    if payee is None:
        return Objection(Refusal.NO_SUCH_PAYEE)
    if payee.served != "vouchers":
        return Objection(Refusal.PAYEE_PROHIBITS, f"payee {payee.id} sells no vouchers")
    if not is_sealed:
        return Objection(Refusal.PAYEE_UNAVAILABLE, no_sealing_key(terminal))
    if order.currency != payee.currency:
        return no(f"vouchers of {payee.id} are in {payee.currency}, not in {order.currency}")
    if payee.denominations and order.denomination not in payee.denominations:
        return Objection(Refusal.PAYEE_PROHIBITS, "the payee has no voucher of this denomination")
    return None


def _sell(stock: Stock, order: SellVoucher, blank: Entry) -> Entry:
    """It is never refused: that there is none is an entry too, and the payment's money goes back."""
    found = next(_candidates(stock, order, blank.at), None)
    if found is None:
        note = VoucherNote(order.payee, payment=order.payment, tree=order.tree)
        note = replace(note, denomination=order.denomination, currency=order.currency)
        return replace(
            blank, kind=EntryKind.VOUCHER_NONE, refusal=Refusal.TEMPORARY.code, reason=_none_left(order), voucher=note
        )  # fmt: skip
    batch, packed = found
    note = _note(order.payee, batch, packed, order.payment, order.tree)
    return replace(blank, kind=EntryKind.VOUCHER_SOLD, voucher=note)


def _candidates(stock: Stock, order: SellVoucher, at: int) -> Iterator[tuple[Batch, bytes]]:
    """What is reserved for the payment, if it still may be sold; else any other."""
    reservation = stock.reserved.get(order.payment)
    if reservation is not None:
        batch = stock.batches[reservation.batch]
        if batch.is_for_sale(at) and batch.terms.is_worth(order.denomination, order.currency):
            yield batch, reservation.packed
    other = stock.best(order.denomination, order.currency, at)
    if other is not None:
        yield other, other.free[0]


def _note(payee: str, batch: Batch, packed: bytes, payment: str, tree: str) -> VoucherNote:
    terms, (serial, pin) = batch.terms, unpack_pin(packed)
    return VoucherNote(
        payee, terms.batch, serial, terms.kid, pin, terms.denomination, terms.currency, terms.cost, payment, tree
    )  # fmt: skip


def _none_left(order: ReserveVoucher | SellVoucher) -> str:
    return f"no voucher of {Money(order.denomination, order.currency)} {order.currency} is left of {order.payee}"


def _block_or_not(book: Book, order: BlockBatch | UnblockBatch, blank: Entry) -> Entry | Objection:
    batch = book.stock.batches.get(order.batch) if book.stock is not None else None
    if batch is None:
        return no(f"product {order.payee} has no batch {order.batch} with vouchers left")
    is_block = isinstance(order, BlockBatch)
    if batch.is_blocked == is_block:
        return no(f"batch {order.batch} is {'blocked already' if is_block else 'not blocked'}")
    kind = EntryKind.VOUCHER_BATCH_BLOCKED if is_block else EntryKind.VOUCHER_BATCH_UNBLOCKED
    return replace(blank, kind=kind, reason=order.reason, voucher=VoucherNote(order.payee, order.batch))


def _pay_supplier(book: Book, order: PaySupplier, blank: Entry) -> Entry | Objection:
    owed = book.accounts.get((account_supplier(order.supplier), order.currency))
    if owed is None:
        return no(f"nothing was ever owed to {order.supplier} for {order.payee} in {order.currency}")
    if owed.balance < order.amount:
        return no(f"{owed.balance} minor units are owed to {order.supplier} for {order.payee}, not {order.amount}")
    legs = legs_of(book, order.currency, [(account_supplier(order.supplier), -order.amount), (BANK, order.amount)])
    return replace(
        blank, kind=EntryKind.SUPPLIER_PAID, legs=legs, document=order.document, voucher=VoucherNote(order.payee)
    )  # fmt: skip
