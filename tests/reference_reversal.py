"""The reference's word on reversals: what was posted is as if it had never been, but for what closed agents took."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schemas.command import ResolvePayment
from schemas.outcome import Verdict
from schemas.reversal import ReversePayment
from streams.ledger.commands import Instruct, Settle

if TYPE_CHECKING:
    from tests.reference_ledger import Sold

IN_REVERSAL = ("REVERSING", "REVERSAL_MANUAL")
WITH_THE_PAYEE = ("POSTED", *IN_REVERSAL)


@dataclass
class Reversals:
    """posted_at: payment -> ms UTC. borne: (tree, minor units, currency) of closed agents' shares the operator paid."""

    sold: dict[str, Sold] = field(default_factory=dict)
    closed: set[tuple[str, str]] = field(default_factory=set)
    others: list[tuple[str, str, int, str]] = field(default_factory=list)
    posted_at: dict[str, int] = field(default_factory=dict)
    borne: list[tuple[str, int, str]] = field(default_factory=list)

    def asked_back(self, command: Instruct, at: int) -> int:
        """The code; 0: the payee is asked."""
        order = command.command
        assert isinstance(order, ReversePayment)
        assert command.reversible is not None
        if command.terminal and not order.payment.startswith(f"{command.terminal}."):
            return 133
        sold = self.sold.get(order.payment)
        if sold is None or sold.tree != order.tree or sold.state != "POSTED":
            return 300
        window_s = command.reversible.payees.get(sold.payee, 0)
        if at - self.posted_at[order.payment] > window_s * 1000 or not window_s:
            return 7
        if sold.gateway not in command.reversible.gateways:
            return 8
        if (sold.tree, sold.payer) in self.closed:
            return 300
        sold.state, sold.refund, sold.sent, sold.unreached = "REVERSING", order.refund, 0, 0
        return 0

    def cancelled(self, command: Settle) -> str | None:
        """The kind of entry, None: nobody waits for this answer."""
        sold = self.sold.get(command.payment)
        if sold is None or sold.tree != command.book or sold.state != "REVERSING":
            return None
        sold.sent = sold.sent or int(command.sent_before)
        maybe_back, verdict = sold.sent > 0, command.outcome.verdict
        if verdict is Verdict.CANCELLED:
            return self._given_back(sold)
        if verdict is Verdict.FATAL:
            return self._doubtful(sold) if maybe_back else self._keeps(sold)
        if verdict is Verdict.NOT_SENT:
            sold.unreached += 1
            if sold.unreached >= command.retry.budget:
                return self._doubtful(sold) if maybe_back else self._keeps(sold)
        else:
            sold.sent, sold.unreached = sold.sent + 1, 0
            if sold.sent >= command.retry.budget:
                return self._doubtful(sold)
        return "REVERSING"

    def reversal_resolved(self, order: ResolvePayment) -> str | None:
        """None: it is not in doubt."""
        sold = self.sold.get(order.payment)
        if sold is None or sold.tree != order.tree or sold.state != "REVERSAL_MANUAL":
            return None
        return self._keeps(sold) if order.paid else self._given_back(sold)

    def _keeps(self, sold: Sold) -> str:
        sold.state, sold.refund = "POSTED", ""
        return "REVERSAL_REFUSED"

    def _doubtful(self, sold: Sold) -> str:
        sold.state = "REVERSAL_MANUAL"
        return sold.state

    def _given_back(self, sold: Sold) -> str:
        sold.state = "REVERSED"
        for agent, share in sold.shares.items():
            if (sold.tree, agent) in self.closed:
                self.others.append((sold.tree, agent, share, sold.currency))
                self.borne.append((sold.tree, share, sold.currency))
        return sold.state
