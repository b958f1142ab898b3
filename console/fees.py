"""The amount to put to a payee of what a payer puts in, so that the tariff finds the same fee inside the total."""

from __future__ import annotations

from schemas.tariff import Prices, Tariff
from streams.ledger.checking import fee_on_top, prices_for
from streams.ledger.tariff_choice import choice_of

__all__ = ["amount_within", "fee_on_top", "prices_for"]


def amount_within(tariff: Tariff | None, total: int, agent: str, at: int) -> int | None:
    """The most that a payee can get of a total (minor units) with the fee inside it; None: no amount fits."""
    rules = choice_of(tariff).rules if tariff is not None else ()
    prices: list[Prices] = [tariff or Prices(), *(rule.prices for rule in rules)]
    fitting = {total - one.fee.within(total) for one in prices}
    return max((one for one in fitting if one > 0 and _fits(tariff, one, total, agent, at)), default=None)


def _fits(tariff: Tariff | None, amount: int, total: int, agent: str, at: int) -> bool:
    """By which rule a payment is priced depends on its amount."""
    return prices_for(tariff, amount, agent, at).fee.within(total) == total - amount
