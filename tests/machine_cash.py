"""The ledger machine's cash: terminals are emptied, and what is counted is right, too little or too much."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from streams.ledger.state import Account
from tests.builders_cash import a_collection

_AGENTS = ("A", "B", "S", "T", "U")


class CashRules:
    """Mixed into the LedgerMachine."""

    @precondition(lambda self: any(book.tills for book in self.state.books.values()))
    @rule(pick=st.integers(0, 100), off=st.sampled_from([0, 0, -1, 100]))
    def empty_a_terminal(self, pick, off) -> None:
        tills = [(book.id, agent, coin) for book in self.state.books.values() for _, agent, coin in book.tills]
        tree, agent, coin = tills[pick % len(tills)]
        self.collect_cash(tree, agent, off, "", coin)

    @rule(
        tree=st.sampled_from("AAB"),
        agent=st.sampled_from(_AGENTS),
        off=st.sampled_from([0, -50_000, 10**12]),
        wrong=st.sampled_from(["", "terminal", "currency"]),
    )
    def collect_whatever(self, tree, agent, off, wrong) -> None:
        self.collect_cash(tree, agent, off, wrong)

    def collect_cash(self, tree, agent, off, wrong, coin="") -> None:
        currency = "EUR" if wrong == "currency" else coin or {"A": "RUB", "B": "USD"}[tree]
        till = self.state.books[tree].tills.get(("kiosk-1", agent, currency))
        counted = max(0, (till.expected if till is not None else 0) + off)
        terminal = "kiosk-2" if wrong == "terminal" else "kiosk-1"
        command = a_collection(_pieces(counted), terminal, agent, tree, currency=currency, id=self.new_id())
        expected = self.reference.collected(command.command)
        entry = self.ask(command)
        assert entry is not None
        if expected is None:
            assert (entry.kind, entry.refusal, entry.cash) == ("REFUSED", 300, None)
            return
        assert entry.kind == "CASH_COLLECTED", entry.reason
        assert (entry.cash.number, entry.cash.expected, entry.cash.counted) == expected
        assert entry.cash.shortage == entry.cash.expected - entry.cash.counted

    @invariant()
    def shortages_are_the_references(self) -> None:
        for tree, currency in ("A", "RUB"), ("A", "USD"), ("B", "USD"):
            book = self.state.books.get(tree)
            taken = {name: book.accounts.get((f"cash-taken:{name}", currency), Account()).balance
                     for name in _AGENTS} if book is not None else {}  # fmt: skip
            for agent, balance in taken.items():
                assert balance == self.reference.shortage(tree, agent, currency)


def _pieces(amount: int) -> dict[str, int]:
    """In notes that are few enough."""
    notes, coins = divmod(amount, 10**7)
    return {worth: pieces for worth, pieces in ((str(10**7), notes), (str(coins), 1)) if pieces and worth != "0"}
