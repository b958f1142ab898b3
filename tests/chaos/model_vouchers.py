"""What must become of vouchers: batches, reservations, sales, and of the payments that buy them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from schemas.entry import Entry
from schemas.voucher import BatchTerms, VoucherNote
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
    VoucherAnswer,
    VoucherNone,
)
from tests.chaos.model_answer import changed
from tests.chaos.model_terms import Book, Expected, Known, Sale, moves_of

_AT_ONCE = 10
_NEVER = 10**15

Pin = tuple[str, str]  # serial, ciphertext


@dataclass(slots=True)
class Shelf:
    """free: in the order in which they go. sold: how many were."""

    terms: BatchTerms
    free: list[Pin] = field(default_factory=list)
    chunks: set[int] = field(default_factory=set)
    is_open: bool = False
    is_blocked: bool = False
    sold: int = 0

    def sells(self, worth: int, coin: str, at: int) -> bool:
        is_over = self.terms.expires_at and at >= self.terms.expires_at
        fits = (self.terms.denomination, self.terms.currency) == (worth, coin)
        return self.is_open and fits and not self.is_blocked and not is_over


@dataclass(slots=True)
class Shelves:
    """Of one product. kept: payment -> batch, PIN, until. serials: of whole batches, for ever."""

    by_batch: dict[str, Shelf] = field(default_factory=dict)
    kept: dict[str, tuple[str, Pin, int]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    serials: set[str] = field(default_factory=set)

    def next_shelf(self, worth: int, coin: str, at: int) -> Shelf | None:
        there = [one for one in self.by_batch.values() if one.free and one.sells(worth, coin, at)]
        there.sort(key=lambda one: one.terms.expires_at or _NEVER)
        return there[0] if there else None

    def knows(self, serial: str) -> bool:
        if serial in self.serials:
            return True
        return any(serial == one for shelf in self.by_batch.values() if not shelf.is_open for one, _ in shelf.free)

    def put_back(self, payment: str) -> None:
        if payment in self.kept:
            batch, pin, _ = self.kept.pop(payment)
            self.by_batch[batch].free.insert(0, pin)


def _of(book: Book) -> Shelves:
    return book.shelves if book.shelves is not None else Shelves()


def stock_obeyed(book: Book, command: StockCommand, entry: Entry, known: Known) -> Iterable[Expected]:
    """What a product's book makes of a command."""
    shelves = _of(book)
    for payee in known.payees(command.payee, entry.at):
        match command:
            case LoadVouchers():
                yield _loaded(shelves, command, payee, entry.at)
            case ReserveVoucher():
                # Whether the terminal had a sealing key is the directory's to know.
                yield _reserved(shelves, command, payee, entry, known.voucher_reserve_ms)
                yield Expected("REFUSED", 155)
            case SellVoucher():
                yield _sold(shelves, command, entry.at)
            case PaySupplier():
                yield _supplier_paid(book, command)
            case _:
                yield _stood(shelves, command)


def _refused(code: int = 300) -> Expected:
    return Expected("REFUSED", code)


def _loaded(shelves: Shelves, order: LoadVouchers, payee: Any, at: int) -> Expected:
    expires_at = round(order.expires_at.timestamp() * 1000) if order.expires_at is not None else 0
    terms = BatchTerms(
        order.batch, order.denomination, order.currency, order.cost, order.supplier, expires_at, order.kid,
        order.count, order.chunks,
    )  # fmt: skip
    if payee is None or payee.served != "vouchers" or payee.currency != order.currency:
        return _refused()
    if not payee.min_amount <= order.denomination <= payee.max_amount or order.cost > order.denomination:
        return _refused()
    if payee.denominations and order.denomination not in payee.denominations:
        return _refused()
    shelf = shelves.by_batch.get(order.batch)
    if (0 < expires_at <= at) or order.batch in shelves.ended or (shelf is not None and shelf.is_open):
        return _refused()
    if shelf is not None and (shelf.terms != terms or order.chunk in shelf.chunks):
        return _refused()
    serials = [serial for serial, _ in order.pins]
    if len(set(serials)) < len(serials) or any(map(shelves.knows, serials)):
        return _refused()
    pins = len(serials) + (len(shelf.free) if shelf is not None else 0)
    is_last = 1 + (len(shelf.chunks) if shelf is not None else 0) == order.chunks
    if pins > order.count or (is_last and pins != order.count):
        return _refused()
    note = VoucherNote(order.payee, order.batch, terms=terms, chunk=order.chunk, pins=order.pins)
    if not is_last:
        return Expected("VOUCHERS_LOADED", voucher=note)
    worth = order.cost * order.count
    moves = moves_of(
        order.currency, (f"voucher-stock:{order.payee}.{order.batch}", -worth), (f"supplier:{order.supplier}", worth)
    )  # fmt: skip
    return Expected("VOUCHER_BATCH_OPENED", moves=moves, document=order.batch, voucher=note)


