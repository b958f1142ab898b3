"""An agent's limits in one of its currencies are changed: each that the command names, and no other.

Its permitted payees are the agent's own, whatever the currency.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from schemas.command import SetLimit
from schemas.entry import AgentTerms, Entry, EntryKind
from schemas.money import Money
from streams.ledger.agents import agent_at_work
from streams.ledger.currencies import purse_of
from streams.ledger.objections import Objection, no
from streams.ledger.state import Book

_NAMED = ("overdraft", "payment_max", "daily_max", "monthly_max", "payees")


def set_limit(book: Book, order: SetLimit, blank: Entry) -> Entry | Objection:
    """A limit may be set below what was spent already: then nothing more can be spent."""
    agent = agent_at_work(book, order.agent)
    if isinstance(agent, Objection):
        return agent
    agent = purse_of(book, agent, order.currency or agent.currency, "the limit")
    if isinstance(agent, Objection):
        return agent
    changes: dict[str, Any] = {name: value for name in _NAMED if (value := getattr(order, name)) is not None}
    if agent.funding == "shared" and "overdraft" in changes:
        return no(f"agent {agent.id} spends the money of {agent.parent}: set the limit there")
    if both := [name for name in order.lift if name in changes]:
        return no(f"the command both sets and lifts {both[0]}")
    changes |= dict.fromkeys(order.lift)
    if not changes:
        return no("the command names no limit to change")
    terms = replace(agent.terms, **changes)
    if (why_not := _impossible(terms)) is not None:
        return no(why_not)
    return replace(blank, kind=EntryKind.LIMIT_SET, agent=terms)


def _impossible(terms: AgentTerms) -> str | None:
    """Two limits of which the larger could never be reached."""
    limits = (
        ("the maximum of a payment", terms.payment_max),
        ("the daily maximum", terms.daily_max),
        ("the monthly maximum", terms.monthly_max),
    )
    for place, (name, low) in enumerate(limits):
        for other, high in limits[place + 1 :]:
            if low is not None and high is not None and low > high:
                less, more = (f"{Money(minor, terms.currency)} {terms.currency}" for minor in (high, low))
                return f"{name} of agent {terms.agent}, {more}, would be above {other}, {less}"
    return None
