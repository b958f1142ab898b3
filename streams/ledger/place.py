"""A payment order becomes a hold, waits for funds, or is declined."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.entry import Cause, Entry, EntryKind, PaymentFacts
from schemas.ids import instant_ms
from schemas.payee import Payee
from schemas.payment import PaymentOrder
from streams.ledger.accounts import holding, legs_of
from streams.ledger.change import beyond, keeping, may_give_back
from streams.ledger.commands import Place
from streams.ledger.fees import processing_of, rewards_of
from streams.ledger.limits import payer_position
from streams.ledger.objections import Objection, objection
from streams.ledger.state import AgentState, Book, State
from streams.ledger.waiting import LIMITS, in_line, is_full, must_wait_to_give_back


def place(state: State, command: Place, at: int) -> Entry:
    """HELD, WAITING_FUNDS or DECLINED. The order's id must be new."""
    order = command.order
    book = state.books.get(command.book) or Book(command.book)
    chain = book.chain(order.agent)
    payer = chain[payer_position(chain)].id if chain else ""
    processing = processing_of(command.tariff, order.amount)
    held = order.amount + processing
    why_not = objection(command, chain, held + beyond(order), state.backlog)
    if state.waiting.length(book.id, payer):
        why_not = in_line(state, book, chain, payer, why_not)
    kind, why_not, given_back = _course(state, book, order, chain, payer, why_not)
    if kind is EntryKind.DECLINED or (why_not is not None and why_not.refusal not in LIMITS):
        facts = _facts(command, at, payer=payer)
    else:
        txn = state.next_txn if kind is EntryKind.HELD else 0
        facts = _facts(command, at, payer=payer, chain=chain, txn=txn, processing=processing, held=held)
    movements = keeping(facts, order.collected if given_back else facts.change if kind is EntryKind.HELD else 0)
    return Entry(
        book=book.id,
        seq=book.seq + 1,
        kind=kind,
        at=at,
        cause=Cause(order.id, command.digest, command.by),
        legs=legs_of(book, order.currency, [*(holding(payer, held) if facts.txn else ()), *movements]),
        payment=facts,
        refusal=why_not.refusal.code if why_not is not None else 0,
        reason=why_not.reason if why_not is not None else "",
    )


def _course(
    state: State, book: Book, order: PaymentOrder, chain: list[AgentState], payer: str, why_not: Objection | None
) -> tuple[EntryKind, Objection | None, bool]:
    """The state it comes into, why, and whether its cash is kept for the payer now.

    Cash that was taken is never nowhere: what cannot be paid for want of funds waits for them, and what cannot be paid
    at all is the payer's change, as soon as the agent has as much.
    """
    if why_not is None:
        return EntryKind.HELD, None, False
    if not may_give_back(order, chain):
        return EntryKind.DECLINED, why_not, False
    if why_not.refusal not in LIMITS and not must_wait_to_give_back(state, book, chain, payer, order.collected):
        return EntryKind.DECLINED, why_not, True
    full = is_full(state, book, payer)
    return (EntryKind.WAITING_FUNDS, why_not, False) if full is None else (EntryKind.DECLINED, full, False)


def _facts(
    command: Place,
    at: int,
    *,
    payer: str,
    chain: Sequence[AgentState] = (),
    txn: int = 0,
    processing: int = 0,
    held: int = 0,
) -> PaymentFacts:
    """What will not change any more. Of a payment that is refused nothing is reserved, taken or shared."""
    order, payee, tariff = command.order, command.payee, command.tariff
    return PaymentFacts(
        id=order.id,
        number=order.number,
        terminal=order.terminal,
        agent=order.agent,
        payee=order.payee,
        gateway=payee.gateway if payee is not None else "",
        subscriber=_in_payees_order(order, payee),
        amount=order.amount,
        fee=order.fee,
        processing=processing,
        collected=order.collected,
        currency=order.currency,
        txn=txn,
        tariff_version=tariff.version if tariff is not None else 0,
        payer_agent=payer,
        held=held,
        rewards=rewards_of(tariff, order.amount, chain) if held else (),
        made_at=instant_ms(order.made_at),
        received_at=at,
        change_to=order.change_to or "",
    )


def _in_payees_order(order: PaymentOrder, payee: Payee | None) -> dict[str, str]:
    """A gateway takes the first field for the subscriber's number, so the payee's order counts, not the terminal's."""
    names = [field.name for field in payee.fields] if payee is not None else []
    given = order.subscriber
    return {name: given[name] for name in [*names, *given] if name in given}
