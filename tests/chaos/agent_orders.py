"""What operators do to agents during a run: money given on, agents stopped and moved, payments asked back."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from console.demo_network import BEHAVIOURS, CURRENCY, TREES
from schemas.agent_command import BlockAgent, MoveAgent, Transfer, UnblockAgent, Withdraw
from schemas.command import CloseWindow, SetLimit, TreeCommand
from schemas.reversal import ReversePayment

_CAPS: tuple[dict[str, Any], ...] = (
    {"payment_max": 60_000}, {"daily_max": 5_000_000}, {"monthly_max": 50_000_000}, {"payees": ("mobile", "water")},
)  # fmt: skip
_LIFTED: dict[str, Any] = {"lift": ("payment_max", "daily_max", "monthly_max"), "payees": ()}


@dataclass
class AgentOrders:
    """One command about an agent at a time; what was stopped or capped is let go by a later one."""

    rng: Random
    new_id: Callable[[], str]
    posted: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=500))  # tree, payment
    _undo: list[TreeCommand] = field(default_factory=list)
    _windows: Counter[tuple[str, str]] = field(default_factory=Counter)

    def next(self) -> TreeCommand:
        """Undone is what was done some orders before: half of them stop half of the network."""
        if self._undo and (len(self._undo) > 2 or self.rng.randrange(3) == 0):
            return self._undo.pop(0)
        if self.posted and self.rng.randrange(3) == 0:
            return self._reverse(*self.rng.choice(self.posted))
        tree = self.rng.choice(TREES)
        make = self.rng.choice((self._transfer, self._transfer, self._withdraw, self._block, self._cap, self._move,
                                self._close, self._to_another_tree, self._to_another_tree))  # fmt: skip
        return make(tree)

    def _transfer(self, tree: str) -> TreeCommand:
        """Along the line, up and down, sometimes to an agent that has no money of its own, and then it is refused."""
        giver, taker = self.rng.choice((("", "-1"), ("-1", "-1-1"), ("-1-1", "-1"), ("-2", ""), ("", "-3")))
        return self._order(
            Transfer, tree, giver=tree + giver, taker=tree + taker, amount=self.rng.randint(1, 3_000_000),
            currency=CURRENCY, document="chaos",
        )  # fmt: skip

    def _to_another_tree(self, tree: str) -> TreeCommand:
        """Sometimes to an agent on a shared limit, or to nobody, and then it comes back."""
        giver, taker = tree + self.rng.choice(("", "", "-1")), self.rng.choice(("", "-1", "-2", "-3", "-nobody"))
        to_tree = self.rng.choice([one for one in TREES if one != tree])
        return self._order(
            Transfer, tree, giver=giver, taker=to_tree + taker, amount=self.rng.randint(1, 1_000_000),
            currency=CURRENCY, document="chaos", to_tree=to_tree,
        )  # fmt: skip

    def _reverse(self, tree: str, payment: str) -> TreeCommand:
        """Of a payee that gives nothing back, or again what was given back, it is refused."""
        refund = self.rng.choice(("cash", "change"))
        return self._order(
            ReversePayment, tree, payment=payment, reason="chaos", evidence="chaos", refund=refund
        )  # fmt: skip

    def _withdraw(self, tree: str) -> TreeCommand:
        agent = tree + self.rng.choice(("", "-1", "-3", "-1-1"))
        amount = self.rng.randint(1, 200_000)
        return self._order(Withdraw, tree, agent=agent, amount=amount, currency=CURRENCY, document="chaos")

    def _block(self, tree: str) -> TreeCommand:
        agent = tree + self.rng.choice(("-1", "-2", "-3", "-1-1", "-3-1"))
        self._undo.append(self._order(UnblockAgent, tree, agent=agent, reason="chaos"))
        return self._order(BlockAgent, tree, agent=agent, reason="chaos")

    def _cap(self, tree: str) -> TreeCommand:
        agent = tree + self.rng.choice(("-1", "-2", "-1-1"))
        self._undo.append(self._order(SetLimit, tree, agent=agent, **_LIFTED))
        return self._order(SetLimit, tree, agent=agent, **self.rng.choice(_CAPS))

    def _move(self, tree: str) -> TreeCommand:
        """From one line to another, and sometimes below itself."""
        parent = tree + self.rng.choice(("-1", "-2", "", "-1-1"))
        return self._order(MoveAgent, tree, agent=f"{tree}-1-1", parent=parent, reason="chaos")

    def _close(self, tree: str) -> TreeCommand:
        payee = self.rng.choice(("", *BEHAVIOURS))
        self._windows[tree, payee] += 1
        return self._order(CloseWindow, tree, payee=payee or None, number=self._windows[tree, payee])

    def _order(self, kind: type[Any], tree: str, **content: Any) -> TreeCommand:
        command: TreeCommand = kind(id=self.new_id(), issued_at=datetime.now(UTC), tree=tree, **content)
        return command
