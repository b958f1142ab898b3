"""What must become of commands about an agent's currencies."""

from __future__ import annotations

from decimal import Decimal, localcontext

from schemas.currency_command import Exchange, OpenCurrency
from schemas.entry import AgentTerms
from schemas.money import CURRENCIES
from tests.chaos.model_terms import Book, Expected, Sale, moves_of

_OTHER, _MOST = 300, 10


def currency_opened(book: Book, order: OpenCurrency) -> Expected:
    agent = book.agents.get(order.agent)
    if agent is None or agent.status == "closed" or book.agent_in(order.agent, order.currency) is not None:
        return Expected("REFUSED", _OTHER)
    if agent.parent is not None and book.agent_in(agent.parent, order.currency) is None:
        return Expected("REFUSED", _OTHER)
    further = sum(of == order.agent for of, _ in book.further)
    if 1 + further >= _MOST or (agent.funding == "shared" and order.overdraft):
        return Expected("REFUSED", _OTHER)
    terms = AgentTerms(
        order.agent, agent.parent, agent.name, order.currency, order.overdraft, agent.funding, agent.status,
        agent.time_zone, payees=agent.payees,
    )  # fmt: skip
    return Expected("CURRENCY_OPENED", terms=terms)


def exchanged(book: Book, order: Exchange, waiting: list[Sale]) -> Expected:
    """waiting: the book's sales that wait for funds."""
    agent, purse = book.agents.get(order.agent), (order.agent, order.give_currency)
    coins = order.give_currency, order.take_currency
    if agent is None or len(set(coins)) < 2 or any(book.agent_in(order.agent, coin) is None for coin in coins):
        return Expected("REFUSED", _OTHER)
    if any(book.agents[name].status != "open" for name in book.line(order.agent)):
        return Expected("REFUSED", _OTHER)
    if order.take != _had(order) or any((one.facts.payer_agent, one.facts.currency) == purse for one in waiting):
        return Expected("REFUSED", _OTHER)
    if book.may_spend(*purse) < order.give:
        return Expected("REFUSED", 220)
    account = f"agent:{order.agent}"
    moves = (
        *moves_of(order.give_currency, (account, -order.give), ("exchange", order.give)),
        *moves_of(order.take_currency, ("exchange", -order.take), (account, order.take)),
    )
    return Expected("EXCHANGED", moves=moves, document=order.document, rate=order.rate)


def _had(order: Exchange) -> int:
    """Major units at the rate, and of them the whole minor units."""
    with localcontext() as exact:
        exact.prec = 60
        major = Decimal(order.give).scaleb(-CURRENCIES[order.give_currency]) * Decimal(order.rate)
        return int(major.scaleb(CURRENCIES[order.take_currency]))
