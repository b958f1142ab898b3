"""The legs of an entry as pairs of debit and credit. Pure; amounts in minor units."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pair:
    """One posting: so much leaves `debit` and comes to `credit`. amount is above zero."""

    debit: str
    credit: str
    amount: int
    currency: str


def pairs(legs: Iterable[tuple[str, str, int]]) -> Iterator[Pair]:
    """The pairs of one entry's legs (account, currency, amount; credit positive), which sum to zero in each currency.

    Each leg is paired, in the order in which they stand, with the oldest of the other side that is not used up. So the
    same legs are the same pairs for ever, and what the pairs take from and bring to an account are its legs.
    """
    unpaired: dict[tuple[str, bool], deque[tuple[str, int]]] = defaultdict(deque)  # currency, is it a credit
    for account, currency, amount in legs:
        is_credit, left = amount > 0, abs(amount)
        others = unpaired[currency, not is_credit]
        while left and others:
            other, there = others.popleft()
            taken = min(left, there)
            yield Pair(other, account, taken, currency) if is_credit else Pair(account, other, taken, currency)
            left -= taken
            if there > taken:
                others.appendleft((other, there - taken))
        if left:
            unpaired[currency, is_credit].append((account, left))
