"""A payment order becomes a hold, or is declined."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.entry import Cause, Entry, EntryKind, PaymentFacts
from schemas.ids import instant_ms
from schemas.payee import Payee
from schemas.payment import PaymentOrder
from streams.ledger.accounts import holding, legs_of
from streams.ledger.commands import Place
from streams.ledger.limits import payer_position
from streams.ledger.objections import objection
from streams.ledger.prices import Price, price_of
from streams.ledger.spending import business_day
from streams.ledger.state import AgentState, Book, State


def place(state: State, command: Place, at: int) -> Entry:
    """HELD or DECLINED. The order's id must be new."""
    order = command.order
    book = state.books.get(command.book) or Book(command.book)
    chain = book.chain(order.agent)
    payer = chain[payer_position(chain)].id if chain else ""
    price = price_of(command.tariff, book.id, order, chain, at)
    held = order.amount + price.processing
    cause = Cause(order.id, command.digest, command.by)
    day = business_day(chain, at) if chain else ""
    why_not = objection(command, chain, price, held, state.backlog, day)
    if why_not is not None:
        return Entry(
            book=book.id,
            seq=book.seq + 1,
            kind=EntryKind.DECLINED,
            at=at,
            cause=cause,
            payment=_facts(command, at, price, payer=payer),
            refusal=why_not.refusal.code,
            reason=why_not.reason,
        )
    return Entry(
        book=book.id,
        seq=book.seq + 1,
        kind=EntryKind.HELD,
        at=at,
        cause=cause,
        legs=legs_of(book, order.currency, holding(payer, held)),
        payment=_facts(command, at, price, payer=payer, txn=state.next_txn, held=held, day=day, chain=chain),
    )


def _facts(
    command: Place,
    at: int,
    price: Price,
    *,
    payer: str,
    txn: int = 0,
    held: int = 0,
    day: str = "",
    chain: Sequence[AgentState] = (),
) -> PaymentFacts:
    """What will not change any more. Of a declined payment nothing is reserved, taken or shared."""
    order, payee = command.order, command.payee
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
        processing=price.processing if held else 0,
        collected=order.collected,
        currency=order.currency,
        txn=txn,
        tariff_version=price.version,
        payer_agent=payer,
        held=held,
        rewards=price.rewards if held else (),
        made_at=instant_ms(order.made_at),
        received_at=at,
        day=day,
        chain=tuple(agent.id for agent in chain),
        tariff_rule=price.rule,
    )


def _in_payees_order(order: PaymentOrder, payee: Payee | None) -> dict[str, str]:
    """A gateway takes the first field for the subscriber's number, so the payee's order counts, not the terminal's."""
    names = [field.name for field in payee.fields] if payee is not None else []
    given = order.subscriber
    return {name: given[name] for name in [*names, *given] if name in given}
