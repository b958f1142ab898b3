"""REROUTED: another gateway is asked about a payment of which nothing can have been sent. Law 6: never otherwise.

| answer                                        | what becomes of the route    |
|-----------------------------------------------|------------------------------|
| NOT_SENT, or UNCLEAR to a check               | goes behind the others       |
| FATAL to a check, the gateway's own trouble   | is not asked any more        |
| FATAL to a check, about subscriber or payment | – : the payee's word, VOIDED |

Once every route had its turn the next round waits, as long as the schedule says.
"""

from __future__ import annotations

from dataclasses import replace

from schemas.entry import Cause, Entry, EntryKind, PaymentFacts
from schemas.outcome import Verdict
from streams.ledger.commands import Settle
from streams.ledger.origins import DISPATCH
from streams.ledger.payments import PaymentState
from streams.ledger.state import Book

ASKED_IN_VAIN = frozenset({(Verdict.NOT_SENT, "check"), (Verdict.NOT_SENT, "pay"), (Verdict.UNCLEAR, "check")})


def rerouted(book: Book, payment: PaymentState, command: Settle, at: int) -> Entry | None:
    """The entry that gives the payment another gateway; None: this answer does not, or there is no other."""
    facts, outcome, retry = payment.facts, command.outcome, command.retry
    assert facts is not None  # an open payment has them
    if payment.state is not EntryKind.HELD or payment.tries or command.sent_before or not facts.routes:
        return None
    deferrals, due_at = payment.deferrals, 0
    if (outcome.verdict, outcome.step) in ASKED_IN_VAIN:
        deferrals += 1
        rounds, is_within = divmod(deferrals, 1 + len(facts.routes))
        held_at = facts.held_at or facts.received_at
        if retry.is_spent(rounds, held_at, at):
            return None
        due_at = 0 if is_within else retry.unsent_due(rounds, held_at, at)
        stays = True
    elif (outcome.verdict, outcome.step) == (Verdict.FATAL, "check") and outcome.code in command.technical:
        stays = False
    else:
        return None
    return Entry(
        book=book.id,
        seq=book.seq + 1,
        kind=EntryKind.REROUTED,
        at=at,
        cause=Cause(payment.id, "", DISPATCH),
        payment=moved_on(facts, stays=stays),
        deferrals=deferrals,
        due_at=due_at,
        outcome=outcome,
    )


def moved_on(facts: PaymentFacts, *, stays: bool) -> PaymentFacts:
    """The payment on its next route. stays: the one it leaves may be asked again, after the others."""
    gateway, *others = facts.routes
    left = facts.gateway
    return replace(
        facts,
        gateway=gateway,
        routes=(*others, left) if stays else tuple(others),
        rerouted_from=facts.rerouted_from if left in facts.rerouted_from else (*facts.rerouted_from, left),
    )


def is_moved_on(entry: Entry, facts: PaymentFacts) -> bool:
    """Does a REROUTED entry change nothing but the route of the payment it finds, and that as it may?"""
    if entry.tries or entry.legs or entry.outcome is None or entry.outcome.step not in ("check", "pay"):
        return False
    was_asked = entry.outcome.verdict in (Verdict.NOT_SENT, Verdict.UNCLEAR, Verdict.FATAL)
    stays = entry.outcome.verdict is not Verdict.FATAL
    may_be_paid = entry.outcome.step == "pay" and entry.outcome.verdict is not Verdict.NOT_SENT
    return was_asked and not may_be_paid and bool(facts.routes) and entry.payment == moved_on(facts, stays=stays)
