"""What the machine does with payers' change."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from schemas.change import ChangeSpent, mark_of
from schemas.tariff import Fee
from streams.ledger.commands import ChangeDue
from streams.ledger.decide import Stale
from streams.ledger.perform import perform
from tests.builders import a_rate, a_tariff
from tests.builders_change import a_reclaim, block_change, unblock_change

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
    ask: Any
    at: int
    state: Any
    instructed: Any
    new_id: Any

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
            other = CODES[(CODES.index(code) + 1) % 3] if code in CODES else CODES[0]
            self.place(seller, price, tariff, False, 0, other, "", 1_000, spent=spent, cash=cash)

    @rule(tree=st.sampled_from(["A", "B"]), days=st.sampled_from([1, 1, 30]), twice=st.booleans())
    def change_expires(self, tree, days, twice) -> None:
        """The timer fires, perhaps twice: what nobody touched for so long is unclaimed, and nothing else is."""
        self.at += 1
        due = self.reference.expiring(tree, days, self.at)
        for expected in [due, {}] if twice else [due]:
            decision = perform(self.state, ChangeDue(tree, days), self.at)
            assert isinstance(decision, Stale) == (not expected)
            legs = [] if isinstance(decision, Stale) else decision[0].legs
            taken = {(leg.currency, leg.account.removeprefix("change:")): -leg.amount for leg in legs
                     if leg.account != "unclaimed"}  # fmt: skip
            assert taken == expected
            self.log += [] if isinstance(decision, Stale) else decision
        self.reference.look(["A", "B"], self.at)

    @precondition(lambda self: self.reference.expired)
    @rule(seller=sold_for_change, pick=st.integers(0, 10), code=st.sampled_from(CODES), more=st.integers(-300, 1))
    def reclaim_change(self, seller, pick, code, more) -> None:
        """All that has expired, less, or one too many; by its code, or its payment where it had none."""
        expired = list(self.reference.expired.items())
        (tree, currency, name), amount = expired[pick % len(expired)]
        agent = seller[1] if seller[0] == tree else tree
        code = {mark_of(one): one for one in CODES}.get(name, "")
        payment = None if code else name.removeprefix("payment:")
        known = {"payment": payment, "currency": currency, "id": self.new_id()}
        command = a_reclaim(code, agent, max(1, amount + more), tree, **known)
        self.instructed(command, self.reference.reclaimed(command.command))

    @rule(tree=st.sampled_from(["A", "A", "B"]), code=st.sampled_from(["", *CODES]), pick=st.integers(0, 10**6),
          what=st.sampled_from([block_change, unblock_change]))  # fmt: skip
    def block_or_unblock_change(self, tree, code, pick, what) -> None:
        """By its fingerprint, or by a payment: one that kept some, or any."""
        kept = [name for name, one in self.reference.sold.items() if one.kept] or list(self.reference.sold)
        payment = kept[pick % len(kept)] if kept else "kiosk-1.1"
        command = what("" if code else payment, mark_of(code) if code else None, tree, id=self.new_id())
        self.instructed(command, self.reference.change_stopped_or_not(command.command, self.at + 1))
