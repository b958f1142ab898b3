"""Builders of what goes between trees: transfers to another tree, and a world of trees that hear of each other late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from schemas.bring_change import BringChange
from schemas.entry import Entry
from schemas.keys import SERVER_KID
from streams.ledger.clearing import called_for
from streams.ledger.commands import Instruct, LedgerCommand
from streams.ledger.decisions import Decision
from streams.ledger.perform import perform
from streams.ledger.state import State
from tests.builders import AT, NOW, OPERATOR_KID, a_deposit, a_transfer, an_instruct, balances, open_agent


def a_transfer_to(
    tree: str = "B", giver: str = "S", taker: str = "Y", amount: int = 500, from_tree: str = "A", **changes: Any
) -> Instruct:
    return a_transfer(giver, taker, amount, from_tree, **{"to_tree": tree, "id": f"send-{giver}-{taker}"} | changes)


def bring(
    code: str, amount: int = 500, tree: str = "A", to_tree: str = "B", by: str = OPERATOR_KID, **changes: Any
) -> Instruct:
    """A payer's change of one tree is wanted in another."""
    values: dict[str, Any] = {"id": f"bring-{to_tree}", "issued_at": NOW, "tree": tree, "code": code, "amount": amount}
    return an_instruct(BringChange(**values | {"currency": "RUB", "to_tree": to_tree} | changes), by)


def called_for_by(entries: Iterable[Entry]) -> list[Instruct]:
    """What these entries say to other trees, as it arrives there: signed by the workers' key."""
    return [an_instruct(command, SERVER_KID) for one in entries if (command := called_for(one)) is not None]


@dataclass
class Partitions:
    """Trees on partitions of their own, each with its log; what one says to another waits in `on_the_way`."""

    states: dict[str, State] = field(default_factory=dict)
    logs: dict[str, list[Entry]] = field(default_factory=dict)
    on_the_way: list[Instruct] = field(default_factory=list)
    at: int = AT

    @classmethod
    def of(cls, *commands: LedgerCommand, trees: Iterable[str] = ("A", "B")) -> Partitions:
        found = cls({tree: State(number) for number, tree in enumerate(trees)}, {tree: [] for tree in trees})
        for command in commands:
            found.ask(command)
        return found

    def ask(self, command: LedgerCommand) -> Decision:
        """Decide it where its tree is; what it leads to is in the fold, in the log and on the way."""
        self.at += 1
        decision = perform(self.states[command.book], command, self.at)
        if isinstance(decision, list):
            self.logs[command.book] += decision
            self.on_the_way += called_for_by(decision)
        return decision

    def one(self, command: LedgerCommand) -> Entry:
        """The entry of a command that leads to one, or the first of several."""
        decision = self.ask(command)
        assert isinstance(decision, list), decision
        return decision[0]

    def deliver(self) -> list[Entry]:
        """All that is on the way, and all that this sends on its way; the entries it led to."""
        found: list[Entry] = []
        while self.on_the_way:
            decision = self.ask(self.on_the_way.pop(0))
            found += decision if isinstance(decision, list) else []
        return found

    def books(self) -> dict[str, dict[str, int]]:
        """Of each book the accounts that are not zero, in RUB."""
        return {id: balances(state, id) for state in self.states.values() for id in state.books}

    def cleared(self) -> int:
        """What stands on all clearing accounts together: what is under way, minor units of RUB."""
        return sums(self.books())["clearing"]


def sums(books: dict[str, dict[str, int]]) -> Counter[str]:
    """Over all books: kind of account -> minor units."""
    found = Counter[str]()
    for accounts in books.values():
        for name, balance in accounts.items():
            found[name.partition(":")[0]] += balance
    return found


def two_trees(money: int = 2_000, **partitions: Any) -> Partitions:
    """A over S, who has this money; B over Y, who has 100; both in RUB, each on a partition of its own."""
    return Partitions.of(
        open_agent("A"), open_agent("S", "A"), a_deposit("S", money),
        open_agent("B", tree="B"), open_agent("Y", "B", "B"), a_deposit("Y", 100, "B"), **partitions,
    )  # fmt: skip
