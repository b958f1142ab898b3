"""Who gets what of a payment: the operator's processing fee and the shares of the payee's reward."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from schemas.ids import account_agent
from schemas.price import Prices
from streams.ledger.accounts import REWARD
from streams.ledger.state import AgentState


def processing_of(prices: Prices | None, amount: int) -> int:
    """What the operator takes from the agent's balance for an amount; minor units."""
    return prices.processing.of(amount) if prices is not None else 0


def fee_within(prices: Prices | None, total: int) -> int:
    """What the payer pays on top, inside the total of amount and fee; minor units."""
    return prices.fee.within(total) if prices is not None else 0


def rewards_of(prices: Prices | None, amount: int, chain: Sequence[AgentState]) -> tuple[tuple[str, int], ...]:
    """Account and share of the payee's reward; minor units. Empty when there is none.

    The total is computed once and each share rounds down, so the operator's rest holds every remainder.
    """
    total = prices.reward.of(amount) if prices is not None else 0
    if prices is None or not total:
        return ()
    shares: list[tuple[str, int]] = []
    rest = total
    for agent, bps in zip(chain, prices.reward_shares_bps, strict=False):
        share = total * bps // 10_000
        if share:  # kept with every open payment, so each account's name is one string
            shares.append((sys.intern(account_agent(agent.id)), share))
            rest -= share
    return (*shares, (REWARD, rest)) if rest else tuple(shares)