def _stood(shelves: Shelves, order: BlockBatch | UnblockBatch | DropBatch) -> Expected:
    shelf = shelves.by_batch.get(order.batch)
    note = VoucherNote(order.payee, order.batch)
    if shelf is None:
        return _refused()
    if isinstance(order, DropBatch):
        return _refused() if shelf.is_open else Expected("VOUCHER_BATCH_DROPPED", voucher=note)
    if shelf.is_blocked == isinstance(order, BlockBatch):
        return _refused()
    return Expected("VOUCHER_BATCH_UNBLOCKED" if shelf.is_blocked else "VOUCHER_BATCH_BLOCKED", voucher=note)


def _reserved(shelves: Shelves, order: ReserveVoucher, payee: Any, entry: Entry, kept_ms: int) -> Expected:
    terminal = order.payment[: order.payment.rindex(".")]
    if entry.cause.by.partition(":")[0] != terminal:
        return _refused(133)
    if payee is None:
        return _refused(6)
    if payee.served != "vouchers":
        return _refused(7)
    if order.currency != payee.currency:
        return _refused()
    if payee.denominations and order.denomination not in payee.denominations:
        return _refused(7)
    if order.payment in shelves.kept:
        return _refused()
    mine = sum(payment.startswith(f"{terminal}.") for payment in shelves.kept)
    shelf = shelves.next_shelf(order.denomination, order.currency, entry.at)
    if mine >= _AT_ONCE or shelf is None:
        return _refused(1)
    note = _note(shelf.terms, (shelf.free[0][0], ""), order, until=entry.at + kept_ms)
    return Expected("VOUCHER_RESERVED", voucher=note)


def _sold(shelves: Shelves, order: SellVoucher, at: int) -> Expected:
    worth, coin = order.denomination, order.currency
    if (kept := shelves.kept.get(order.payment)) is not None and shelves.by_batch[kept[0]].sells(worth, coin, at):
        return Expected("VOUCHER_SOLD", voucher=_note(shelves.by_batch[kept[0]].terms, kept[1], order))
    if (shelf := shelves.next_shelf(worth, coin, at)) is not None:
        return Expected("VOUCHER_SOLD", voucher=_note(shelf.terms, shelf.free[0], order))
    note = VoucherNote(order.payee, denomination=worth, currency=coin, payment=order.payment, tree=order.tree)
    return Expected("VOUCHER_NONE", 1, voucher=note)


def _note(terms: BatchTerms, pin: Pin, order: ReserveVoucher | SellVoucher, until: int = 0) -> VoucherNote:
    return VoucherNote(
        order.payee, terms.batch, pin[0], terms.kid, pin[1], terms.denomination, terms.currency, terms.cost,
        order.payment, order.tree, until,
    )  # fmt: skip


def _supplier_paid(book: Book, order: PaySupplier) -> Expected:
    owed = book.ends.get((f"supplier:{order.supplier}", order.currency), (0, 0))[1]
    if owed < order.amount:
        return _refused()
    moves = moves_of(order.currency, (f"supplier:{order.supplier}", -order.amount), ("bank", order.amount))
    return Expected("SUPPLIER_PAID", moves=moves, document=order.document, voucher=VoucherNote(order.payee))


