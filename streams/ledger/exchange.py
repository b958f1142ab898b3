"""An agent's money in one currency becomes money in another: two movements, each balanced in its own currency.

The account `exchange` stands between them. What it has in each currency is the operator's position: bought of one, sold
of another. No amount of two currencies is ever added up.
"""

from __future__ import annotations

from dataclasses import replace

from schemas.currency_command import Exchange
from schemas.entry import Entry, EntryKind
from schemas.ids import account_agent
from schemas.money import CURRENCIES, Money
from streams.ledger.accounts import EXCHANGE, legs_of
from streams.ledger.agents import agent_at_work
from streams.ledger.currencies import purse_of
from streams.ledger.objections import Objection, no
from streams.ledger.state import Book, State
from streams.ledger.transfers import not_given


def taken(give: int, give_currency: str, take_currency: str, rate: str) -> int:
    """What is had for `give` at the rate, rounded down; minor units of the two currencies.

    rate: decimal text, units of the currency taken for one of the currency given. 100.00 RUB at 0.0125 are 1.25 USD.
    """
    whole, _, decimals = rate.partition(".")
    to: int = 10 ** CURRENCIES[take_currency]
    of: int = 10 ** (CURRENCIES[give_currency] + len(decimals))
    return give * int(whole + decimals) * to // of


def exchange(state: State, book: Book, order: Exchange, blank: Entry) -> Entry | Objection:
    """It gives no more than it has, with its overdraft, and takes what the rate says."""
    agent = agent_at_work(book, order.agent)
    if isinstance(agent, Objection):
        return agent
    if order.give_currency == order.take_currency:
        return no(f"{order.give_currency} is not exchanged for {order.take_currency}")
    if isinstance(lacking := purse_of(book, agent, order.take_currency, "what it is to take"), Objection):
        return lacking
    if (wrong := _wrong_sum(order)) is not None:
        return no(wrong)
    why_not = not_given(state, book, agent, order.give, order.give_currency, "exchange")
    if why_not is not None:
        return why_not
    account = account_agent(agent.id)
    legs = (
        *legs_of(book, order.give_currency, [(account, -order.give), (EXCHANGE, order.give)]),
        *legs_of(book, order.take_currency, [(EXCHANGE, -order.take), (account, order.take)]),
    )
    return replace(
        blank, kind=EntryKind.EXCHANGED, legs=legs, document=order.document, reason=order.comment, rate=order.rate
    )  # fmt: skip


def _wrong_sum(order: Exchange) -> str | None:
    """What is wrong with the rate, or with what is to be taken at it."""
    if not int(order.rate.replace(".", "")):
        return "the rate is 0: nothing would be had for the money"
    give = f"{Money(order.give, order.give_currency)} {order.give_currency}"
    right = taken(order.give, order.give_currency, order.take_currency, order.rate)
    if order.take != right:
        told, asked = (f"{Money(minor, order.take_currency)} {order.take_currency}" for minor in (right, order.take))
        return f"{give} at {order.rate} are {told}, not {asked}"
    return None
