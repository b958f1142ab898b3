"""What the ledger machine does between trees: money leaves, and whatever they say to each other comes late, anyhow."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from schemas.clearing_command import ReceiveMoney
from streams.ledger.commands import Instruct
from tests.builders import a_deposit, block, close, open_agent, unblock
from tests.builders_clearing import a_transfer_to, called_for_by

THIRD = "C"  # in the currency of A, so that money can go between them; B has another
_CURRENCY = {"B": "USD"}
_agents = st.sampled_from(["A", "S", "T", "U", "C", "C", "B"])
_before = st.sampled_from([None, None, None, None, None, unblock, block, close])


class ClearingRules:
    """A part of LedgerMachine."""

    def __init__(self) -> None:
        super().__init__()
        self.on_the_way: list[Instruct] = []
        self.looked_at = 0  # entries of the log whose messages are on the way, or came

    @initialize(money=st.integers(1, 50_000))
    def a_third_tree(self, money) -> None:
        for agent, parent in (THIRD, None), ("S", THIRD):
            command = open_agent(agent, parent, THIRD, id=self.new_id())
            self.instructed(command, self.reference.opened(command.command))
            command = a_deposit(agent, money, THIRD, id=self.new_id())
            self.instructed(command, self.reference.deposited(command.command))

    @rule(way=st.sampled_from(["AC", "AC", "CA", "CA", "AA", "BA", "CB", "CZ"]), giver=_agents, taker=_agents,
          amount=st.integers(1, 30_000), wrong=st.sampled_from([False] * 9 + [True]), before=_before)  # fmt: skip
    def send_to_another_tree(self, way, giver, taker, amount, wrong, before) -> None:
        from_tree, to_tree = way
        if before is not None and to_tree == THIRD:
            self.standing(before, THIRD, taker)
        currency = "EUR" if wrong else _CURRENCY.get(from_tree, "RUB")
        command = a_transfer_to(to_tree, giver, taker, amount, from_tree, currency=currency, id=self.new_id())
        expected = self.reference.sent(command.command)
        entry = self.ask(command)
        assert entry is not None
        outcomes = {"REFUSED": ("REFUSED", 300), "220": ("REFUSED", 220)}
        assert (entry.kind, entry.refusal) == outcomes.get(expected, (expected, 0)), entry.reason

    def look(self) -> list[Instruct]:
        """What is on the way now."""
        self.on_the_way += called_for_by(self.log[self.looked_at :])
        self.looked_at = len(self.log)
        return self.on_the_way

    @precondition(lambda self: self.look())
    @rule(pick=st.integers(0, 10**6))
    def a_tree_hears_of_another(self, pick) -> None:
        """In any order: nothing that one says waits for what was said before it."""
        self.hear(self.on_the_way.pop(pick % len(self.on_the_way)))

    def hear(self, command: Instruct) -> None:
        order = command.command.crossing.order
        is_new = isinstance(command.command, ReceiveMoney)
        self.instructed(command, self.reference.arrived(order) if is_new else self.reference.ended(order))

    def hear_everything(self) -> None:
        while self.look():
            self.hear(self.on_the_way.pop(0))
        assert not any(self.cleared().values())

    def cleared(self) -> Counter[str]:
        """Currency -> what stands on all clearing accounts together."""
        found = Counter[str]()
        for book in self.state.books.values():
            for (name, currency), account in book.accounts.items():
                found[currency] += account.balance if name.startswith("clearing:") else 0
        return found

    @invariant()
    def what_stands_between_trees_is_what_is_under_way(self) -> None:
        cleared = self.cleared()
        for currency in "RUB", "USD", "EUR":
            assert cleared[currency] == self.reference.under_way(currency)
        for tree, book in self.state.books.items():
            assert len(book.under_way) == self.reference.not_told(tree)
