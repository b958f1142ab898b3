"""Money between trees, as the reference ledger has it: what left, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.agent_command import Transfer
from schemas.bring_change import BringChange
from tests.reference_change import sha

_UNDER_WAY = ("left", "rejected")  # in neither tree's agents
_NOT_TOLD = ("left", "rejected", "arrived")  # its own tree knows no end of it


@dataclass
class Between:
    """giver, taker: agents, or "change:<name>". state: "left", "arrived" or "rejected" there, then "told" (its tree
    knows that it arrived) or "back"."""

    tree: str
    giver: str
    to_tree: str
    taker: str
    amount: int
    currency: str
    state: str = "left"


@dataclass
class ClearingReference:
    """A part of Reference. between: by the id of the command that asked for it."""

    between: dict[str, Between] = field(default_factory=dict)
    moved_change: list[tuple[str, str, int, str]] = field(default_factory=list)  # tree, name, minor units, currency

    def sent(self, order: Transfer) -> str:
        """The kind of entry; "220": the giver has not so much."""
        tree, agent = order.tree, self.at_work(order.tree, order.giver)
        if (
            agent is None
            or order.to_tree == tree
            or agent.funding == "shared"
            or not self.has(tree, order.giver, order.currency)
        ):
            return "REFUSED"
        if any((tree, one) in self.blocked for one in self.chain(tree, order.giver)) or self.line(
            tree, order.giver, order.currency
        ):
            return "REFUSED"
        if self.available(tree, order.giver, order.currency) < order.amount:
            return "220"
        self.between[order.id] = Between(tree, order.giver, order.to_tree, order.taker, order.amount, order.currency)
        self.moves(tree, order.giver, -order.amount, order.currency)
        return "TRANSFER_SENT"

    def brought(self, order: BringChange) -> str:
        name = sha(order.code)
        if (order.tree, name) in self.stopped_change or order.to_tree == order.tree:
            return "REFUSED"
        if self.change(order.tree, order.currency).get(name, 0) < order.amount:
            return "REFUSED"
        change = f"change:{name}"
        self.between[order.id] = Between(order.tree, change, order.to_tree, change, order.amount, order.currency)
        self.moves(order.tree, change, -order.amount, order.currency)
        return "TRANSFER_SENT"

    def moves(self, tree: str, whose: str, amount: int, currency: str) -> None:
        if whose.startswith("change:"):
            self.moved_change.append((tree, whose.removeprefix("change:"), amount, currency))
        else:
            self.others.append((tree, whose, amount, currency))

    def arrived(self, id: str) -> str:
        one = self.between[id]
        who = one.to_tree if one.taker.startswith("change:") else one.taker
        agent = self.at_work(one.to_tree, who)
        if agent is None or agent.funding == "shared" or not self.has(one.to_tree, who, one.currency):
            one.state = "rejected"
            return "TRANSFER_REJECTED"
        one.state = "arrived"
        self.moves(one.to_tree, one.taker, one.amount, one.currency)
        return "TRANSFER_RECEIVED"

    def ended(self, id: str) -> str:
        """Its own tree hears of it."""
        one = self.between[id]
        if one.state == "arrived":
            one.state = "told"
            return "TRANSFER_CONFIRMED"
        one.state = "back"
        self.moves(one.tree, one.giver, one.amount, one.currency)
        return "TRANSFER_RETURNED"

    def under_way(self, currency: str) -> int:
        """Minor units that no agent has."""
        return sum(
            one.amount for one in self.between.values() if one.currency == currency and one.state in _UNDER_WAY
        )  # fmt: skip

    def not_told(self, tree: str, agent: str = "") -> int:
        """How many left the tree, or this agent of it, and its tree knows no end of."""
        return sum(
            one.tree == tree and agent in ("", one.giver) and one.state in _NOT_TOLD for one in self.between.values()
        )
