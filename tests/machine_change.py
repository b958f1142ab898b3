"""What the machine does with payers' change."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from schemas.change import ChangeSpent, mark_of
from schemas.tariff import Fee
from tests.builders import a_rate, a_tariff

CODES = tuple(f"{number:032x}" for number in range(3))
sold_for_change = st.sampled_from([("A", "S"), ("A", "S"), ("A", "T"), ("A", "U"), ("A", "A"), ("B", "B")])
parts = st.sampled_from(["whole", "whole", "whole", "part", "twice", "one too many", "wrong code", "too much"])
tariffs = st.sampled_from([None, a_tariff(fee=Fee(min_minor=70, max_minor=70), processing=a_rate(1)), a_tariff()])
payers_cash = st.sampled_from(["later", "later", "exact", "more", "less"])


def cash_beside(how: str, total: int, spent: tuple[ChangeSpent, ...]) -> int:
    """What is put in with the change, minor units; 0: nothing yet."""
    rest = max(0, total - sum(one.amount for one in spent))
    return {"exact": rest, "more": rest + 700, "less": max(0, rest - 1)}.get(how, 0)


class ChangeRules:
    """A part of LedgerMachine."""

    reference: Any
    place: Any

    @rule(seller=sold_for_change, code=st.sampled_from(CODES), part=parts, cash=payers_cash, tariff=tariffs,
          beside=st.integers(0, 2_000))  # fmt: skip
    def spend_change(self, seller, code, part, cash, tariff, beside) -> None:
        """Wholly (fee and all, or with cash beside it), partly, twice, or what cannot be."""
        tree = seller[0]
        left = self.reference.change(tree).get(mark_of(code), 0)
        amount = max(1, left if part != "part" else left // 3)
        if part == "one too many":
            amount = left + 1
        if part == "wrong code":
            code = "f" * 32
        spent = (ChangeSpent(code=code, amount=amount),)
        price = max(1, amount // 2 if part == "too much" else amount + beside - 70 * (tariff is not None))
        for _ in range(1 + (part == "twice")):
            self.place(seller, price, tariff, False, 0, CODES[0], "", 1_000, spent=spent, cash=cash)
