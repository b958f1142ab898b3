"""Who may work: an agent that is blocked or closed stops its whole subtree."""

from __future__ import annotations

from collections.abc import Sequence

from streams.ledger.state import AgentState

OPEN, BLOCKED, CLOSED = "open", "blocked", "closed"


def stopped(chain: Sequence[AgentState]) -> str | None:
    """Who stops the first agent of the chain (agent first, root last), as a sentence. None: nobody."""
    for agent in chain:
        if agent.status != OPEN:
            return _sentence(chain[0], agent)
    return None


def _sentence(seller: AgentState, stopper: AgentState) -> str:
    if stopper is seller:
        return f"agent {seller.id} is {seller.status}"
    return f"agent {stopper.id}, above {seller.id}, is {stopper.status}"
