"""What the ledger machine does between trees: money leaves, and whatever they say to each other comes late, anyhow."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from schemas.change import mark_of
from schemas.clearing_command import ReceiveMoney
from streams.ledger.commands import Instruct
from tests.builders import a_deposit, block, close, open_agent, unblock
from tests.builders_clearing import a_transfer_to, bring, called_for_by
from tests.machine_change import CODES

THIRD = "C"  # in the currency of A, so that money can go between them; B has another
_CURRENCY = {"B": "USD"}
_before = st.sampled_from([None] * 8 + [unblock, block, close])
_ways = st.sampled_from(["AC", "AC", "AC", "CA", "CA", "CA", "AA", "BA", "CB", "CZ"])
_flows = st.tuples(_ways, st.integers(0, 9), st.integers(0, 9), st.none() | st.integers(1, 9_000),
                   st.none() | st.integers(0, 2), st.sampled_from([False] * 9 + [True]), _before)  # fmt: skip


class ClearingRules:
    """A part of LedgerMachine."""

    def __init__(self) -> None:
        super().__init__()
        self.on_the_way: list[Instruct] = []
        self.looked_at = 0  # entries of the log whose messages are on the way, or came

    @initialize(money=st.integers(10_000, 50_000))
    def a_third_tree(self, money) -> None:
        for agent, parent in (THIRD, None), ("S", THIRD):
            command = open_agent(agent, parent, THIRD, id=self.new_id())
            self.instructed(command, self.reference.opened(command.command))
            command = a_deposit(agent, money, THIRD, id=self.new_id())
            self.instructed(command, self.reference.deposited(command.command))

    @rule(flows=st.lists(_flows, min_size=1, max_size=4), heard=st.lists(st.integers(0, 10**6), max_size=6))
    def money_goes_between_trees(self, flows, heard) -> None:
        """Some of it leaves, and some of what trees say to each other is heard, in any order."""
        for flow in flows:
            is_change = flow[4] is not None and (flow[5] or self.codes_with_change(flow[0][0]))
            (self.bring_change if is_change else self.send_to_another_tree)(*flow)
        for pick in heard:
            if self.look():
                self.hear(self.on_the_way.pop(pick % len(self.on_the_way)))

    def send_to_another_tree(self, way, giver, taker, amount, _, wrong, before) -> None:
        """amount None: all that is there, to the last unit. wrong: in another currency, or too much."""
        from_tree, to_tree = way
        giver, taker = self.one_of(from_tree, giver), self.one_of(to_tree, taker)
        if before is not None and to_tree == THIRD:
            self.standing(before, THIRD, taker)
        available = self.state.books[from_tree].agents[giver].available
        currency = "EUR" if wrong and amount is not None else _CURRENCY.get(from_tree, "RUB")
        amount = max(1, min(amount or available, available) + wrong)
        command = a_transfer_to(to_tree, giver, taker, amount, from_tree, currency=currency, id=self.new_id())
        expected = self.reference.sent(command.command)
        entry = self.ask(command)
        assert entry is not None
        outcomes = {"REFUSED": ("REFUSED", 300), "220": ("REFUSED", 220)}
        assert (entry.kind, entry.refusal) == outcomes.get(expected, (expected, 0)), entry.reason
        if before is close:  # while it may come back its giver stays
            self.standing(close, from_tree, giver)

    def codes_with_change(self, tree) -> list[str]:
        kept = self.reference.change(tree)
        return [code for code in CODES if kept.get(mark_of(code), 0)]

    def one_of(self, tree, pick) -> str:
        """An agent that is there; where there is no such tree, anybody."""
        names = sorted(self.state.books[tree].agents) if tree in self.state.books else []
        names = names or ["S"]
        return names[pick % len(names)]

    def bring_change(self, way, giver, taker, amount, code, wrong, _) -> None:
        """The whole that is left (amount None), or one too many (wrong), or whatever."""
        from_tree, to_tree = way
        codes = self.codes_with_change(from_tree) or CODES
        code = codes[code % len(codes)]
        left = self.reference.change(from_tree).get(mark_of(code), 0)
        amount = max(1, min(amount or left, left) + wrong)
        currency = _CURRENCY.get(from_tree, "RUB")
        command = bring(code, amount, from_tree, to_tree, id=self.new_id(), currency=currency)
        self.instructed(command, self.reference.brought(command.command))

    def look(self) -> list[Instruct]:
        """What is on the way now."""
        self.on_the_way += called_for_by(self.log[self.looked_at :])
        self.looked_at = len(self.log)
        return self.on_the_way

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
