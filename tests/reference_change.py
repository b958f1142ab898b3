"""What the reference knows of payers' change: the names codes stand for, and what may be spent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from schemas.change_command import BlockChange, ReclaimChange, UnblockChange
from schemas.command import OpenAgent
from schemas.payment import PaymentOrder

Kept = tuple[str, str, str]  # tree, currency, name it is kept under


@dataclass
class ChangeReference:
    """A part of Reference, by tree, currency and name. touched: when last, ms UTC. expired: what is not reclaimed."""

    others: list[tuple[str, str, int, str]] = field(default_factory=list)
    touched: dict[Kept, int] = field(default_factory=dict)
    seen: dict[Kept, int] = field(default_factory=dict)
    expired: dict[Kept, int] = field(default_factory=dict)
    gone: dict[Kept, int] = field(default_factory=dict)  # all that ever expired
    stopped_change: set[tuple[str, str]] = field(default_factory=set)  # tree, name
    sold: dict[str, Any] = field(default_factory=dict)
    moved_change: list[tuple[str, str, int, str]] = field(default_factory=list)

    def change(self, tree: str, currency: str = "") -> dict[str, int]:
        raise NotImplementedError

    def currencies(self, tree: str, agent: str) -> list[str]:
        raise NotImplementedError

    def has(self, tree: str, agent: str, currency: str) -> bool:
        raise NotImplementedError

    def at_work(self, tree: str, agent: str) -> OpenAgent | None:
        raise NotImplementedError

    def payer(self, tree: str, agent: str) -> str:
        raise NotImplementedError

    def look(self, trees: Iterable[str], at: int) -> None:
        """After every step: whose change is another sum than before was touched."""
        for tree in trees:
            for key, amount in self._kept(tree).items():
                if amount != self.seen.get(key, 0):
                    self.seen[key], self.touched[key] = amount, at

    def _kept(self, tree: str) -> dict[Kept, int]:
        coins = self.currencies(tree, tree)
        return {(tree, coin, name): amount for coin in coins for name, amount in self.change(tree, coin).items()}

    def expiring(self, tree: str, days: int, at: int) -> dict[tuple[str, str], int]:
        """What goes to `unclaimed` now, by currency and the name it was kept under."""
        due = {key: amount for key, amount in self._kept(tree).items()
               if amount and (tree, key[2]) not in self.stopped_change
               and at - self.touched[key] >= days * 86_400_000}  # fmt: skip
        for key, amount in due.items():
            self.expired[key] = self.expired.get(key, 0) + amount
            self.gone[key] = self.gone.get(key, 0) + amount
        return {key[1:]: amount for key, amount in due.items()}

    def reclaimed(self, order: ReclaimChange) -> str:
        name = sha(order.code) if order.code is not None else f"payment:{order.payment}"
        key = order.tree, order.currency, name
        left = self.expired.get(key, 0) - order.amount
        if self.at_work(order.tree, order.agent) is None or left < 0 or (order.tree, name) in self.stopped_change:
            return "REFUSED"
        if not self.has(order.tree, order.agent, order.currency):
            return "REFUSED"
        self.expired[key] = left
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
        names |= {name for tree, name, amount, _ in self.moved_change
                  if (tree, name) == (order.tree, order.mark) and amount > 0}  # fmt: skip
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
        self.touched |= {(order.tree, coin, of[1]): at for coin in self.currencies(order.tree, order.tree)}
        return "CHANGE_UNBLOCKED"


def sha(code: str) -> str:
    return blake2b(code.encode(), digest_size=16).hexdigest()
