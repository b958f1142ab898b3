"""What the machine asks about further currencies: tree A of RUB has dollars too, and money of no and three decimals."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.builders import a_deposit, a_transfer, a_withdrawal, set_limit
from tests.builders_currency import open_currency

FURTHER = ("USD", "USD", "KWD", "JPY", "RUB")
_agents = st.sampled_from(["A", "A", "S", "S", "T", "U"])
_coins = st.sampled_from(FURTHER)
_amounts = st.integers(1, 9_000)


class CurrencyRules:
    """A part of LedgerMachine."""

    reference: Any
    instructed: Any
    new_id: Any
    given_or_not: Any
    place: Any

    def begin_abroad(self) -> None:
        """A and S have dollars to sell for."""
        for agent in "A", "S":
            self.a_currency("A", agent, "USD", 0)
            self.deposit_abroad(agent, 30_000, "USD")

    @rule(tree=st.sampled_from("AAAB"), agent=_agents, currency=_coins, overdraft=st.sampled_from([0, 0, 500]))
    def a_currency(self, tree, agent, currency, overdraft) -> None:
        command = open_currency(agent, currency, tree, overdraft=overdraft, id=self.new_id())
        self.instructed(command, self.reference.opened_currency(command.command))

    @rule(agent=_agents, amount=_amounts, currency=_coins)
    def deposit_abroad(self, agent, amount, currency) -> None:
        command = a_deposit(agent, amount, currency=currency, id=self.new_id())
        self.instructed(command, self.reference.deposited(command.command))

    @rule(agent=_agents, taker=st.none() | _agents, amount=_amounts, currency=_coins)
    def give_abroad(self, agent, taker, amount, currency) -> None:
        changes = {"currency": currency, "id": self.new_id()}
        withdrawal = a_withdrawal(agent, amount, **changes)
        self.given_or_not(withdrawal if taker is None else a_transfer(agent, taker, amount, **changes))

    @rule(agent=_agents, currency=_coins, overdraft=st.none() | st.integers(0, 5_000), day=st.integers(1, 20_000))
    def limit_abroad(self, agent, currency, overdraft, day) -> None:
        command = set_limit(agent, overdraft, daily_max=day, currency=currency, id=self.new_id())
        self.instructed(command, self.reference.limited(command.command))

    @rule(agent=_agents, amount=_amounts, collected=st.booleans(), extra=st.sampled_from([0, 0, 900]))
    def sell_abroad(self, agent, amount, collected, extra) -> None:
        """For dollars, in the tree of RUB; 900 are the payer's change."""
        self.place(("A", agent), amount, None, collected, extra, f"{1:032x}", "", 1_000, 0, coin="USD")
