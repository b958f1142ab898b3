"""Registries in the random histories."""

from __future__ import annotations

from random import Random
from typing import Any

from schemas.registry import registry_book
from streams.ledger.registry_state import Registries
from streams.ledger.state import State
from tests.builders import AT
from tests.builders_offline import answer, cut, deliver, registry_delivered, registry_due


def a_registrys_step(state: State, rng: Random, id: str) -> Any:
    """The open one is cut, one that is cut delivered, one that is delivered answered; now and then the wrong one."""
    book = state.books.get(registry_book("water"))
    registries = book.registries if book is not None and book.registries is not None else Registries()
    number = registries.current.number
    if rng.random() < 0.06:
        return rng.choice((
            lambda: cut(number, "nobody", terms=None, id=id),
            lambda: cut(number + 1, id=id),
            lambda: deliver(number, id=id),
            lambda: answer((10**15, 1, True), number=number, id=id),
        ))()  # fmt: skip
    waiting = [one for one in registries.under_way.values() if not one.delivered_at]
    answerable = [one for one in registries.under_way.values() if one.delivered_at]
    if waiting and rng.random() < 0.5:
        one = rng.choice(waiting)
        return registry_delivered(one.number) if rng.random() < 0.7 else deliver(one.number, id=id)
    if answerable and rng.random() < 0.8:
        one = rng.choice(answerable)
        lines = rng.sample(list(one.lines.values()), rng.randint(1, len(one.lines)))
        said = [(line.txn, line.amount + (rng.random() < 0.02), rng.random() < 0.7) for line in lines]
        if one.answered and rng.random() < 0.3:
            txn, accepted = rng.choice(list(one.answered.items()))
            said.append((txn, 1, accepted != (rng.random() < 0.3)))
        return answer(*said, number=one.number, id=id)
    return registry_due(number, due_at=AT) if rng.random() < 0.7 else cut(number, id=id)
