"""Further currencies in the random histories: tree A of RUB has dollars too, at some of its agents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from streams.ledger.commands import Instruct
from tests.builders import a_deposit
from tests.builders_currency import open_currency

_FURTHER = ("USD", "USD", "JPY", "KWD")
_AGENTS = ("A", "A", "S", "S", "T", "U", "V")


def beginning_abroad(rng: Random, new_id: Callable[[], str]) -> Iterator[Instruct]:
    """A and S, and T perhaps, have dollars; the rest may come to."""
    for agent in ("A", "S", "T")[: rng.randint(1, 3)]:
        yield open_currency(agent, "USD", id=new_id())
        yield a_deposit(agent, rng.randint(1, 60_000), id=new_id(), currency="USD")


def a_currency(rng: Random, id: str) -> Instruct:
    """Opened, or refused."""
    overdraft = rng.choice((0, 0, 2_000))
    return open_currency(rng.choice(_AGENTS), rng.choice(_FURTHER), rng.choice("AAB"), id=id, overdraft=overdraft)


def currency_for(rng: Random, tree: str) -> str:
    """The tree's own, mostly."""
    return "USD" if tree == "B" or rng.random() < 0.3 else "RUB"
