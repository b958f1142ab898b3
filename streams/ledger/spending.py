"""What each agent sold on its tree's current day and in its current month, in each of its currencies by itself.

It counts amounts (what payees get), of every payment that was held on that day and not voided, for the agent that sold
it and every agent above. Only the current day and month are kept: nothing more can be sold on one that is over.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.calendar import day_of
from schemas.entry import PaymentFacts
from streams.ledger.state import AgentState, Book


def business_day(chain: Sequence[AgentState], at: int) -> str:
    """The tree's day at a moment (ms UTC): "2026-11-24". A day once over does not come back, as clocks differ."""
    root = chain[-1]
    return max(root.day, day_of(at, root.time_zone))


def counted_for(chain: Sequence[AgentState]) -> tuple[str, ...]:
    """For whose limits a payment counts that is held now, as its facts say it."""
    return tuple(agent.id for agent in chain)


def month_of(day: str) -> str:
    """ "2026-11-24" -> "2026-11"."""
    return day[:7]


def sold_on(agent: AgentState, day: str) -> int:
    """What counts for the agent on that day, the current one or a later; minor units."""
    return agent.sold_day if agent.day == day else 0


def sold_in_month(agent: AgentState, day: str) -> int:
    """What counts for the agent in that day's month; minor units."""
    return agent.sold_month if month_of(agent.day) == month_of(day) else 0


def count(book: Book, facts: PaymentFacts) -> None:
    """A payment was held. For `evolve` only."""
    agents = book.agents_in(facts.currency)
    for name in facts.chain:
        agent = agents[name]
        agent.sold_month = sold_in_month(agent, facts.day) + facts.amount
        agent.sold_day = sold_on(agent, facts.day) + facts.amount
        agent.day = facts.day


def give_back(book: Book, facts: PaymentFacts) -> None:
    """A payment was voided: its day and month get their part back while they are still current. For `evolve` only."""
    agents = book.agents_in(facts.currency)
    for name in facts.chain:
        agent = agents[name]
        if agent.day == facts.day:
            agent.sold_day -= facts.amount
        if month_of(agent.day) == month_of(facts.day):
            agent.sold_month -= facts.amount
