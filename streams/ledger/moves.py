"""A sub-agent goes to another place in its tree, with all below it."""

from __future__ import annotations

from dataclasses import replace

from schemas.agent_command import MoveAgent
from schemas.entry import Entry, EntryKind
from schemas.refusal import Refusal
from streams.ledger.agents import agent_at_work
from streams.ledger.objections import Objection
from streams.ledger.state import AgentState, Book, State

MAX_DEPTH = 16


def move(state: State, book: Book, order: MoveAgent, blank: Entry) -> Entry | Objection:
    """Open payments keep the rewards, and count for the limits, of those who were above it when they were held."""
    agent, parent = agent_at_work(book, order.agent), agent_at_work(book, order.parent)
    if isinstance(agent, Objection):
        return agent
    if isinstance(parent, Objection):
        return parent
    if (why_not := _not_moved(state, book, agent, parent)) is not None:
        return Objection(Refusal.OTHER, why_not)
    terms = replace(agent.terms, parent=parent.id)
    return replace(blank, kind=EntryKind.AGENT_MOVED, agent=terms, reason=order.reason)


def _not_moved(state: State, book: Book, agent: AgentState, parent: AgentState) -> str | None:
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
    if lacking := next(
        (one.currency for one in book.purses(agent.id) if not book.chain(parent.id, one.currency)), None
    ):
        return f"agent {agent.id} has an account in {lacking} and {parent.id} has none: who has one, all above it have"
    if waiting := _waiting_below(state, book, agent):
        return f"{waiting} payments sold by {agent.id} or below it wait for funds; they must be held or declined before"
    return None


def _waiting_below(state: State, book: Book, agent: AgentState) -> int:
    """How many payments wait for money that the agent, or one below it, sold: they wait for whose it was then."""
    ids = (one for purse in state.waiting.payers(book.id) for one in state.waiting.of(book.id, *purse))
    sold = (facts for one in ids if (facts := state.open[one].facts) is not None)
    return sum(agent in book.chain(facts.agent) for facts in sold)


def _height(book: Book, agent: AgentState) -> int:
    """How many levels the agent is with all below it; 1: nobody is."""
    lines = (book.chain(one) for one in book.agents)
    return max(line.index(agent) + 1 for line in lines if agent in line)
