"""Further currencies in the second opinion: who has accounts in which, and what was exchanged."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Any

from schemas.command import OpenAgent
from schemas.currency_command import Exchange, OpenCurrency
from schemas.money import CURRENCIES


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

    def exchanged(self: Any, order: Exchange) -> str:
        """The kind of entry; "220": the agent has not so much."""
        tree, agent = order.tree, order.agent
        coins = order.give_currency, order.take_currency
        if coins[0] == coins[1] or self.at_work(tree, agent) is None:
            return "REFUSED"
        if not all(self.has(tree, agent, coin) for coin in coins) or self.line(tree, agent, coins[0]):
            return "REFUSED"
        if any((tree, one) in self.blocked for one in self.chain(tree, agent)):
            return "REFUSED"
        units = Fraction(order.rate) * Fraction(order.give, 10 ** CURRENCIES[coins[0]])
        if floor(units * 10 ** CURRENCIES[coins[1]]) != order.take:
            return "REFUSED"
        if self.available(tree, agent, coins[0]) < order.give:
            return "220"
        self.others += [(tree, agent, -order.give, coins[0]), (tree, agent, order.take, coins[1])]
        return "EXCHANGED"
