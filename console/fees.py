"""The fee to put on top of an amount, so that the tariff finds the same fee inside their total."""

from __future__ import annotations

from schemas.tariff import Prices, Tariff
from streams.ledger.tariff_choice import choice_of


def fee_on_top(tariff: Tariff | None, amount: int, agent: str, at: int) -> int | None:
    """The fee (minor units) that is right for an amount (minor units); None when no fee is.

    agent: "<tree>/<agent>". at: the time whose rules hold, ms UTC.
    """
    return prices_for(tariff, amount, agent, at).fee.on_top(amount)


def amount_within(tariff: Tariff | None, total: int, agent: str, at: int) -> int | None:
    """The most that a payee can get of a total (minor units) with the fee inside it; None: no amount fits."""
    rules = choice_of(tariff).rules if tariff is not None else ()
    prices: list[Prices] = [tariff or Prices(), *(rule.prices for rule in rules)]
    fitting = {total - one.fee.within(total) for one in prices}
    return max((one for one in fitting if one > 0 and _fits(tariff, one, total, agent, at)), default=None)


def _fits(tariff: Tariff | None, amount: int, total: int, agent: str, at: int) -> bool:
    """By which rule a payment is priced depends on its amount."""
    return prices_for(tariff, amount, agent, at).fee.within(total) == total - amount


def prices_for(tariff: Tariff | None, amount: int, agent: str, at: int) -> Prices:
    """Those of the rule that holds, or the tariff's own."""
    if tariff is None:
        return Prices()
    rule = choice_of(tariff).of(agent, amount, at)
    return rule.prices if rule is not None else tariff
