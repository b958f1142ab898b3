"""Reversal: a posted payment is asked back from its payee, and what the payee's answer means. Law 6 holds here too."""

from __future__ import annotations

from dataclasses import replace

from schemas.entry import Cause, Entry, EntryKind, PaymentFacts
from schemas.ids import account_agent
from schemas.outcome import GatewayOutcome, Verdict
from schemas.refusal import Refusal
from schemas.reversal import ReversePayment
from streams.ledger.accounts import FEE, REWARD, Movements, account_payee
from streams.ledger.agents import agent_at_work
from streams.ledger.change import keeping
from streams.ledger.commands import Instruct, Reversible, Settle
from streams.ledger.objections import Objection
from streams.ledger.origins import DISPATCH
from streams.ledger.payments import PaymentState
from streams.ledger.settle import Change, later, payment_entry, refusal_of
from streams.ledger.standing import CLOSED, stopped
from streams.ledger.state import Book, State


def reverse(state: State, book: Book, command: Instruct, order: ReversePayment, blank: Entry) -> Entry | Objection:
    """REVERSING: the payee is to be asked. blank: the entry but for what it says."""
    terminal, _, _ = order.payment.rpartition(".")
    if command.terminal not in ("", terminal):
        return Objection(Refusal.NO_RIGHT, f"terminal {command.terminal} did not take payment {order.payment}")
    payment = state.payments.find(order.payment)
    if payment is None or payment.book != book.id:
        return Objection(Refusal.OTHER, f"there is no payment {order.payment} in tree {order.tree}")
    if payment.state is not EntryKind.POSTED or payment.facts is None or payment.posted is None:
        return Objection(Refusal.OTHER, f"payment {payment.id} is {payment.state}; only one that is POSTED is reversed")
    stopper = stopped(book.chain(payment.facts.agent)) if command.terminal else None
    if stopper is not None:
        return Objection(Refusal.NO_RIGHT, f"{stopper}: an operator asks its payments back")
    if payment.posted.voucher:
        return Objection(
            Refusal.PAYEE_PROHIBITS, f"payment {payment.id} bought a voucher: whoever has its PIN keeps it"
        )
    why_not = _not_reversible(payment.facts, command.reversible or Reversible({}, frozenset()), payment.posted.at,
                              blank.at)  # fmt: skip
    if why_not is not None:
        return why_not
    payer = agent_at_work(book, payment.facts.payer_agent)
    if isinstance(payer, Objection):
        return Objection(payer.refusal, f"{payer.reason}: it cannot be given its money back")
    return replace(
        blank, kind=EntryKind.REVERSING, payment=payment.facts, posted=replace(payment.posted, refund=order.refund),
        reason=order.reason, document=order.evidence,
    )  # fmt: skip


def _not_reversible(facts: PaymentFacts, now: Reversible, posted_at: int, at: int) -> Objection | None:
    if facts.served == "offline":
        return Objection(
            Refusal.PAYEE_PROHIBITS, f"payee {facts.payee} is served by registries: no gateway can ask a payment back"
        )
    window_s = now.payees.get(facts.payee, 0)
    if not window_s:
        return Objection(Refusal.PAYEE_PROHIBITS, f"payee {facts.payee} gives no payments back")
    if at > posted_at + window_s * 1000:
        ago_s = (at - posted_at) // 1000
        return Objection(
            Refusal.PAYEE_PROHIBITS,
            f"payee {facts.payee} gives a payment back within {window_s} s; this one was posted {ago_s} s ago",
        )
    if facts.gateway not in now.gateways:
        return Objection(Refusal.TECHNICAL_PROHIBITION, f"gateway {facts.gateway} cannot ask for a payment back")
    return None


def was_given_back(outcome: GatewayOutcome) -> bool:
    """Does the answer settle a payment in REVERSAL_MANUAL, which else an operator decides?

    Only the payee's word on the payment itself, that it has it no more. That it has it is none: a cancel of ours may
    yet be carried out.
    """
    return (outcome.step, outcome.verdict) == ("status", Verdict.FATAL)


