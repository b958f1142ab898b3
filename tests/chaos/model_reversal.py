"""What must become of a reversal: asked for, answered by the payee, or decided by an operator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from schemas.entry import Entry
from schemas.gateway import RetrySchedule
from schemas.outcome import GatewayOutcome, Verdict
from schemas.reversal import Posted, ReversePayment
from tests.chaos.model_answer import code_of, wait_of
from tests.chaos.model_terms import Book, Expected, Known, Moves, Sale, kept_for, moves_of

_OTHER = 300


def asked_back(
    id: str, book: Book, order: ReversePayment, entry: Entry, sale: Sale | None, known: Known
) -> Iterator[Expected]:
    """id: the book's. sale: the payment where it is posted. Several where the directory may have changed meanwhile."""
    owner = entry.cause.by.partition(":")[0]
    if known.is_terminal(owner) and owner != order.payment.rpartition(".")[0]:
        yield Expected("REFUSED", 133)
        return
    if sale is None or sale.book != id or sale.posted is None:
        yield Expected("REFUSED", _OTHER)
        return
    facts, posted = sale.facts, replace(sale.posted, refund=order.refund)
    if known.is_terminal(owner) and any(book.agents[one].status != "open" for one in book.line(facts.agent)):
        yield Expected("REFUSED", 133)
        return
    if facts.served:
        yield Expected("REFUSED", 7)
        return
    can_cancel = known.cancels(facts.gateway, entry.at)
    for payee in known.payees(facts.payee, entry.at):
        window_s = payee.reversal_s if payee is not None else 0
        if not window_s or entry.at - posted.at > window_s * 1000:
            yield Expected("REFUSED", 7)
            continue
        if False in can_cancel:
            yield Expected("REFUSED", 8)
        if True in can_cancel and book.agents[facts.payer_agent].status == "closed":
            yield Expected("REFUSED", _OTHER)
        elif True in can_cancel:
            yield Expected(
                "REVERSING", facts=facts, fields=tuple(facts.subscriber), document=order.evidence, posted=posted
            )


def cancelled(
    book: Book, sale: Sale, outcome: GatewayOutcome, schedule: RetrySchedule, at: int, *, asked_before: bool
) -> Expected:
    """asked_before: whoever asks cannot know whether a worker before it had asked."""
    sent = sale.sent or int(asked_before)
    if outcome.verdict is Verdict.CANCELLED:
        return _changed(book, sale, "REVERSED", sent + 1)
    if outcome.verdict is Verdict.FATAL:
        if sent:
            return _changed(book, sale, "REVERSAL_MANUAL", sent + 1)
        return _changed(book, sale, "REVERSAL_REFUSED", 1, refusal=code_of(outcome.code))
    if outcome.verdict is Verdict.NOT_SENT:
        unreached = sale.unreached + 1
        if unreached < schedule.budget:
            due_at = at + wait_of(schedule, unreached)
            return _changed(book, sale, "REVERSING", sent, unreached=unreached, due_at=due_at)
        if sent:
            return _changed(book, sale, "REVERSAL_MANUAL", sent, unreached=unreached)
        return _changed(book, sale, "REVERSAL_REFUSED", 0, unreached=unreached, refusal=_OTHER)
    if sent + 1 >= schedule.budget:
        return _changed(book, sale, "REVERSAL_MANUAL", sent + 1)
    return _changed(book, sale, "REVERSING", sent + 1, due_at=at + wait_of(schedule, sent + 1))


def told_given_back(book: Book, sale: Sale, outcome: GatewayOutcome) -> list[Expected]:
    """The payee says of a payment whose reversal is in doubt that it has it no more; nothing else ends the doubt."""
    said = outcome.step == "status" and outcome.verdict is Verdict.FATAL
    return [_changed(book, sale, "REVERSED", sale.sent)] if said else []


def reversal_resolved(book: Book, sale: Sale, *, paid: bool) -> Expected:
    """An operator has evidence whether the payee still has the money."""
    if paid:
        return _changed(book, sale, "REVERSAL_REFUSED", sale.sent, refusal=_OTHER)
    return _changed(book, sale, "REVERSED", sale.sent)


def posted_now(sale: Sale, entry: Entry) -> Posted | None:
    """How the payment was posted, after the entry, as far as one may still ask for it back."""
    if entry.kind == "POSTED":
        return Posted(entry.at, entry.outcome.provider_ref if entry.outcome is not None else "")
    if entry.kind == "REVERSAL_REFUSED":
        return replace(sale.posted, refund="") if sale.posted is not None else None
    return entry.posted or sale.posted


def _changed(
    book: Book, sale: Sale, kind: str, sent: int, *, unreached: int = 0, due_at: int = 0, refusal: int = 0
) -> Expected:
    facts = sale.facts
    moves = _moves(book, sale) if kind == "REVERSED" else ()
    return Expected(
        kind, refusal, moves, sent, unreached, due_at, facts=facts, fields=tuple(facts.subscriber), posted=sale.posted
    )


def _moves(book: Book, sale: Sale) -> Moves:
    """The posting, each line the other way; what is due from nobody any more the operator bears."""
    facts, payee = sale.facts, f"payee:{sale.facts.payee}"
    given = [
        ("reward" if account.startswith("agent:") and book.agents[account[6:]].status == "closed" else account, -share)
        for account, share in facts.rewards
    ]
    back = kept_for(facts, facts.amount + facts.fee) if sale.posted and sale.posted.refund == "change" else ()
    return moves_of(
        facts.currency, (payee, -facts.amount), ("fee", facts.amount - facts.held),
        (f"agent:{facts.payer_agent}", facts.held), *given, (payee, sum(share for _, share in facts.rewards)), *back,
    )  # fmt: skip
