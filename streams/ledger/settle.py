"""What a gateway's answer, or its silence, means for an open payment: the table the whole server rests on."""

from __future__ import annotations

from typing import NamedTuple

from schemas.entry import Cause, Entry, EntryKind, PaymentFacts
from schemas.gateway import RetrySchedule
from schemas.outcome import GatewayOutcome, Verdict
from schemas.refusal import Refusal
from streams.ledger.accounts import Movements, legs_of, posting, releasing
from streams.ledger.change import giving_back
from streams.ledger.commands import Settle
from streams.ledger.origins import DISPATCH
from streams.ledger.payments import PaymentState
from streams.ledger.rerouting import rerouted
from streams.ledger.state import Book

# The codes of the field that are a payee's to say. 220 from a payee would tell an agent to bring us money.
_PAYEE_MAY_SAY = frozenset({4, 5, 7, 8, 79, 241, 242, 243, 300})


class Change(NamedTuple):
    """What becomes of a payment. tries, deferrals, due_at: as in PaymentState. refusal: a code, 0: none."""

    kind: EntryKind
    tries: int
    refusal: int = 0
    reason: str = ""
    deferrals: int = 0
    due_at: int = 0


def ends_doubt(payment: PaymentState, outcome: GatewayOutcome) -> bool:
    """Does the answer settle a payment in MANUAL, which else an operator decides?

    Only what the payee says of the payment itself: that it has it, or never will. Where nothing was sent and the payee
    said "paid", its number is not ours alone, and whatever the payee says of the number may be about another's payment.
    """
    if outcome.step != "status" or outcome.verdict not in (Verdict.PAID, Verdict.FATAL):
        return False
    return payment.tries > 0 and payment.facts is not None and not payment.facts.served


def settle(book: Book, payment: PaymentState, command: Settle, at: int) -> Entry:
    """The entry for a gateway's answer about a payment in HELD, SENT or UNKNOWN, or in MANUAL if it `ends_doubt`."""
    if (another := rerouted(book, payment, command, at)) is not None:
        return another
    change = later(_change(payment, command, at), command)
    return payment_entry(book, payment, Cause(payment.id, "", DISPATCH), change, at, command.outcome)


def later(change: Change, command: Settle) -> Change:
    """No sooner than the payee is to be asked at all: one that is down costs a payment few network errors."""
    return change._replace(due_at=max(change.due_at, command.not_before)) if change.due_at else change


def send(book: Book, payment: PaymentState, at: int) -> Entry:
    """The entry without which a pay that must not be repeated does not leave: from here on it may be carried out.

    Network errors before it are still counted, since this one may come to nothing too.
    """
    change = Change(EntryKind.SENT, payment.tries + 1, deferrals=payment.deferrals)
    return payment_entry(book, payment, Cause(payment.id, "", DISPATCH), change, at)


def payment_entry(
    book: Book,
    payment: PaymentState,
    cause: Cause,
    change: Change,
    at: int,
    outcome: GatewayOutcome | None = None,
    movements: Movements | None = None,
) -> Entry:
    """An entry that changes an open payment, with the legs its new state calls for, or of these movements."""
    assert payment.facts is not None  # an open payment has them
    movements = _movements(payment.facts, change.kind) if movements is None else movements
    return Entry(
        book=book.id,
        seq=book.seq + 1,
        kind=change.kind,
        at=at,
        cause=cause,
        legs=legs_of(book, payment.facts.currency, movements),
        payment=payment.facts,
        refusal=change.refusal,
        reason=change.reason,
        tries=change.tries,
        deferrals=change.deferrals,
        due_at=change.due_at,
        outcome=outcome,
        posted=payment.posted,
    )


def _movements(facts: PaymentFacts, kind: EntryKind) -> Movements:
    if kind is EntryKind.POSTED:
        return posting(facts)
    return [*releasing(facts), *giving_back(facts)] if kind is EntryKind.VOIDED else []


def _change(payment: PaymentState, command: Settle, at: int) -> Change:
    """The table, for a payment that stays on its route. `sent`: how many pay requests may have reached the payee before
    the one that is answered.

    | answer              | nothing sent before                  | something may have been sent              |
    |---------------------|--------------------------------------|-------------------------------------------|
    | PAID to a pay       | POSTED                               | POSTED                                    |
    | PAID to a check     | MANUAL: the number is not ours alone | POSTED                                    |
    | FATAL               | VOIDED                               | MANUAL: the first request may have passed |
    | FATAL to a status   | VOIDED                               | VOIDED: it is about the payment itself    |
    | UNCLEAR to a pay    | UNKNOWN, asked again; budget: MANUAL | the same                                  |
    | NOT_SENT, or        | DEFERRED, asked again; budget:       | UNKNOWN, asked again; budget: MANUAL      |
    |   UNCLEAR to a check|   VOIDED, since nothing was sent     |                                           |
    |   or status         |                                      |                                           |

    PAID to a status is as PAID to a check. CHECKED and CANCELLED say nothing about a pay, so they are as unclear as
    UNCLEAR. ABSENT is no refusal: a request may still be on its way, so the payment is asked for again. What would be
    UNKNOWN is MANUAL where the payee can be asked no more (`is_last`).

    In SENT the pay is counted already, before its answer: an answer to it is one to the first.
    """
    outcome = command.outcome
    is_counted = payment.state is EntryKind.SENT and outcome.step == "pay"
    sent = max(payment.tries - is_counted, int(command.sent_before))
    change = _answer(payment, outcome, sent, command.retry, at)
    if change.kind is EntryKind.UNKNOWN and command.is_last:
        reason = "it is not clear whether the payee was paid, and it can be asked no more"
        return Change(EntryKind.MANUAL, change.tries, reason=reason, deferrals=change.deferrals)
    return change