def lapsed(book: Book, entry: Entry) -> list[Expected]:
    """Nobody signed it: the reservations that are over, as far as one entry takes."""
    shelves, at = _of(book), entry.at
    over = tuple(payment for payment, (_, _, until) in shelves.kept.items() if at >= until)
    note = VoucherNote(entry.book.partition("/")[2], lapsed=over[:500])
    is_named = entry.cause.id == f"voucher/{entry.seq}" and not entry.cause.digest
    return [Expected("VOUCHER_LAPSED", voucher=note)] if over and is_named else []


def concluded(tree: str, command: VoucherAnswer, sale: Sale | None) -> Expected:
    """What the stock's word makes of the payment that waits for it."""
    if sale is None or (sale.book, sale.state, sale.facts.served) != (tree, "HELD", "vouchers"):
        return _refused()
    facts = sale.facts
    if isinstance(command, VoucherNone):
        return changed(sale, "VOIDED", 0, refusal=command.refusal)
    given = sum(share for _, share in facts.rewards)
    moves = moves_of(
        facts.currency,
        (f"hold:{facts.payer_agent}", -facts.held),
        (f"voucher-stock:{command.payee}.{command.batch}", command.cost),
        ("fee", facts.held - facts.amount),
        *facts.rewards,
        ("reward", facts.amount - command.cost - given),
    )
    note = VoucherNote(
        command.payee, command.batch, command.serial, command.kid, command.pin, command.denomination,
        command.currency, command.cost, command.payment, tree,
    )  # fmt: skip
    return changed(sale, "POSTED", 0)._replace(moves=moves, voucher=note)


def reprinted(tree: str, command: ReprintVoucher, entry: Entry, sale: Sale | None) -> Expected:
    """sale: of what was posted under that id."""
    if entry.cause.by.partition(":")[0] != command.payment[: command.payment.rindex(".")]:
        return _refused(133)
    if sale is None or sale.book != tree or sale.voucher is None:
        return _refused()
    told = sale.voucher
    note = VoucherNote(
        told.payee, told.batch, told.serial, told.kid, told.pin, sale.facts.amount, sale.facts.currency,
        payment=command.payment, tree=tree,
    )  # fmt: skip
    return Expected("VOUCHER_REPRINTED", voucher=note)


def remember_vouchers(book: Book, entry: Entry) -> None:
    """Take in what the entry says of a product's stock, right or wrong."""
    note = entry.voucher
    if note is None or not entry.book.startswith("vouchers/"):
        return
    if book.shelves is None:
        book.shelves = Shelves()
    shelves, kind = book.shelves, entry.kind.value
    shelf = shelves.by_batch.get(note.batch)
    if note.terms is not None:
        shelf = shelves.by_batch.setdefault(note.batch, Shelf(note.terms))
        shelf.free += note.pins
        shelf.chunks.add(note.chunk)
        if kind == "VOUCHER_BATCH_OPENED":
            shelf.is_open = True
            shelves.serials |= {serial for serial, _ in shelf.free}
    elif kind == "VOUCHER_BATCH_DROPPED":
        shelves.by_batch.pop(note.batch, None)
        shelves.ended.add(note.batch)
    elif kind in ("VOUCHER_BATCH_BLOCKED", "VOUCHER_BATCH_UNBLOCKED") and shelf is not None:
        shelf.is_blocked = kind == "VOUCHER_BATCH_BLOCKED"
    elif kind == "VOUCHER_RESERVED" and shelf is not None and shelf.free:
        shelves.kept[note.payment] = note.batch, shelf.free.pop(0), note.until
    elif kind in ("VOUCHER_LAPSED", "VOUCHER_NONE"):
        for payment in note.lapsed or (note.payment,):
            shelves.put_back(payment)
    elif kind == "VOUCHER_SOLD" and shelf is not None:
        _take(shelves, shelf, note)


def _take(shelves: Shelves, shelf: Shelf, note: VoucherNote) -> None:
    kept = shelves.kept.get(note.payment)
    if kept is not None and (kept[0], kept[1][0]) == (note.batch, note.serial):
        del shelves.kept[note.payment]
    else:
        shelf.free = [pin for pin in shelf.free if pin[0] != note.serial]
        shelves.put_back(note.payment)
    shelf.sold += 1
    if shelf.sold == shelf.terms.count:
        del shelves.by_batch[note.batch]
        shelves.ended.add(note.batch)
