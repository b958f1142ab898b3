"""What Kassa itself says to a question about a subscriber: the rules of an order, tried on one that nobody made."""

from __future__ import annotations

from typing import NamedTuple

from schemas.entry import PaymentFacts
from schemas.ids import instant_ms
from schemas.payee import Payee
from schemas.payment import PaymentOrder
from schemas.refusal import Refusal
from schemas.tariff import Prices, Tariff
from schemas.tracking import CheckRequest
from streams.ledger.commands import Place
from streams.ledger.limits import payer_position
from streams.ledger.objections import Objection, objection
from streams.ledger.prices import price_of
from streams.ledger.routing import routes_of
from streams.ledger.spending import business_day
from streams.ledger.state import Book, State
from streams.ledger.tariff_choice import agent_path, choice_of


class Terms(NamedTuple):
    """The directory's facts of the moment, as a payment order's (streams.ledger.commands.Place)."""

    payee: Payee | None
    tariff: Tariff | None
    backlog_max: int
    is_sealed: bool = False
    unwell: frozenset[str] = frozenset()


class Looked(NamedTuple):
    """objection: why a payment would be declined as things stand, or None. amount: what it was tried with, minor units.

    fee: on top of the amount that was asked about, minor units; None: no amount was, or no fee fits it. gateway:
    through which it would be paid.
    """

    objection: Objection | None
    amount: int
    fee: int | None
    gateway: str = ""


def look(state: State, book_id: str, request: CheckRequest, terms: Terms, at: int) -> Looked:
    """Would an order for this be taken at `at` (ms UTC)? Changes nothing.

    book_id: the terminal's tree. Where the amount is not known yet it is tried with the least that the payee takes.
    """
    payee, tariff = terms.payee, terms.tariff
    book = state.books.get(book_id) or Book(book_id)
    amount = request.amount or least(payee)
    fee = fee_on_top(tariff, amount, agent_path(book_id, request.agent), at)
    chain = book.chain(request.agent, payee.currency if payee is not None else "") or book.chain(request.agent)
    order = _order(request, payee, amount, fee or 0)
    price = price_of(tariff, book_id, order, chain, at)
    place = Place(book_id, order, "", "", *terms)
    day = business_day(chain, at) if chain else ""
    gateway = next(iter(routes_of(place, state.backlog, at)), "")
    why_not = objection(place, chain, price, amount + price.processing, state.backlog, day, None, gateway)
    if chain and why_not is None and state.waiting.length(book_id, chain[payer_position(chain)].id, order.currency):
        why_not = Objection(
            Refusal.AGENT_LACKS_FUNDS, "payments whose cash is taken already wait for the agent's funds"
        )
    if why_not is None and fee is None:
        why_not = Objection(Refusal.BAD_FEE, "no fee fits this amount by the tariff")
    return Looked(why_not, amount, fee if request.amount is not None else None, gateway)


def facts_of(request: CheckRequest, payee: Payee, looked: Looked, at: int) -> PaymentFacts:
    """What a gateway is given to ask about: a payment that does not exist, under a number that no payment has."""
    given = request.subscriber
    return PaymentFacts(
        id=request.id,
        number=0,
        terminal=request.terminal,
        agent=request.agent,
        payee=payee.id,
        gateway=looked.gateway,
        subscriber={field.name: given[field.name] for field in payee.fields},
        amount=looked.amount,
        fee=0,
        processing=0,
        collected=0,
        currency=payee.currency,
        txn=request.txn(),
        tariff_version=0,
        payer_agent="",
        held=0,
        rewards=(),
        made_at=instant_ms(request.made_at),
        received_at=at,
    )


def least(payee: Payee | None) -> int:
    """The least that the payee takes, minor units."""
    return min(payee.denominations, default=payee.min_amount) if payee is not None else 1


def fee_on_top(tariff: Tariff | None, amount: int, agent: str, at: int) -> int | None:
    """The fee (minor units) that is right for an amount (minor units); None when no fee is.

    agent: "<tree>/<agent>". at: the time whose rules hold, ms UTC.
    """
    return prices_for(tariff, amount, agent, at).fee.on_top(amount)


def prices_for(tariff: Tariff | None, amount: int, agent: str, at: int) -> Prices:
    """Those of the rule that holds, or the tariff's own."""
    if tariff is None:
        return Prices()
    rule = choice_of(tariff).of(agent, amount, at)
    return rule.prices if rule is not None else tariff


def _order(request: CheckRequest, payee: Payee | None, amount: int, fee: int) -> PaymentOrder:
    """Not validated: what is wrong about it is for the rules to say."""
    return PaymentOrder.model_construct(
        id=request.id,  # by which routes with shares are drawn
        terminal=request.terminal,
        number=1,
        agent=request.agent,
        payee=request.payee,
        subscriber=request.subscriber,
        amount=amount,
        fee=fee,
        collected=0,
        currency=payee.currency if payee is not None else "",
        made_at=request.made_at,
        change_to=None,
        change_from=(),
    )
