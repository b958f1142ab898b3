"""What the ledger machine does between trees: money leaves, and whatever they say to each other comes late, anyhow."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from schemas.change import mark_of
from schemas.clearing_command import ReceiveMoney
from streams.ledger.commands import Instruct
from tests.builders import a_deposit, block, close, open_agent, unblock
from tests.builders_clearing import a_transfer_to, bring, called_for_by
from tests.machine_change import CODES

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

    @rule(way=st.sampled_from(["AC", "AC", "AC", "CA", "CA", "AB", "AA", "CZ"]), code=st.sampled_from(CODES),
          amount=st.integers(1, 6_000), more=st.sampled_from([0, 0, 0, 1, None, None]))  # fmt: skip
    def bring_change(self, way, code, amount, more) -> None:
        """The whole that is left, or one too many, or (more: None) whatever."""
        from_tree, to_tree = way
        if more is not None:
            amount = max(1, self.reference.change(from_tree).get(mark_of(code), 0) + more)
        command = bring(code, amount, from_tree, to_tree, id=self.new_id())
        self.instructed(command, self.reference.brought(command.command))

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
    def the_third_tree_keeps_the_change_that_came(self) -> None:
        book = self.state.books.get(THIRD)
        accounts = book.accounts.items() if book is not None else ()
        kept = {name.removeprefix("change:"): end.balance for (name, _), end in accounts if name.startswith("change:")}
        assert kept == self.reference.change(THIRD)

    @invariant()
    def what_stands_between_trees_is_what_is_under_way(self) -> None:
        cleared = self.cleared()
        for currency in "RUB", "USD", "EUR":
            assert cleared[currency] == self.reference.under_way(currency)
        for tree, book in self.state.books.items():
            assert len(book.under_way) == self.reference.not_told(tree)
