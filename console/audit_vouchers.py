"""Vouchers, checked from the entries alone: no PIN twice, none lost, and the stock is worth what is in it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from console.audit_index import fingerprint
from console.audit_ledger import LedgerAudit, where
from console.audit_report import Check
from schemas.entry import Entry, EntryKind, PaymentFacts
from schemas.keys import SERVER_KID
from schemas.voucher import BatchTerms, VoucherNote

# What was sold must be its payment's after so long, by the ledger's own time.
UNDER_WAY_AT_MOST_MS = 3_600_000

_LOADED, _OPENED = EntryKind.VOUCHERS_LOADED, EntryKind.VOUCHER_BATCH_OPENED
_UNBLOCKED = EntryKind.VOUCHER_BATCH_UNBLOCKED


@dataclass(slots=True)
class _Batch:
    """What was loaded and taken of a batch so far; taken: by posted payments, minor units at cost."""

    terms: BatchTerms
    loaded: int = 0
    is_open: bool = False
    is_blocked: bool = False
    sold: int = 0
    taken: int = 0


@dataclass(frozen=True, slots=True)
class _Sale:
    """content: of the PIN, a fingerprint. seq: of the entry in the product's book."""

    content: int
    payee: str
    seq: int
    at: int


class VoucherAudit:
    """Sees every entry once, each partition in its order, after `ledger` has seen it."""

    def __init__(self, ledger: LedgerAudit) -> None:
        self._ledger = ledger
        self._batches: dict[tuple[str, str], _Batch] = {}
        self._pins: dict[int, tuple[str, bool]] = {}  # by mark: batch, is sold
        self._sales: dict[str, _Sale] = {}  # by payment
        self._posted: dict[str, tuple[int, str, str, str]] = {}  # by payment: content, cause, payee, batch
        self._voided: set[str] = set()
        self._newest = 0
        self._once = Check("vouchers.pins")
        self._payments = Check("vouchers.payments")
        self._stock = Check("vouchers.stock")

    def see(self, partition: int, offset: int, entry: Entry) -> None:
        self._newest = max(self._newest, entry.at)
        facts, note = entry.payment, entry.voucher
        if facts is not None and facts.served == "vouchers" and entry.kind is EntryKind.VOIDED:
            self._voided.add(facts.id)
        if note is None:
            return
        if entry.kind is EntryKind.POSTED:
            self._post(partition, offset, entry, note)
        elif entry.book.startswith("vouchers/"):
            for wrong in self._wrong(entry, note):
                self._once.fail(f"{where(partition, offset, entry)}: {wrong}")

    def checks(self) -> list[Check]:
        self._compare_payments()
        self._compare_stock()
        return [self._once, self._payments, self._stock]

    def _wrong(self, entry: Entry, note: VoucherNote) -> Iterator[str]:
        if entry.book != f"vouchers/{note.payee}":
            yield f"is about product {note.payee}"
        key = note.payee, note.batch
        batch = self._batches.get(key)
        if entry.kind in (_LOADED, _OPENED):
            yield from self._load(entry, note)
        elif entry.kind is EntryKind.VOUCHER_BATCH_DROPPED and batch is not None:
            if batch.is_open:
                yield f"batch {note.batch} was whole"
            self._pins = {mark: pin for mark, pin in self._pins.items() if pin[0] != f"{note.payee}.{note.batch}"}
            del self._batches[key]
        elif entry.kind in (EntryKind.VOUCHER_BATCH_BLOCKED, _UNBLOCKED) and batch is not None:
            batch.is_blocked = entry.kind is not _UNBLOCKED
        elif entry.kind is EntryKind.VOUCHER_SOLD:
            yield from self._sell(entry, note, batch)

    def _load(self, entry: Entry, note: VoucherNote) -> Iterator[str]:
        if note.terms is None:
            yield "loads nothing"
            return
        batch = self._batches.setdefault((note.payee, note.batch), _Batch(note.terms))
        if batch.is_open or batch.terms != note.terms:
            yield f"does not continue batch {note.batch}"
        for serial, _ in note.pins:
            self._once.looked_at += 1
            if self._pins.setdefault(_mark(note.payee, serial), (f"{note.payee}.{note.batch}", False))[1]:
                yield f"PIN {serial} was loaded before"
        batch.loaded += len(note.pins)
        if entry.kind is _OPENED:
            batch.is_open = True
            if batch.loaded != batch.terms.count:
                yield f"batch {note.batch} opens with {batch.loaded} of {batch.terms.count} PINs"

    def _sell(self, entry: Entry, note: VoucherNote, batch: _Batch | None) -> Iterator[str]:
        mark = _mark(note.payee, note.serial)
        of, is_sold = self._pins.get(mark, ("", False))
        if batch is None or of != f"{note.payee}.{note.batch}":
            yield f"PIN {note.serial} of batch {note.batch} was never loaded"
            return
        if is_sold:
            yield f"PIN {note.serial} was sold before"
        if note.payment in self._sales:
            yield f"payment {note.payment} has a PIN already"
        if not batch.is_open or batch.is_blocked or 0 < batch.terms.expires_at <= entry.at:
            yield f"batch {note.batch} was not for sale"
        terms = batch.terms
        if (note.denomination, note.currency, note.cost) != (terms.denomination, terms.currency, terms.cost):
            yield f"PIN {note.serial} is not worth what batch {note.batch} says"
        batch.sold += 1
        self._pins[mark] = of, True
        self._sales.setdefault(note.payment, _Sale(_content(note), note.payee, entry.seq, entry.at))

    def _post(self, partition: int, offset: int, entry: Entry, note: VoucherNote) -> None:
        self._payments.looked_at += 1
        if note.payment != (entry.payment.id if entry.payment is not None else "") or note.payment in self._posted:
            self._payments.fail(f"{where(partition, offset, entry)}: has the voucher of payment {note.payment}")
        self._posted[note.payment] = _content(note), entry.cause.id, note.payee, note.batch

    def _compare_payments(self) -> None:
        """Books are read one after another: what the later one knows may be beyond what was read of the earlier."""
        for payment, (content, cause, payee, _) in self._posted.items():
            sale, (begin, _, number) = self._sales.get(payment), cause.rpartition(".")
            seq = int(number) if number.isdecimal() else 0
            book = self._ledger.books.get(f"vouchers/{payee}")
            if begin == f"clearing.vouchers:{payee}" and seq > (book.seq if book is not None else 0):
                continue
            if sale is None or (sale.content, sale.seq) != (content, seq):
                self._payments.fail(f"payment {payment} is posted with a PIN that entry {cause} did not sell to it")
        under_way = 0
        for payment, sale in self._sales.items():
            if payment in self._posted:
                continue
            under_way += 1
            if payment in self._voided or self._newest - sale.at > UNDER_WAY_AT_MOST_MS:
                self._payments.fail(f"payment {payment} was sold a voucher of {sale.payee} and is not posted")
        self._payments.note = f"{under_way} under way" if under_way else ""

    def _compare_stock(self) -> None:
        """What all books have of a batch together is what its PINs cost that no posted payment has."""
        has: dict[tuple[str, str], int] = defaultdict(int)
        for (_, account, currency), statement in self._ledger.statements.items():
            if account.startswith("voucher-stock:"):
                has[account.removeprefix("voucher-stock:"), currency] += statement.total
        should: dict[tuple[str, str], int] = defaultdict(int)
        for (payee, name), batch in self._batches.items():
            if batch.is_open:
                should[f"{payee}.{name}", batch.terms.currency] -= batch.terms.cost * batch.terms.count
        for _, _, payee, name in self._posted.values():
            batch_of = self._batches.get((payee, name))
            if batch_of is not None:
                should[f"{payee}.{name}", batch_of.terms.currency] += batch_of.terms.cost
        for key in sorted(has.keys() | should.keys()):
            self._stock.looked_at += 1
            if has[key] != should[key]:
                self._stock.fail(f"batch {key[0]}: {-has[key]} {key[1]} in stock at cost, its PINs are {-should[key]}")


