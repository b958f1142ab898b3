"""A batch comes chunk by chunk, and is for sale once it is whole: what is not whole is nothing."""

from __future__ import annotations

from dataclasses import replace

from schemas.entry import Entry, EntryKind
from schemas.ids import instant_ms
from schemas.voucher import BatchTerms, VoucherNote, account_stock, account_supplier, serial_mark
from schemas.voucher_command import DropBatch, LoadVouchers
from streams.ledger.accounts import legs_of
from streams.ledger.commands import Product
from streams.ledger.objections import Objection, no
from streams.ledger.state import Book
from streams.ledger.stock import Batch, Stock


def load(book: Book, product: Product, order: LoadVouchers, blank: Entry) -> Entry | Objection:
    """VOUCHERS_LOADED, or with the last chunk VOUCHER_BATCH_OPENED: from then on the supplier is owed for all of it."""
    terms = BatchTerms(
        order.batch, order.denomination, order.currency, order.cost, order.supplier,
        instant_ms(order.expires_at) if order.expires_at is not None else 0, order.kid, order.count, order.chunks,
    )  # fmt: skip
    stock = book.stock or Stock()
    batch = stock.batches.get(order.batch)
    if (why_not := _not_sellable(product, terms, blank.at) or _not_continued(stock, batch, terms, order)) is not None:
        return no(why_not)
    loaded, pins = (len(batch.loaded), len(batch.free)) if batch is not None else (0, 0)
    pins += len(order.pins)
    is_last = loaded + 1 == order.chunks
    if pins > order.count or (is_last and pins < order.count):
        return no(f"batch {order.batch} was to have {order.count} PINs, and would have {pins}: drop it")
    note = VoucherNote(order.payee, order.batch, terms=terms, chunk=order.chunk, pins=order.pins)
    if not is_last:
        return replace(blank, kind=EntryKind.VOUCHERS_LOADED, voucher=note)
    cost = terms.cost * terms.count
    movements = [(account_stock(order.payee, order.batch), -cost), (account_supplier(terms.supplier), cost)]
    legs = legs_of(book, terms.currency, movements)
    return replace(blank, kind=EntryKind.VOUCHER_BATCH_OPENED, legs=legs, document=order.batch, voucher=note)


def drop(book: Book, order: DropBatch, blank: Entry) -> Entry | Objection:
    """What was never whole was never owed for: nothing moves."""
    batch = book.stock.batches.get(order.batch) if book.stock is not None else None
    if batch is None or batch.is_open:
        return no(f"no batch {order.batch} of {order.payee} is being loaded; one that is whole can be blocked")
    note = VoucherNote(order.payee, order.batch)
    return replace(blank, kind=EntryKind.VOUCHER_BATCH_DROPPED, reason=order.reason, voucher=note)


def _not_sellable(product: Product, terms: BatchTerms, at: int) -> str | None:
    payee = product.payee
    if payee is None or payee.served != "vouchers":
        return "there is no such payee that sells vouchers"
    if terms.currency != payee.currency:
        return f"vouchers of {payee.id} are in {payee.currency}, not in {terms.currency}"
    is_taken = payee.min_amount <= terms.denomination <= payee.max_amount
    if not is_taken or (payee.denominations and terms.denomination not in payee.denominations):
        return f"payee {payee.id} takes no payment of {terms.denomination} minor units"
    if terms.cost > terms.denomination:
        return f"a PIN costs {terms.cost} minor units, and sells for {terms.denomination}"
    if 0 < terms.expires_at <= at:
        return f"batch {terms.batch} has expired"
    if terms.kid not in product.kids:
        return f"the workers have no key {terms.kid}: copy keys/vouchers/{terms.kid}.jwk to them first"
    return None


def _not_continued(stock: Stock, batch: Batch | None, terms: BatchTerms, order: LoadVouchers) -> str | None:
    if terms.batch in stock.ended or (batch is not None and batch.is_open):
        return f"batch {terms.batch} is there already, or was; its id is not given again"
    if batch is not None and batch.terms != terms:
        return f"other chunks of batch {terms.batch} say other things of it"
    if batch is not None and order.chunk in batch.loaded:
        return f"chunk {order.chunk} of batch {terms.batch} is there already"
    marks = set[int]()
    for serial, _ in order.pins:
        mark = serial_mark(serial)
        if mark in marks or stock.has(mark):
            return f"serial {serial} is there already"
        marks.add(mark)
    return None
