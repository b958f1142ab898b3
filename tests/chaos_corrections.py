"""Corrections by hand in the random histories."""

from __future__ import annotations

from random import Random

from streams.ledger.commands import Instruct
from streams.ledger.state import State
from tests.builders_correction import a_correction, a_drop, an_approval

_ACCOUNTS = ("agent:A", "agent:S", "agent:S", "agent:T", "agent:U", "payee:mobile", "payee:abroad", "fee", "reward",
             "bank", "unclaimed", "agent-fees", "hold:S", "agent:nobody")  # fmt: skip
_OPERATORS = ("chief:1", "chief:2", "second:1")


def a_correction_of(state: State, rng: Random, id: str) -> Instruct:
    """Asked for, approved or dropped, by one operator or the other."""
    tree, by = rng.choice("AAAB"), rng.choice(_OPERATORS)
    proposals = list(state.books[tree].proposals) if tree in state.books else []
    if proposals and rng.random() < 0.7:
        proposal = rng.choice((*proposals, *proposals, "nothing"))
        if rng.random() < 0.4:
            return a_drop(proposal, by=by, tree=tree, id=id)
        return an_approval(proposal, by=by, tree=tree, id=id)
    first, *rest = rng.sample(sorted(set(_ACCOUNTS)), rng.randint(2, 4))
    amount = rng.choice((-1, 1)) * rng.randint(1, 3_000)
    payments = list(state.payments)
    corrects = rng.choice(payments) if payments and rng.random() < 0.6 else f"entry {rng.choice((1, 2, 10**6))}"
    movements = {first: amount * len(rest)} | dict.fromkeys(rest, -amount)
    return a_correction(
        movements, by=by, above=rng.choice((0, 2_000)), tree=tree, currency=rng.choice(("RUB", "RUB", "USD")), id=id,
        corrects=corrects,
    )  # fmt: skip
