"""The ledger machine's periodic fees: the next month, one again, one too early, one that was passed over."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from schemas.period import following
from streams.ledger.decisions import Stale
from streams.ledger.state import Account
from tests.builders_fees import fee_due


class FeeRules:
    """Mixed into the LedgerMachine."""

    @rule(
        tree=st.sampled_from("AAB"),
        agent=st.sampled_from(["A", "B", "S", "T", "U"]),
        plan=st.sampled_from(["service", "line"]),
        step=st.sampled_from(["next", "next", "next", "again", "after"]),
        since=st.sampled_from(["2026-01", "2026-01", "2026-02", "2025-11"]),
        terminals=st.integers(0, 3),
        coin=st.sampled_from(["RUB", "RUB", "USD"]),
        wrong=st.sampled_from([False] * 9 + [True]),
    )
    def charge_a_fee(self, tree, agent, plan, step, since, terminals, coin, wrong) -> None:
        last = self.state.books[tree].charged.get((plan, agent), "")
        period = max(since, following(last)) if last else since
        period = {"next": period, "again": last or since, "after": following(period)}[step]
        currency = "EUR" if wrong else coin if tree == "A" else "USD"
        order = fee_due(period, agent, tree, plan=plan, since=since, terminals=terminals, currency=currency, fixed=700,
                        per_terminal=50)  # fmt: skip
        cost = self.reference.charged(order, self.reference.today(tree, self.at + 1))
        if cost is None:
            assert isinstance(self.decide(order, self.at + 1), Stale)
            return
        entry = self.ask(order)
        assert entry is not None
        assert (entry.kind, entry.charge.period, entry.charge.amount) == ("FEE_CHARGED", period, cost)

    @invariant()
    def fees_are_the_references(self) -> None:
        for tree, currency in ("A", "RUB"), ("A", "USD"), ("B", "USD"):
            book = self.state.books.get(tree)
            account = book.accounts.get(("agent-fees", currency), Account()) if book is not None else Account()
            assert account.balance == sum(self.reference.fees_in(tree, currency))
