"""A tree's side of a voucher's sale: it asks the product's stock when the money is held, and posts what it is given."""

from __future__ import annotations

from dataclasses import replace

from schemas.clearing_command import clearing_id
from schemas.entry import Entry, EntryKind, PaymentFacts
from schemas.ids import account_hold, ms_instant
from schemas.refusal import Refusal
from schemas.voucher import VOUCHERS, VoucherNote, account_stock
from schemas.voucher_command import ReprintVoucher, SellVoucher, VoucherAnswer, VoucherNone, VoucherSold, VoucherWord
from streams.ledger.accounts import FEE, REWARD, Movements, legs_of, releasing
from streams.ledger.change import giving_back
from streams.ledger.objections import Objection, no
from streams.ledger.payments import PaymentState
from streams.ledger.state import Book, State


def asked_for(entry: Entry) -> VoucherWord | None:
    """What the entry says to the stock, or the stock to a tree. The same whenever it is asked: id and time are its."""
    id, at = clearing_id(entry.book, entry.seq), ms_instant(entry.at)
    facts, note = entry.payment, entry.voucher
    if entry.kind is EntryKind.HELD and facts is not None and facts.served == VOUCHERS:
        return SellVoucher(
            id=id, issued_at=at, payee=facts.payee, tree=entry.book, payment=facts.id, denomination=facts.amount,
            currency=facts.currency,
        )  # fmt: skip
    if entry.kind is EntryKind.VOUCHER_SOLD and note is not None:
        return VoucherSold(
            id=id, issued_at=at, tree=note.tree, payee=note.payee, payment=note.payment, batch=note.batch,
            serial=note.serial, denomination=note.denomination, currency=note.currency, cost=note.cost, kid=note.kid,
            pin=note.pin,
        )  # fmt: skip
    if entry.kind is EntryKind.VOUCHER_NONE and note is not None:
        return VoucherNone(
            id=id, issued_at=at, tree=note.tree, payee=note.payee, payment=note.payment, refusal=entry.refusal,
            reason=entry.reason,
        )  # fmt: skip
    return None


def conclude(state: State, book: Book, order: VoucherAnswer, blank: Entry) -> Entry | Objection:
    """POSTED or VOIDED: what the stock says of a payment. blank: the entry but for what it says."""
    payment = state.open.get(order.payment)
    facts = payment.facts if payment is not None else None
    if payment is None or facts is None or (payment.book, payment.state) != (book.id, EntryKind.HELD):
        return no(f"payment {order.payment} waits for no voucher in tree {book.id}")
    if (facts.served, facts.payee) != (VOUCHERS, order.payee):
        return no(f"payment {order.payment} is not for a voucher of {order.payee}")
    if isinstance(order, VoucherNone):
        legs = legs_of(book, facts.currency, [*releasing(facts), *giving_back(facts)])
        return replace(
            blank, kind=EntryKind.VOIDED, legs=legs, payment=facts, refusal=order.refusal, reason=order.reason
        )  # fmt: skip
    if (facts.amount, facts.currency) != (order.denomination, order.currency):
        return no(f"payment {order.payment} is for another voucher than {order.serial}")
    note = VoucherNote(
        order.payee, order.batch, order.serial, order.kid, order.pin, order.denomination, order.currency, order.cost,
        order.payment, book.id,
    )  # fmt: skip
    legs = legs_of(book, facts.currency, _selling(facts, note))
    return replace(blank, kind=EntryKind.POSTED, legs=legs, payment=facts, voucher=note)


def _selling(facts: PaymentFacts, note: VoucherNote) -> Movements:
    """Ex. 4: the stock gets back what the PIN cost, agents what the tariff promised them, the operator the rest.

    The rest is below zero where the tariff gives away more than a voucher earns.
    """
    rest = facts.amount - note.cost - sum(share for _, share in facts.rewards)
    return [
        (account_hold(facts.payer_agent), -facts.held),
        (account_stock(note.payee, note.batch), note.cost),
        (FEE, facts.processing),
        *facts.rewards,
        (REWARD, rest),
    ]


def reprint(state: State, book: Book, terminal: str, order: ReprintVoucher, blank: Entry) -> Entry | Objection:
    """The PIN is told again, to whom it was told before: the terminal that paid, and nobody else."""
    if not is_payers(terminal, order.payment):
        return Objection(Refusal.NO_RIGHT, "a voucher is printed again by the terminal that sold it, and nobody else")
    payment = state.payments.find(order.payment)
    if payment is None or payment.book != book.id:
        return no(f"there is no payment {order.payment} in tree {order.tree}")
    note = note_of(payment)
    if note is None:
        return no(f"payment {order.payment} is {payment.state} and has no voucher")
    return replace(blank, kind=EntryKind.VOUCHER_REPRINTED, voucher=note)


def is_payers(terminal: str, payment: str) -> bool:
    """Is this the terminal whose payment it is? An operator's "" is none."""
    return terminal == payment.rpartition(".")[0]


def note_of(payment: PaymentState) -> VoucherNote | None:
    """The voucher that was sold with a payment, as it may be told again."""
    facts, posted = payment.facts, payment.posted
    if facts is None or posted is None or not posted.voucher:
        return None
    batch, serial, kid, pin = posted.voucher
    return VoucherNote(
        facts.payee, batch, serial, kid, pin, facts.amount, facts.currency, payment=facts.id, tree=payment.book
    )  # fmt: skip
