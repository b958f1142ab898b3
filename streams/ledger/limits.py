"""May this be sold, and this money be spent? The agent's limits and everyone's above it.

Chains are agent first, root last; amounts in minor units of its currency.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.money import Money
from schemas.refusal import Refusal
from streams.ledger.spending import month_of, sold_in_month, sold_on
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


def barred(chain: Sequence[AgentState], payee: str) -> str | None:
    """Whose permitted payees this one is not among, as a sentence."""
    for agent in chain:
        if agent.payees and payee not in agent.payees:
            return f"payee {payee} is not among those permitted to agent {agent.id}"
    return None


def over_maximum(chain: Sequence[AgentState], amount: int) -> str | None:
    """Whose maximum of a single payment the amount is above, as a sentence."""
    for agent in chain:
        if agent.payment_max is not None and amount > agent.payment_max:
            return f"agent {agent.id} takes at most {_words(agent.payment_max, agent)} a payment"
    return None


def over_period(chain: Sequence[AgentState], amount: int, day: str) -> str | None:
    """Whose maximum of the day or of the month the amount would pass, as a sentence. day: "2026-11-24"."""
    for agent in chain:
        if agent.daily_max is not None and (sold := sold_on(agent, day)) + amount > agent.daily_max:
            return f"agent {agent.id} sold {_words(sold, agent)} of at most {_words(agent.daily_max, agent)} on {day}"
        if agent.monthly_max is not None and (sold := sold_in_month(agent, day)) + amount > agent.monthly_max:
            most = _words(agent.monthly_max, agent)
            return f"agent {agent.id} sold {_words(sold, agent)} of at most {most} in {month_of(day)}"
    return None


def _words(minor: int, agent: AgentState) -> str:
    return f"{Money(minor, agent.currency)} {agent.currency}"
