"""What must become of commands about an agent's currencies."""

from __future__ import annotations

from schemas.currency_command import OpenCurrency
from schemas.entry import AgentTerms
from tests.chaos.model_terms import Book, Expected

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
