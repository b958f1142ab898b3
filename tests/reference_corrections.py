"""The reference's corrections by hand: what was proposed, and what was moved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schemas.correction import Correct
from tests.reference_reversal import WITH_THE_PAYEE

if TYPE_CHECKING:
    from schemas.command import OpenAgent
    from tests.reference_ledger import Sold


@dataclass
class CorrectionReference:
    """A part of Reference."""

    sold: dict[str, Sold] = field(default_factory=dict)
    others: list[tuple[str, str, int, str]] = field(default_factory=list)
    fees: list[tuple[str, str, int]] = field(default_factory=list)
    borne: list[tuple[str, int, str]] = field(default_factory=list)
    proposed: dict[str, tuple[Correct, str]] = field(default_factory=dict)  # id -> what, and by whom
    to_payees: list[tuple[str, str, int]] = field(default_factory=list)  # tree, payee, minor units

    def has(self, tree: str, agent: str, currency: str) -> bool:
        raise NotImplementedError

    def at_work(self, tree: str, agent: str) -> OpenAgent | None:
        raise NotImplementedError

    def corrected(self, order: Correct, by: str, above: int) -> str:
        """The kind of entry. by: which operator."""
        if not all(self._may_move(order.tree, one.account, order.currency) for one in order.movements):
            return "REFUSED"
        if not order.corrects.startswith("entry") and order.corrects not in self.sold:
            return "REFUSED"
        if sum(abs(one.amount) for one in order.movements) > 2 * above:
            self.proposed[order.id] = order, by
            return "CORRECTION_PROPOSED"
        self._move(order)
        return "CORRECTED"

    def approved(self, proposal: str, by: str) -> tuple[str, int]:
        """Kind and code."""
        if proposal not in self.proposed:
            return "REFUSED", 300
        order, first = self.proposed[proposal]
        if by == first:
            return "REFUSED", 133
        if not all(self._may_move(order.tree, one.account, order.currency) for one in order.movements):
            return "REFUSED", 300
        del self.proposed[proposal]
        self._move(order)
        return "CORRECTED", 0

    def dropped(self, proposal: str) -> str:
        return "CORRECTION_DROPPED" if self.proposed.pop(proposal, None) else "REFUSED"

    def corrected_for(self, tree: str, payee: str) -> int:
        return sum(amount for of, whose, amount in self.to_payees if (of, whose) == (tree, payee))

    def _may_move(self, tree: str, account: str, currency: str) -> bool:
        kind, _, whose = account.partition(":")
        if kind == "agent":
            return self.at_work(tree, whose) is not None and self.has(tree, whose, currency)
        if kind == "payee":
            ever = [one for one in self.sold.values() if (one.tree, one.payee, one.currency) == (tree, whose, currency)]
            return any(one.state in (*WITH_THE_PAYEE, "REVERSED") for one in ever)
        return account in ("fee", "reward", "bank", "unclaimed", "agent-fees")

    def _move(self, order: Correct) -> None:
        for one in order.movements:
            kind, _, whose = one.account.partition(":")
            if kind == "agent":
                self.others.append((order.tree, whose, one.amount, order.currency))
            elif kind == "payee":
                self.to_payees.append((order.tree, whose, one.amount))
            elif kind == "agent-fees":
                self.fees.append((order.tree, order.currency, one.amount))
            elif kind in ("fee", "reward"):
                self.borne.append((order.tree, -one.amount, order.currency))
