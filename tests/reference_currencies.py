"""Further currencies in the second opinion: who has accounts in which, and what was exchanged."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.command import OpenAgent
from schemas.currency_command import OpenCurrency


@dataclass
class Currencies:
    """A part of Reference. An agent in a further currency goes by another name: "S" in its tree's own, "S in USD"."""

    agents: dict[tuple[str, str], OpenAgent] = field(default_factory=dict)
    limits: dict[tuple[str, str], int] = field(default_factory=dict)  # tree, purse
    closed: set[tuple[str, str]] = field(default_factory=set)
    abroad: list[tuple[str, str, str]] = field(default_factory=list)  # tree, agent, further currency

    def own(self, tree: str) -> str:
        """The tree's own currency; "": there is no tree."""
        root = self.agents.get((tree, tree))
        return root.currency if root is not None else ""

    def purse(self, tree: str, agent: str, currency: str = "") -> str:
        return agent if currency in ("", self.own(tree)) else f"{agent} in {currency}"

    def currencies(self, tree: str, agent: str) -> list[str]:
        return [self.own(tree), *(one for of, who, one in self.abroad if (of, who) == (tree, agent))]

    def has(self, tree: str, agent: str, currency: str) -> bool:
        return (tree, agent) in self.agents and currency in self.currencies(tree, agent)

    def purses(self) -> list[tuple[str, str, str]]:
        """Tree, agent and currency of each."""
        return [(tree, agent, one) for tree, agent in self.agents for one in self.currencies(tree, agent)]

    def opened_currency(self, order: OpenCurrency) -> str:
        who = order.tree, order.agent
        agent = self.agents.get(who)
        if agent is None or who in self.closed or self.has(*who, order.currency):
            return "REFUSED"
        if agent.parent is not None and not self.has(order.tree, agent.parent, order.currency):
            return "REFUSED"
        if len(self.currencies(*who)) == 10 or (agent.funding == "shared" and order.overdraft):
            return "REFUSED"
        self.abroad.append((*who, order.currency))
        self.limits[order.tree, self.purse(*who, order.currency)] = order.overdraft
        return "CURRENCY_OPENED"
