"""What one payment costs and earns, by the rule of the tariff that holds for it. Computed once, then on the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from schemas.ids import instant_ms
from schemas.payment import PaymentOrder
from schemas.tariff import Tariff
from streams.ledger.fees import fee_within, processing_of, rewards_of
from streams.ledger.state import AgentState
from streams.ledger.tariff_choice import agent_path, choice_of


class Price(NamedTuple):
    """By what it was priced (0: no tariff; "": the tariff's own prices), and what came of it, minor units.

    fee: within the amount and the fee that the order states. rewards: account and share.
    """

    version: int = 0
    rule: str = ""
    fee: int = 0
    processing: int = 0
    rewards: tuple[tuple[str, int], ...] = ()


def price_of(tariff: Tariff | None, tree: str, order: PaymentOrder, chain: Sequence[AgentState], at: int) -> Price:
    """chain: the agent first, the root last. at: when the order was received, ms UTC."""
    if tariff is None:
        return Price()
    rule = None
    if tariff.rules:
        path = agent_path(tree, order.agent)
        rule = choice_of(tariff).of(path, order.amount, priced_at(order, at))
    prices = rule.prices if rule is not None else tariff
    return Price(
        tariff.version,
        rule.name if rule is not None else "",
        fee_within(prices, order.amount + order.fee),
        processing_of(prices, order.amount),
        rewards_of(prices, order.amount, chain),
    )


def priced_at(order: PaymentOrder, at: int) -> int:
    """The time whose rules hold, ms UTC: of receipt (at), or when the terminal took the cash (docs/decisions/0009)."""
    return min(instant_ms(order.made_at), at) if order.collected else at
