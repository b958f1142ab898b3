"""What the reference knows of payers' change: the names codes stand for, and what may be spent."""

from __future__ import annotations

from hashlib import blake2b

from schemas.payment import PaymentOrder


class ChangeReference:
    """A part of Reference."""

    def change(self, tree: str, currency: str = "") -> dict[str, int]:
        raise NotImplementedError

    def opened_by(self, order: PaymentOrder) -> dict[str, int]:
        """What the order spends, by the name it is kept under; minor units."""
        return {sha(one.code): one.amount for one in order.change_from}

    def not_spent(self, tree: str, spent: dict[str, int], currency: str) -> int:
        """The code, 0: all of it may be spent."""
        there = self.change(tree, currency)
        return 300 if any(there.get(name, 0) < amount for name, amount in spent.items()) else 0


def sha(code: str) -> str:
    return blake2b(code.encode(), digest_size=16).hexdigest()