def _mark(payee: str, serial: str) -> int:
    return fingerprint(f"{payee}\n{serial}".encode())


def _content(note: VoucherNote) -> int:
    pin = note.payee, note.batch, note.serial, note.kid, note.pin, note.denomination, note.currency, note.cost
    return fingerprint(orjson.dumps(pin))


def wrong_stock_movement(entry: Entry, moved: list[tuple[str, int]]) -> str | None:
    """What is wrong with the accounts and amounts of an entry that pays for vouchers, if anything."""
    note = entry.voucher
    if note is None:
        return f"{entry.kind} names no product"
    if entry.kind is _OPENED:
        if (terms := note.terms) is None:
            return f"{entry.kind} names no batch"
        cost = terms.cost * terms.count
        due = [(f"voucher-stock:{note.payee}.{note.batch}", -cost), (f"supplier:{terms.supplier}", cost)]
        return None if sorted(moved) == sorted(line for line in due if line[1]) else f"should move {due}, moved {moved}"
    match sorted(moved):
        case [("bank", amount), (supplier, paid)] if supplier.startswith("supplier:") and amount == -paid > 0:
            return None
    return f"a payment for vouchers moved {moved}"


def due_of_sale(facts: PaymentFacts, note: VoucherNote) -> list[tuple[str, int]]:
    """What a posted voucher payment must move."""
    shared = sum(share for _, share in facts.rewards)
    return [
        (f"hold:{facts.payer_agent}", -facts.held), (f"voucher-stock:{note.payee}.{note.batch}", note.cost),
        ("fee", facts.processing), *facts.rewards, ("reward", facts.amount - note.cost - shared),
    ]  # fmt: skip


def doubtful_sale(entry: Entry, facts: PaymentFacts, state: str) -> str | None:
    """Why an end of a voucher payment must not be believed, if so: its product's book alone decides."""
    is_word = entry.cause.by == SERVER_KID and entry.cause.id.startswith(f"clearing.vouchers:{facts.payee}.")
    if state != "HELD" or not is_word:
        return f"is {entry.kind} by {entry.cause.by} on {entry.cause.id}"
    if entry.kind is EntryKind.POSTED and entry.voucher is None:
        return "is posted without a voucher"
    return None if entry.kind in (EntryKind.POSTED, EntryKind.VOIDED) else f"is {entry.kind}, and no gateway's"
