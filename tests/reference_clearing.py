"""Money between trees, as the reference ledger has it: what left, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.agent_command import Transfer

_UNDER_WAY = ("left", "rejected")  # in neither tree's agents
_NOT_TOLD = ("left", "rejected", "arrived")  # its own tree knows no end of it


@dataclass
class Between:
    """state: "left", "arrived" or "rejected" there, then "told" (its tree knows that it arrived) or "back"."""

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
        self.others.append((tree, order.giver, -order.amount, order.currency))
        return "TRANSFER_SENT"

    def arrived(self, id: str) -> str:
        one = self.between[id]
        agent = self.at_work(one.to_tree, one.taker)
        if agent is None or agent.funding == "shared" or not self.has(one.to_tree, one.taker, one.currency):
            one.state = "rejected"
            return "TRANSFER_REJECTED"
        one.state = "arrived"
        self.others.append((one.to_tree, one.taker, one.amount, one.currency))
        return "TRANSFER_RECEIVED"

    def ended(self, id: str) -> str:
        """Its own tree hears of it."""
        one = self.between[id]
        if one.state == "arrived":
            one.state = "told"
            return "TRANSFER_CONFIRMED"
        one.state = "back"
        self.others.append((one.tree, one.giver, one.amount, one.currency))
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
