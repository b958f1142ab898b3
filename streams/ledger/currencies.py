"""An agent's further currencies: accounts beside those in its tree's own, each with limits and money of its own."""

from __future__ import annotations

from dataclasses import replace

from schemas.currency_command import OpenCurrency
from schemas.entry import AgentTerms, Entry, EntryKind
from streams.ledger.agents import agent_at_work
from streams.ledger.objections import Objection, no
from streams.ledger.state import AgentState, Book

# Each is an agent's state in memory and in every snapshot, for ever.
MAX_CURRENCIES = 10


def open_currency(book: Book, order: OpenCurrency, blank: Entry) -> Entry | Objection:
    """Top-down: a payment in a currency is checked against everyone above, so all of them must have it."""
    agent = agent_at_work(book, order.agent)
    if isinstance(agent, Objection):
        return agent
    has = [one.currency for one in book.purses(agent.id)]
    if order.currency in has:
        return no(f"agent {agent.id} has an account in {order.currency} already")
    if agent.parent is not None and agent.parent not in book.agents_in(order.currency):
        return no(f"agent {agent.parent}, above {agent.id}, has no account in {order.currency}: open that one first")
    if len(has) >= MAX_CURRENCIES:
        return no(f"agent {agent.id} has accounts in {len(has)} currencies; more than {MAX_CURRENCIES} are not kept")
    if agent.funding == "shared" and order.overdraft:
        return no(f"agent {agent.id} spends the money of {agent.parent}: it cannot have a limit of its own")
    return replace(blank, kind=EntryKind.CURRENCY_OPENED, agent=_terms(agent, order))


def purse_of(book: Book, agent: AgentState, currency: str, what: str) -> AgentState | Objection:
    """The agent in that currency, or a sentence that says which it has. what: "the deposit", say."""
    found = book.agents_in(currency).get(agent.id)
    if found is None:
        return no(f"agent {agent.id} is in {currencies_of(book, agent.id)}, {what} is in {currency}")
    return found


def currencies_of(book: Book, agent: str) -> str:
    """ "RUB", "RUB and USD", "RUB, USD and KWD": the tree's own first."""
    *most, last = (one.currency for one in book.purses(agent))
    return f"{', '.join(most)} and {last}" if most else last


def _terms(agent: AgentState, order: OpenCurrency) -> AgentTerms:
    """The agent's own, and nothing of its limits in another currency."""
    return replace(
        agent.terms, currency=order.currency, overdraft=order.overdraft, payment_max=None, daily_max=None,
        monthly_max=None,
    )  # fmt: skip
