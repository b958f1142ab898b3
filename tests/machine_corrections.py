"""The ledger machine's corrections: by one operator, proposed, approved by either, dropped; of whatever accounts."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.builders_correction import a_correction, a_drop, an_approval

_ACCOUNTS = ("bank", "fee", "agent:A", "agent:S", "agent:T", "reward", "unclaimed", "agent-fees", "payee:mobile",
             "payee:abroad", "agent:B")  # fmt: skip
_FORBIDDEN = ("hold:S", "exchange", "clearing:B", "agent:nobody", "payee:nobody", "bank:x", "cash:kiosk-1")
_OPERATORS = ("chief:1", "chief:2", "second:1")


class CorrectionRules:
    """Mixed into the LedgerMachine."""

    @rule(
        tree=st.sampled_from("AAAB"),
        coin=st.sampled_from(["RUB"] * 5 + ["USD"]),
        accounts=st.lists(st.sampled_from(_ACCOUNTS), min_size=2, max_size=4, unique=True),
        amount=st.integers(1, 5_000),
        above=st.sampled_from([0, 0, 4_000, 10**6]),
        by=st.sampled_from(_OPERATORS),
        wrong=st.sampled_from([*[""] * 20, *_FORBIDDEN]),
    )
    def correct(self, tree, coin, accounts, amount, above, by, wrong) -> None:
        first, *rest = [*accounts, wrong] if wrong else accounts
        sign = -1 if amount % 2 else 1
        movements = {first: sign * amount * len(rest)} | dict.fromkeys(rest, -sign * amount)
        payments = [name for name, sold in self.reference.sold.items() if sold.tree == tree]
        corrects = (
            "kiosk-9.9"
            if amount % 17 == 0
            else payments[amount % len(payments)]
            if payments and amount % 3
            else "entry 1"
        )
        currency = coin if tree == "A" else "USD"
        command = a_correction(movements, by=by, above=above, id=self.new_id(), tree=tree, currency=currency,
                               corrects=corrects)  # fmt: skip
        expected = self.reference.corrected(command.command, by.partition(":")[0], above)
        self.instructed(command, expected)

    @precondition(lambda self: self.reference.proposed)
    @rule(
        pick=st.integers(0, 100),
        by=st.sampled_from(_OPERATORS),
        what=st.sampled_from(["approve", "approve", "drop"]),
        wrong=st.sampled_from([False] * 9 + [True]),
    )
    def decide_a_correction(self, pick, by, what, wrong) -> None:
        known = [*self.reference.proposed]
        proposal = "nothing" if wrong else known[pick % len(known)]
        tree = "A" if wrong else self.reference.proposed[proposal][0].tree
        if what == "drop":
            command = a_drop(proposal, by=by, tree=tree, id=self.new_id())
            self.instructed(command, self.reference.dropped(proposal))
            return
        expected = self.reference.approved(proposal, by.partition(":")[0])
        entry = self.ask(an_approval(proposal, by=by, tree=tree, id=self.new_id()))
        assert entry is not None
        assert (entry.kind, entry.refusal) == expected, entry.reason
