"""A payment order becomes a hold, waits for funds, or is declined."""

from __future__ import annotations

from schemas.entry import Cause, Entry, EntryKind, PaymentFacts
from schemas.ids import instant_ms
from schemas.payee import Payee
from schemas.payment import PaymentOrder
from streams.ledger.accounts import holding, legs_of
from streams.ledger.change import beyond, keeping, may_give_back
from streams.ledger.change_spent import spent_by, unspendable
from streams.ledger.commands import Place
from streams.ledger.limits import payer_position
from streams.ledger.objections import Objection, objection
from streams.ledger.prices import Price, price_of
from streams.ledger.routing import routes_of
from streams.ledger.spending import business_day, counted_for
from streams.ledger.state import AgentState, Book, State
from streams.ledger.waiting import LIMITS, in_line, is_full, must_wait_to_give_back


def place(state: State, command: Place, at: int) -> Entry:
    """HELD, WAITING_FUNDS or DECLINED. The order's id must be new."""
    order = command.order
    book = state.books.get(command.book) or Book(command.book)
    chain = book.chain(order.agent, order.currency) or book.chain(order.agent)  # objected to where it has no such money
    payer = chain[payer_position(chain)].id if chain else ""
    price = price_of(command.tariff, book.id, order, chain, at)
    held = order.amount + price.processing
    day = business_day(chain, at) if chain else ""
    needed = held + beyond(order) - order.from_change
    routes = routes_of(command, state.backlog, at)
    spending = unspendable(book, order)
    why_not = objection(command, chain, price, needed, state.backlog, day, spending, routes[0] if routes else "")
    if state.waiting.length(book.id, payer, order.currency):
        why_not = in_line(state, book, chain, payer, why_not)
    kind, why_not, given_back = _course(state, book, order, chain, payer, why_not)
    if kind is EntryKind.HELD:
        counts_for = counted_for(chain)
        facts = _facts(
            command, at, price, routes, payer=payer, held=held, txn=state.next_txn, day=day, chain=counts_for
        )
    else:
        waits = kind is EntryKind.WAITING_FUNDS and not order.change_from
        to_be_held = waits and why_not is not None and why_not.refusal in LIMITS
        facts = _facts(command, at, price, routes, payer=payer, held=held if to_be_held else 0)
    movements = keeping(facts, order.collected if given_back else facts.change if kind is EntryKind.HELD else 0)
    return Entry(
        book=book.id,
        seq=book.seq + 1,
        kind=kind,
        at=at,
        cause=Cause(order.id, command.digest, command.by),
        legs=legs_of(book, order.currency, [*(holding(facts) if facts.txn else ()), *movements]),
        payment=facts,
        refusal=why_not.refusal.code if why_not is not None else 0,
        reason=why_not.reason if why_not is not None else "",
    )


def _course(
    state: State, book: Book, order: PaymentOrder, chain: list[AgentState], payer: str, why_not: Objection | None
) -> tuple[EntryKind, Objection | None, bool]:
    """The state it comes into, why, and whether its cash is kept for the payer now.

    Cash that was taken is never nowhere: what cannot be paid for want of funds waits for them, and what cannot be paid
    at all is the payer's change, as soon as the agent has as much. Change is not spent while an order waits, and could
    be gone when its turn comes: what spends some is declined, and its cash kept.
    """
    if why_not is None:
        return EntryKind.HELD, None, False
    if not may_give_back(order, chain):
        return EntryKind.DECLINED, why_not, False
    is_curable = why_not.refusal in LIMITS and not order.change_from
    if not is_curable and not must_wait_to_give_back(state, book, chain, payer, order.collected):
        return EntryKind.DECLINED, why_not, True
    full = is_full(state, book, payer, order.currency)
    return (EntryKind.WAITING_FUNDS, why_not, False) if full is None else (EntryKind.DECLINED, full, False)


def _facts(
    command: Place,
    at: int,
    price: Price,
    routes: tuple[str, ...],
    *,
    payer: str,
    held: int,
    txn: int = 0,
    day: str = "",
    chain: tuple[str, ...] = (),
) -> PaymentFacts:
    """What will not change any more. Of a payment that is refused nothing is reserved, taken or shared.

    routes: gateways in the order in which they are asked. held: minor units that are reserved, or will be when they
    come; 0: none will. txn, day, chain: of what is held now.
    """
    order, payee = command.order, command.payee
    return PaymentFacts(
        id=order.id,
        number=order.number,
        terminal=order.terminal,
        agent=order.agent,
        payee=order.payee,
        gateway=routes[0] if routes else "",
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
        chain=chain,
        tariff_rule=price.rule,
        change_to=order.change_to or "",
        spent=spent_by(order) if txn else (),
        served=payee.served if payee is not None and payee.served != "online" else "",
        routes=routes[1:],
    )


def _in_payees_order(order: PaymentOrder, payee: Payee | None) -> dict[str, str]:
    """A gateway takes the first field for the subscriber's number, so the payee's order counts, not the terminal's."""
    names = [field.name for field in payee.fields] if payee is not None else []
    given = order.subscriber
    return {name: given[name] for name in [*names, *given] if name in given}
