"""An operator's decision on a payment that nobody else can end, with the evidence for it."""

from __future__ import annotations

from dataclasses import replace

from schemas.command import ResolvePayment
from schemas.entry import Entry, EntryKind, PaymentFacts
from schemas.money import Money
from schemas.refusal import Refusal
from streams.ledger.accounts import legs_of
from streams.ledger.change import keeping
from streams.ledger.limits import shortfall
from streams.ledger.objections import Objection, no
from streams.ledger.payments import PaymentState
from streams.ledger.reversal import reversal_entry
from streams.ledger.settle import Change, payment_entry
from streams.ledger.state import Book, State


def resolve(state: State, book: Book, order: ResolvePayment, blank: Entry) -> Entry | Objection:
    """POSTED or VOIDED for one in MANUAL, DECLINED for one in WAITING_FUNDS; in doubt of a reversal, its end."""
    payment = state.payments.find(order.payment)
    if payment is None or payment.book != book.id:
        return no(f"there is no payment {order.payment} in tree {order.tree}")
    if payment.state is EntryKind.REVERSAL_MANUAL:
        kind, refusal = (EntryKind.REVERSAL_REFUSED, Refusal.OTHER.code) if order.paid else (EntryKind.REVERSED, 0)
        change = Change(kind, payment.tries, refusal, order.evidence)
        return reversal_entry(book, payment, blank.cause, change, blank.at)
    if payment.state is EntryKind.WAITING_FUNDS:
        return _given_up(book, order, payment, blank)
    if payment.state is EntryKind.QUEUED:
        return no(f"payment {payment.id} is in a registry: its payee's answer to that ends it (kassa registry answer)")
    if payment.state is not EntryKind.MANUAL:
        return no(
            f"payment {order.payment} is {payment.state}; only one in MANUAL or WAITING_FUNDS is decided by an operator"
        )
    if order.paid:
        change = Change(EntryKind.POSTED, payment.tries, reason=order.evidence)
    else:
        change = Change(EntryKind.VOIDED, payment.tries, Refusal.OTHER.code, order.evidence)
    return payment_entry(book, payment, blank.cause, change, blank.at)


def _given_up(book: Book, order: ResolvePayment, payment: PaymentState, blank: Entry) -> Entry | Objection:
    """It waits no longer: its cash is the payer's change, now, whoever waits before it for the agent's money."""
    facts = payment.facts
    assert facts is not None  # an open payment has them
    if order.paid:
        return no(f"payment {payment.id} waits for funds: no payee was asked, so none can have been paid")
    if order.id == payment.id:
        # By its cause an entry is known to answer a payment's order, or a command.
        return no(f"{order.id} is the payment's own id; give the command another")
    if (why_not := _not_kept(book, facts)) is not None:
        return no(why_not)
    legs = legs_of(book, facts.currency, keeping(facts, facts.collected))
    refusal = Refusal.OTHER.code
    return replace(
        blank, kind=EntryKind.DECLINED, legs=legs, payment=facts, refusal=refusal, reason=order.evidence
    )  # fmt: skip


def _not_kept(book: Book, facts: PaymentFacts) -> str | None:
    """Why the payer's cash cannot be kept for the payer, if so."""
    line = book.chain(facts.payer_agent, facts.currency)
    refusal = shortfall(line, facts.collected)
    if refusal is None:
        return None
    if refusal is Refusal.UPSTREAM_LACKS_FUNDS:
        return f"an agent above {facts.payer_agent} is below its limit: nothing of its money is kept for a payer"
    has = Money(max(line[0].available, 0), facts.currency)
    wanted = f"{Money(facts.collected, facts.currency)} {facts.currency}"
    return f"the payer put in {wanted}, and agent {facts.payer_agent} has {has}: nothing could be kept for the payer"
