"""Change that pays for a payment: which account each code opens, and why it cannot be spent."""

from __future__ import annotations

from schemas.change import account_change, mark_of
from schemas.payment import PaymentOrder
from schemas.refusal import Refusal
from streams.ledger.change_block import blocked
from streams.ledger.objections import Objection
from streams.ledger.state import Book


def spent_by(order: PaymentOrder) -> tuple[tuple[str, int], ...]:
    """Fingerprint and amount (minor units) of each, in the order's order. The codes end here: no entry has them."""
    return tuple((mark_of(one.code), one.amount) for one in order.change_from)


def unspendable(book: Book, order: PaymentOrder) -> Objection | None:
    """Why the order's change cannot be spent. What is left is said to whoever has the code, and to nobody else."""
    for number, one in enumerate(order.change_from, 1):
        which = f"change code {number}" if len(order.change_from) > 1 else "the change code"
        account = account_change(mark_of(one.code))
        kept = book.accounts.get((account, order.currency))
        if kept is None:
            return Objection(Refusal.OTHER, f"{which}: no change in {order.currency} is kept under it")
        if (stopped := blocked(book, account, f"{which}: it")) is not None:
            return stopped
        if kept.balance < one.amount:
            return Objection(Refusal.OTHER, f"{which}: {kept.balance} minor units of change are left, not {one.amount}")
    return None
