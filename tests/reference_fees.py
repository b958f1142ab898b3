"""The reference's periodic fees: the periods that were charged, in order, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streams.ledger.commands import FeeDue

if TYPE_CHECKING:
    from schemas.command import OpenAgent


@dataclass
class FeeReference:
    """Mixed into the reference, which has agents. Plans here are by the month."""

    agents: dict[tuple[str, str], OpenAgent] = field(default_factory=dict)
    others: list[tuple[str, str, int]] = field(default_factory=list)
    months: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)  # tree, plan, agent -> charged
    fees: list[tuple[str, int]] = field(default_factory=list)  # tree, minor units

    def charged(self, order: FeeDue, today: str) -> int | None:
        """What it cost, minor units; None: nothing is due. today: "2026-11-24"."""
        agent = self.at_work(order.book, order.agent)  # type: ignore[attr-defined]
        if agent is None or agent.currency != order.currency or order.period > today[:7]:
            return None
        months = self.months.setdefault((order.book, order.plan, order.agent), [])
        due = max(order.since, _next_month(months[-1])) if months else order.since
        if order.period != due:
            return None
        months.append(order.period)
        amount = order.fixed + order.terminals * order.per_terminal
        self.others.append((order.book, self.payer(order.book, order.agent), -amount))  # type: ignore[attr-defined]
        self.fees.append((order.book, amount))
        return amount


def _next_month(month: str) -> str:
    number = int(month[:4]) * 12 + int(month[5:])
    return f"{number // 12}-{number % 12 + 1:02}"
