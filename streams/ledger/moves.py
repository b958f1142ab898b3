"""A sub-agent goes to another place in its tree, with all below it."""

from __future__ import annotations

from dataclasses import replace

from schemas.agent_command import MoveAgent
from schemas.entry import Entry, EntryKind
from schemas.refusal import Refusal
from streams.ledger.agents import agent_at_work
from streams.ledger.objections import Objection
from streams.ledger.state import AgentState, Book

MAX_DEPTH = 16


def move(book: Book, order: MoveAgent, blank: Entry) -> Entry | Objection:
    """Open payments keep the rewards, and count for the limits, of those who were above it when they were held."""
    agent, parent = agent_at_work(book, order.agent), agent_at_work(book, order.parent)
    if isinstance(agent, Objection):
        return agent
    if isinstance(parent, Objection):
        return parent
    if (why_not := _not_moved(book, agent, parent)) is not None:
        return Objection(Refusal.OTHER, why_not)
    terms = replace(agent.terms, parent=parent.id)
    return replace(blank, kind=EntryKind.AGENT_MOVED, agent=terms, reason=order.reason)


def _not_moved(book: Book, agent: AgentState, parent: AgentState) -> str | None:
    if agent.parent is None:
        return f"agent {agent.id} is the root of its tree: it has no other place"
    if agent is parent:
        return f"agent {agent.id} cannot be below itself"
    if agent.parent == parent.id:
        return f"agent {agent.id} is below {parent.id} already"
    above = book.chain(parent.id)
    if agent in above:
        return f"agent {parent.id} is below {agent.id}: neither would have a root any more"
    levels = len(above) + _height(book, agent)
    if levels > MAX_DEPTH:
        return f"below {parent.id} the agents under {agent.id} would reach level {levels}; the last is {MAX_DEPTH}"
    return None


def _height(book: Book, agent: AgentState) -> int:
    """How many levels the agent is with all below it; 1: nobody is."""
    lines = (book.chain(one) for one in book.agents)
    return max(line.index(agent) + 1 for line in lines if agent in line)
