"""The fee to put on top of an amount, so that the tariff finds the same fee inside their total."""

from __future__ import annotations

from schemas.money import MAX_MINOR
from schemas.tariff import Tariff


def fee_on_top(tariff: Tariff | None, amount: int) -> int | None:
    """The smallest fee (minor units) that is right for an amount (minor units); None when no fee is.

    Adding one unit to the total adds at most one to the fee within it, so the first fee that is not too small is
    exactly right. Only a fee of everything that is put in has no solution.
    """
    if tariff is None:
        return 0
    low, high = 0, 1
    while tariff.fee.within(amount + high) > high and high < MAX_MINOR:
        low, high = high, high * 2
    while low < high:
        middle = (low + high) // 2
        if tariff.fee.within(amount + middle) > middle:
            low = middle + 1
        else:
            high = middle
    return low if tariff.fee.within(amount + low) == low else None
