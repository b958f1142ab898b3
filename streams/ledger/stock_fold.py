"""For the fold: what an entry makes of a product's stock. Raises LedgerCorrupt where it does not continue it."""

from __future__ import annotations

from schemas.entry import Entry, EntryKind
from schemas.voucher import BatchTerms, VoucherNote, serial_mark, stock_book
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.state import Book
from streams.ledger.stock import Batch, Reservation, Stock, pack_pin

_OF_A_TREE = frozenset({EntryKind.POSTED, EntryKind.VOUCHER_REPRINTED})


def fold_voucher(book: Book, entry: Entry, note: VoucherNote) -> None:
    """An entry that says something of vouchers: of a product's stock, or of a payment that is one."""
    if entry.kind in _OF_A_TREE or entry.kind is EntryKind.SUPPLIER_PAID:
        return
    if book.id != stock_book(note.payee):
        raise _corrupt(entry, f"{note.payee} has another book")
    if book.stock is None:
        book.stock = Stock()
    stock = book.stock
    match entry.kind:
        case EntryKind.VOUCHERS_LOADED | EntryKind.VOUCHER_BATCH_OPENED if note.terms is not None:
            _load(stock, entry, note, note.terms)
        case EntryKind.VOUCHER_BATCH_DROPPED:
            if _batch(stock, entry, note.batch).is_open:
                raise _corrupt(entry, f"batch {note.batch} is whole")
            del stock.batches[note.batch]
            stock.ended.add(note.batch)
        case EntryKind.VOUCHER_BATCH_BLOCKED | EntryKind.VOUCHER_BATCH_UNBLOCKED:
            _batch(stock, entry, note.batch).is_blocked = entry.kind is EntryKind.VOUCHER_BATCH_BLOCKED
        case EntryKind.VOUCHER_RESERVED:
            if note.payment in stock.reserved:
                raise _corrupt(entry, f"something is reserved for payment {note.payment} already")
            packed = _take(stock, entry, note)
            stock.reserved[note.payment] = Reservation(note.batch, packed, note.until, note.tree)
        case EntryKind.VOUCHER_LAPSED:
            for payment in note.lapsed:
                if not _release(stock, payment):
                    raise _corrupt(entry, f"nothing is reserved for payment {payment}")
        case EntryKind.VOUCHER_SOLD:
            _sell(stock, entry, note)
        case EntryKind.VOUCHER_NONE:
            _release(stock, note.payment)
        case _:
            raise _corrupt(entry, "it says nothing of vouchers")


def _load(stock: Stock, entry: Entry, note: VoucherNote, terms: BatchTerms) -> None:
    batch = stock.batches.get(terms.batch)
    if batch is None:
        batch = stock.batches[terms.batch] = Batch(terms)
    marks = {serial_mark(serial) for serial, _ in note.pins}
    is_known = len(marks) < len(note.pins) or any(map(stock.has, marks))
    if terms.batch in stock.ended or batch.is_open or batch.terms != terms or note.chunk in batch.loaded or is_known:
        raise _corrupt(entry, f"chunk {note.chunk} does not continue batch {terms.batch}")
    batch.loaded.add(note.chunk)
    batch.marks |= marks
    batch.free.extend(pack_pin(serial, pin) for serial, pin in note.pins)
    if entry.kind is EntryKind.VOUCHER_BATCH_OPENED:
        if len(batch.free) != terms.count or len(batch.loaded) != terms.chunks:
            raise _corrupt(entry, f"batch {terms.batch} is not whole")
        stock.serials.add(batch.marks)
        batch.is_open, batch.loaded, batch.marks = True, set(), set()


def _sell(stock: Stock, entry: Entry, note: VoucherNote) -> None:
    """What was reserved for the payment goes with it; what it could not have is free again."""
    reservation = stock.reserved.get(note.payment)
    is_reserved = reservation is not None and reservation.packed.startswith(f"{note.serial}\n".encode())
    if reservation is not None and is_reserved and reservation.batch == note.batch:
        del stock.reserved[note.payment]
    else:
        _take(stock, entry, note)
        _release(stock, note.payment)
    batch = _batch(stock, entry, note.batch)
    batch.sold += 1
    if batch.sold == batch.terms.count:
        del stock.batches[note.batch]
        stock.ended.add(note.batch)


def _take(stock: Stock, entry: Entry, note: VoucherNote) -> bytes:
    """The next of the batch: it must be the one that the entry names."""
    batch = _batch(stock, entry, note.batch)
    if not batch.is_open or not batch.free or not batch.free[0].startswith(f"{note.serial}\n".encode()):
        raise _corrupt(entry, f"{note.serial} is not the next of batch {note.batch}")
    return batch.free.popleft()


def _release(stock: Stock, payment: str) -> bool:
    """What was reserved for the payment is for sale again, before all others."""
    reservation = stock.reserved.pop(payment, None)
    if reservation is not None:
        stock.batches[reservation.batch].free.appendleft(reservation.packed)
    return reservation is not None


def _batch(stock: Stock, entry: Entry, batch: str) -> Batch:
    found = stock.batches.get(batch)
    if found is None:
        raise _corrupt(entry, f"there is no batch {batch}")
    return found


def _corrupt(entry: Entry, why: str) -> LedgerCorrupt:
    return LedgerCorrupt(f"book {entry.book} entry {entry.seq}: {entry.kind} does not fit: {why}")
