"""What must become of commands about agents that are there."""

from __future__ import annotations

from typing import Any

from schemas.agent_command import CloseAgent, StatusCommand
from schemas.entry import AgentTerms
from tests.chaos.model_terms import Agent, Book, Expected, Sale

_OTHER = 300


def terms_of(name: str, agent: Agent, **changes: Any) -> AgentTerms:
    """The agent's terms with these changes."""
    kept = {one: getattr(agent, one) for one in Agent.__slots__}
    return AgentTerms(name, **kept | changes)


def stood(book: Book, order: StatusCommand, before: set[str], after: str, kind: str) -> Expected:
    agent = book.agents.get(order.agent)
    if agent is None or agent.status not in before:
        return Expected("REFUSED", _OTHER)
    return Expected(kind, terms=terms_of(order.agent, agent, status=after))


def closed(id: str, book: Book, order: CloseAgent, open_sales: dict[str, Sale]) -> Expected:
    """id: the book's. Nothing may be left that could still bring the agent money."""
    below = [one for one in book.agents.values() if one.parent == order.agent and one.status != "closed"]
    money = [balance for (account, _), (_, balance) in book.ends.items()
             if account in (f"agent:{order.agent}", f"hold:{order.agent}") and balance]  # fmt: skip
    waiting = [sale for sale in open_sales.values() if sale.book == id and (
        sale.facts.agent == order.agent or f"agent:{order.agent}" in dict(sale.facts.rewards))]  # fmt: skip
    if below or money or waiting:
        return Expected("REFUSED", _OTHER)
    return stood(book, order, {"open", "blocked"}, "closed", "AGENT_CLOSED")
