"""The reference's periodic fees: the periods that were charged, in order, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streams.ledger.commands import FeeDue

if TYPE_CHECKING:
    from schemas.command import OpenAgent


@dataclass
class FeeReference:
    """A part of Reference. Plans here are by the month."""

    others: list[tuple[str, str, int, str]] = field(default_factory=list)
    months: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)  # tree, plan, agent -> charged
    fees: list[tuple[str, str, int]] = field(default_factory=list)  # tree, currency, minor units

    def has(self, tree: str, agent: str, currency: str) -> bool:
        raise NotImplementedError

    def at_work(self, tree: str, agent: str) -> OpenAgent | None:
        raise NotImplementedError

    def payer(self, tree: str, agent: str) -> str:
        raise NotImplementedError

    def charged(self, order: FeeDue, today: str) -> int | None:
        """What it cost, minor units; None: nothing is due. today: "2026-11-24"."""
        if self.at_work(order.book, order.agent) is None or order.period > today[:7]:
            return None
        if not self.has(order.book, order.agent, order.currency):
            return None
        months = self.months.setdefault((order.book, order.plan, order.agent), [])
        due = max(order.since, _next_month(months[-1])) if months else order.since
        if order.period != due:
            return None
        months.append(order.period)
        amount = order.fixed + order.terminals * order.per_terminal
        self.others.append((order.book, self.payer(order.book, order.agent), -amount, order.currency))
        self.fees.append((order.book, order.currency, amount))
        return amount

    def fees_in(self, tree: str, currency: str) -> list[int]:
        return [amount for of, coin, amount in self.fees if (of, coin) == (tree, currency)]


def _next_month(month: str) -> str:
    number = int(month[:4]) * 12 + int(month[5:])
    return f"{number // 12}-{number % 12 + 1:02}"
