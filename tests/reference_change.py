"""What the reference knows of payers' change: the names codes stand for, and what may be spent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from schemas.change_command import BlockChange, ReclaimChange, UnblockChange
from schemas.command import OpenAgent
from schemas.payment import PaymentOrder

COINS = ("RUB", "USD")
Kept = tuple[str, str, str]  # tree, name, currency


@dataclass
class ChangeReference:
    """A part of Reference. touched: when last, ms UTC. expired: so much of it was not reclaimed."""

    others: list[tuple[str, str, int, str]] = field(default_factory=list)
    touched: dict[Kept, int] = field(default_factory=dict)
    seen: dict[Kept, int] = field(default_factory=dict)
    expired: dict[Kept, int] = field(default_factory=dict)
    gone: dict[Kept, int] = field(default_factory=dict)  # all that ever expired
    stopped_change: set[tuple[str, str]] = field(default_factory=set)  # tree, name
    sold: dict[str, Any] = field(default_factory=dict)

    def change(self, tree: str, currency: str = "") -> dict[str, int]:
        raise NotImplementedError

    def at_work(self, tree: str, agent: str) -> OpenAgent | None:
        raise NotImplementedError

    def payer(self, tree: str, agent: str) -> str:
        raise NotImplementedError

    def has(self, tree: str, agent: str, currency: str) -> bool:
        raise NotImplementedError

    def look(self, trees: Iterable[str], at: int) -> None:
        """After every step: whose change is another sum than before was touched."""
        for tree in trees:
            for coin in COINS:
                for name, amount in self.change(tree, coin).items():
                    if amount != self.seen.get((tree, name, coin), 0):
                        self.seen[tree, name, coin], self.touched[tree, name, coin] = amount, at

    def expiring(self, tree: str, days: int, at: int) -> dict[tuple[str, str], int]:
        """What goes to `unclaimed` now, by the name it was kept under and currency."""
        before = at - days * 86_400_000
        due = {(name, coin): amount for coin in COINS for name, amount in self.change(tree, coin).items() if amount
               and (tree, name) not in self.stopped_change and self.touched[tree, name, coin] <= before}  # fmt: skip
        for kept, amount in due.items():
            self.expired[tree, *kept] = self.expired.get((tree, *kept), 0) + amount
            self.gone[tree, *kept] = self.gone.get((tree, *kept), 0) + amount
        return due

    def reclaimed(self, order: ReclaimChange) -> str:
        kept = order.tree, sha(order.code) if order.code is not None else f"payment:{order.payment}", order.currency
        left = self.expired.get(kept, 0) - order.amount
        if self.at_work(order.tree, order.agent) is None or left < 0 or kept[:2] in self.stopped_change:
            return "REFUSED"
        if not self.has(order.tree, order.agent, order.currency):
            return "REFUSED"
        self.expired[kept] = left
        self.others.append((order.tree, self.payer(order.tree, order.agent), order.amount, order.currency))
        return "CHANGE_RECLAIMED"

    def opened_by(self, order: PaymentOrder) -> dict[str, int]:
        """What the order spends, by the name it is kept under; minor units."""
        return {sha(one.code): one.amount for one in order.change_from}

    def not_spent(self, tree: str, spent: dict[str, int], currency: str) -> int:
        """The code, 0: all of it may be spent."""
        there = self.change(tree, currency)
        for name, amount in spent.items():
            if name in there and (tree, name) in self.stopped_change:
                return 133
            if there.get(name, 0) < amount:
                return 300
        return 0

    def change_stopped_or_not(self, order: BlockChange | UnblockChange, at: int) -> str:
        """A payment's change is where it ever kept some; a name must have had some."""
        here = [one for one in self.sold.values() if one.tree == order.tree and one.kept]
        names = {one.change for one in here if one.change == order.mark}
        if order.payment is not None:
            names = {one.change for one in here if one is self.sold.get(order.payment)}
        of = (order.tree, *names)
        blocks = isinstance(order, BlockChange)
        if not names or (of in self.stopped_change) == blocks:
            return "REFUSED"
        if blocks:
            self.stopped_change.add(of)
            return "CHANGE_BLOCKED"
        self.stopped_change.discard(of)
        self.touched |= {(*of, coin): at for coin in COINS}
        return "CHANGE_UNBLOCKED"


def sha(code: str) -> str:
    return blake2b(code.encode(), digest_size=16).hexdigest()
