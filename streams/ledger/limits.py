"""May this money be spent? The agent's limit and everyone's above it."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.refusal import Refusal
from streams.ledger.state import AgentState


def payer_position(chain: Sequence[AgentState]) -> int:
    """Whose money it is: the place in the chain of the nearest agent, upwards, that spends its own."""
    return next(position for position, agent in enumerate(chain) if agent.funding == "own")


def shortfall(chain: Sequence[AgentState], needed: int) -> Refusal | None:
    """Who in the chain (agent first, root last) cannot carry this amount (minor units): itself, or one above it?

    The payer must have the amount. Those above it do not pay, but one of them below its own limit stops all below.
    """
    position = payer_position(chain)
    if chain[position].available < needed:
        return Refusal.AGENT_LACKS_FUNDS if position == 0 else Refusal.UPSTREAM_LACKS_FUNDS
    if any(above.available < 0 for above in chain[position + 1 :]):
        return Refusal.UPSTREAM_LACKS_FUNDS
    return None