def settle_reversal(book: Book, payment: PaymentState, command: Settle, at: int) -> Entry:
    """The entry for a gateway's answer about a payment in REVERSING, or in REVERSAL_MANUAL if it `was_given_back`."""
    cause = Cause(payment.id, "", DISPATCH)
    return reversal_entry(book, payment, cause, later(_change(payment, command, at), command), at, command.outcome)


def reversal_entry(
    book: Book, payment: PaymentState, cause: Cause, change: Change, at: int, outcome: GatewayOutcome | None = None
) -> Entry:
    """An entry that takes a reversal further; REVERSED has the legs."""
    facts, posted = payment.facts, payment.posted
    assert facts is not None
    assert posted is not None
    movements = taking_back(book, facts, posted.refund) if change.kind is EntryKind.REVERSED else []
    return payment_entry(book, payment, cause, change, at, outcome, movements)


def taking_back(book: Book, facts: PaymentFacts, refund: str) -> Movements:
    """Ex. 6: exactly what was posted, the other way. What an agent earned that is closed by now the operator bears."""
    payee = account_payee(facts.payee)
    closed = {account_agent(one.id) for one in book.agents.values() if one.status == CLOSED}
    return [
        (payee, -facts.amount),
        (FEE, -facts.processing),
        (account_agent(facts.payer_agent), facts.held),
        *((REWARD if account in closed else account, -share) for account, share in facts.rewards),
        (payee, sum(share for _, share in facts.rewards)),
        *(keeping(facts, facts.amount + facts.fee) if refund == "change" else ()),
    ]


def _change(payment: PaymentState, command: Settle, at: int) -> Change:
    """The table. `sent`: how many cancel requests may have reached the payee before this answer.

    | answer    | nothing sent before                       | something may have been sent              |
    |-----------|-------------------------------------------|-------------------------------------------|
    | CANCELLED | REVERSED                                  | REVERSED                                  |
    | FATAL     | REVERSAL_REFUSED                          | MANUAL: the first request may have passed |
    | NOT_SENT  | REVERSING, asked again; budget: refused   | REVERSING, asked again; budget: MANUAL    |
    | any other | REVERSING, asked again; budget: MANUAL    | the same                                  |
    """
    sent = max(payment.tries, int(command.sent_before))
    outcome, retry = command.outcome, command.retry
    if payment.state is EntryKind.REVERSAL_MANUAL:
        return Change(EntryKind.REVERSED, payment.tries, reason=outcome.comment)
    match outcome.verdict:
        case Verdict.CANCELLED:
            return Change(EntryKind.REVERSED, sent + 1)
        case Verdict.FATAL:
            return _refused(outcome, sent)
        case Verdict.NOT_SENT:
            deferrals = payment.deferrals + 1
            if deferrals < retry.budget:
                return Change(EntryKind.REVERSING, sent, deferrals=deferrals, due_at=at + retry.after(deferrals))
            reason = f"the payee could not be reached {deferrals} times in a row"
            if sent:
                return Change(EntryKind.REVERSAL_MANUAL, sent, 0, f"{reason} after an unclear attempt", deferrals)
            return Change(EntryKind.REVERSAL_REFUSED, 0, Refusal.OTHER.code, f"{reason}; nothing was sent", deferrals)
        case _:
            if sent + 1 >= retry.budget:
                reason = f"no clear answer to {sent + 1} cancel requests"
                return Change(EntryKind.REVERSAL_MANUAL, sent + 1, reason=reason)
            return Change(EntryKind.REVERSING, sent + 1, due_at=at + retry.after(sent + 1))


def _refused(outcome: GatewayOutcome, sent: int) -> Change:
    """A refusal is believed only when no earlier request can have been the one that was carried out."""
    said = f"the payee gives it not back (code {outcome.code or 'none'})"
    if sent:
        return Change(EntryKind.REVERSAL_MANUAL, sent + 1, reason=f"{said}, after an unclear attempt")
    return Change(EntryKind.REVERSAL_REFUSED, 1, refusal_of(outcome.code).code, outcome.comment or said)
