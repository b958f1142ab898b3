"""The reference's registries: which payment is in which, and what its payee said. No digests, no running totals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schemas.registry_command import AddToRegistry, AnswerRegistry, PaymentAnswered

if TYPE_CHECKING:
    from tests.reference_ledger import Sold


@dataclass
class Numbered:
    """One registry. lines: number at the payee -> payment; said: what was answered."""

    lines: dict[int, str] = field(default_factory=dict)
    is_cut: bool = False
    is_delivered: bool = False
    said: dict[int, bool] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        return self.is_delivered and len(self.said) == len(self.lines)


@dataclass
class OfflineReference:
    """A part of Reference. The only payee that is served offline is water."""

    sold: dict[str, Sold] = field(default_factory=dict)
    posted_at: dict[str, int] = field(default_factory=dict)
    registries: list[Numbered] = field(default_factory=lambda: [Numbered()])

    def lined(self, order: AddToRegistry) -> int:
        """The number of the registry it is in."""
        self.registries[-1].lines[order.txn] = order.payment
        return len(self.registries)

    def cut(self, number: int) -> tuple[int, int] | None:
        """Lines and total; None: that is not the open one."""
        if number != len(self.registries):
            return None
        registry = self.registries[-1]
        registry.is_cut = True
        self.registries.append(Numbered())
        return len(registry.lines), sum(self.sold[name].amount for name in registry.lines.values())

    def delivered(self, number: int) -> bool:
        registry = self._of(number)
        if registry is None or not registry.is_cut or registry.is_delivered:
            return False
        registry.is_delivered = True
        return True

    def answered_lines(self, order: AnswerRegistry) -> list[int] | None:
        """The lines this is news of; None: all of it is refused."""
        registry = self._of(order.number)
        if registry is None or not registry.is_delivered or registry.is_over:
            return None
        for one in order.answers:
            before = registry.said.get(one.txn)
            if before is not None and before != one.accepted:
                return None
            if before is None and (
                one.txn not in registry.lines or self.sold[registry.lines[one.txn]].amount != one.amount
            ):
                return None
        fresh = {one.txn: one.accepted for one in order.answers if one.txn not in registry.said}
        registry.said |= fresh
        return list(fresh)

    def ended_offline(self, order: PaymentAnswered, at: int) -> str:
        """The kind of entry."""
        sold = self.sold[order.payment]
        assert sold.state == "QUEUED"
        sold.state = "POSTED" if order.accepted else "VOIDED"
        if order.accepted:
            self.posted_at[order.payment] = at
        return sold.state

    def _of(self, number: int) -> Numbered | None:
        return self.registries[number - 1] if 0 < number <= len(self.registries) else None