def _answer(payment: PaymentState, outcome: GatewayOutcome, sent: int, retry: RetrySchedule, at: int) -> Change:
    match outcome.verdict, outcome.step:
        case (Verdict.PAID, "check" | "status") if not sent:
            return Change(EntryKind.MANUAL, sent, reason="the payee says paid, but no pay request was sent")
        case (Verdict.PAID, _):
            return Change(EntryKind.POSTED, sent + (outcome.step == "pay"))
        case (Verdict.FATAL, "status"):
            return _void(outcome, sent)
        case (Verdict.FATAL, _):
            return _refused(outcome, sent)
        case (Verdict.UNCLEAR | Verdict.CHECKED | Verdict.CANCELLED | Verdict.ABSENT, "pay"):
            return _unclear(sent + 1, retry, at)
        case _:
            return _not_asked(payment, outcome, sent, retry, at)


def _refused(outcome: GatewayOutcome, sent: int) -> Change:
    """A refusal is believed only when no earlier request can have been the one that was carried out."""
    if sent:
        reason = f"{_said(outcome)} after an unclear attempt"
        return Change(EntryKind.MANUAL, sent + (outcome.step == "pay"), reason=reason)
    return _void(outcome, int(outcome.step == "pay"))


def _void(outcome: GatewayOutcome, tries: int) -> Change:
    refusal = refusal_of(outcome.code)
    reason = outcome.comment or (_said(outcome) if refusal is Refusal.OTHER else "")
    return Change(EntryKind.VOIDED, tries, refusal.code, reason)


def _said(outcome: GatewayOutcome) -> str:
    return f"the payee refused (code {outcome.code or 'none'})"


def refusal_of(code: str) -> Refusal:
    """A payee's result code in our words; OTHER when it is not one of those a payee may give."""
    number = int(code) if code.isascii() and code.isdecimal() and len(code) <= 3 else 0
    return Refusal.by_code(number) if number in _PAYEE_MAY_SAY else Refusal.OTHER


def _unclear(tries: int, retry: RetrySchedule, at: int) -> Change:
    """The payee may have been paid: ask again with the same number until the budget is spent."""
    if tries >= retry.budget:
        return Change(EntryKind.MANUAL, tries, reason=f"no clear answer to {tries} pay requests")
    return Change(EntryKind.UNKNOWN, tries, due_at=at + retry.after(tries))


def _not_asked(
    payment: PaymentState, outcome: GatewayOutcome, sent: int, retry: RetrySchedule, at: int
) -> Change:  # fmt: skip
    """No pay request left us this time. Network errors are not tries: a schedule gives them a time of their own.

    Where it gives none they have the same budget of their own, which counts failures in a row and starts anew when a
    pay request gets through; so a payment ends after budget × budget answers at the very most. A payee that is asked
    what became of a payment, and has it under way still, is there: that ends with the budget, and not before the time.
    """
    assert payment.facts is not None  # an open payment has them
    deferrals, held_at = payment.deferrals + 1, payment.facts.held_at or payment.facts.received_at
    was_asked = bool(sent) and outcome.step == "status" and outcome.verdict is not Verdict.NOT_SENT
    if was_asked and deferrals < retry.budget:
        return Change(EntryKind.UNKNOWN, sent, deferrals=deferrals, due_at=at + retry.after(deferrals))
    if not retry.is_spent(deferrals, held_at, at):
        kind = EntryKind.UNKNOWN if sent else EntryKind.DEFERRED
        return Change(kind, sent, deferrals=deferrals, due_at=retry.unsent_due(deferrals, held_at, at))
    if sent:
        what = "gave no clear word of it" if was_asked else "could not be asked"
        reason = f"the payee {what}, {deferrals} times in a row after an unclear attempt"
        return Change(EntryKind.MANUAL, sent, reason=reason, deferrals=deferrals)
    refusal = Refusal.CANNOT_CHECK if outcome.step == "check" else Refusal.OTHER
    reason = f"the payee could not be reached {deferrals} times in a row; nothing was sent"
    return Change(EntryKind.VOIDED, 0, refusal.code, reason, deferrals)
