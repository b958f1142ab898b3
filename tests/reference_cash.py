"""The reference's cash in terminals: no running sum, what was put in is added up from all that was sold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schemas.cash import CollectCash

if TYPE_CHECKING:
    from tests.reference_ledger import Sold

# The payer has given it by then; what is given back later comes from the agent's hand.
_WAS_POSTED = ("POSTED", "REVERSING", "REVERSED", "REVERSAL_MANUAL")


@dataclass
class CashReference:
    """Mixed into the reference, which has what was sold; all of it on one terminal."""

    sold: dict[str, Sold] = field(default_factory=dict)
    collections: dict[tuple[str, str, str], list[tuple[int, int]]] = field(default_factory=dict)  # -> expected, counted

    def put_in(self, tree: str, agent: str, currency: str) -> int | None:
        """Minor units, ever; None: no cash was taken."""
        mine = [
            one.collected or max(0, one.amount + one.fee - sum(one.spent.values()))
            for one in self.sold.values()
            if (one.tree, one.chain[0], one.currency) == (tree, agent, currency)
            and (one.collected or one.state in _WAS_POSTED)
        ]
        return sum(mine) if any(mine) else None

    def collected(self, order: CollectCash) -> tuple[int, int, int] | None:
        """number, expected, counted; None: refused."""
        put_in = self.put_in(order.tree, order.agent, order.currency) if order.terminal == "kiosk-1" else None
        counted = sum(int(worth) * pieces for worth, pieces in order.counted.items())
        if put_in is None or counted > 10**12:
            return None
        before = self.collections.setdefault((order.tree, order.agent, order.currency), [])
        before.append((put_in - sum(expected for expected, _ in before), counted))
        return len(before), *before[-1]

    def shortage(self, tree: str, agent: str, currency: str) -> int:
        """Of all collections for an agent, minor units."""
        found = [pairs for key, pairs in self.collections.items() if key == (tree, agent, currency)]
        return sum(expected - counted for pairs in found for expected, counted in pairs)
