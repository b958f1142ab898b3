"""Rules of the ledger machine: payments are asked back, their payees answer, operators decide what is in doubt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from schemas.outcome import Verdict
from streams.ledger.commands import Reversible
from streams.ledger.decide import Stale
from tests.builders import a_retry
from tests.builders_reversal import a_cancel, a_reversal

SIGNERS = st.sampled_from([("chief:1", ""), ("chief:1", ""), ("kiosk-1:1", "kiosk-1"), ("kiosk-2:1", "kiosk-2")])
SECONDS = st.sampled_from([0, 3_600, 86_400 * 7, 86_400 * 7, 86_400 * 7])
GATEWAYS = st.sampled_from([(), ("osmp-1",), ("osmp-1", "osmp-2"), ("osmp-1", "osmp-2")])
numbers = st.integers(0, 10**6)


class ReversalRules:
    """To be inherited by the machine, whose state, reference and asking it uses."""

    @precondition(lambda self: self.reference.sold)
    @rule(pick=numbers, signer=SIGNERS, seconds=SECONDS, gateways=GATEWAYS, refund=st.sampled_from(["cash", "change"]),
          wrong=st.sampled_from([True, *[False] * 9]))  # fmt: skip
    def ask_back(self: Any, pick, signer, seconds, gateways, refund, wrong) -> None:
        posted = [name for name, sold in self.reference.sold.items() if sold.state == "POSTED"]
        payments = list(self.reference.sold) if wrong or not posted else posted
        payment = payments[pick % len(payments)]
        by, terminal = signer
        now = Reversible({name: seconds for name in ("mobile", "abroad") if seconds}, frozenset(gateways))
        command = a_reversal(payment, self.reference.sold[payment].tree, by=by, terminal=terminal, reversible=now,
                             refund=refund, id=self.new_id())  # fmt: skip
        code = self.reference.asked_back(command, self.at + 1)
        entry = self.ask(command)
        assert entry is not None
        assert (entry.kind, entry.refusal) == (("REFUSED", code) if code else ("REVERSING", 0)), entry.reason

    @precondition(lambda self: any(sold.state == "REVERSING" for sold in self.reference.sold.values()))
    @rule(pick=numbers, verdict=st.sampled_from([*Verdict, Verdict.CANCELLED]), sent_before=st.booleans(),
          budget=st.integers(1, 4), late=st.sampled_from([True, *[False] * 9]))  # fmt: skip
    def payee_answers_a_cancel(self: Any, pick, verdict, sent_before, budget, late) -> None:
        sold = self.reference.sold
        asked = [name for name in sold if late or sold[name].state == "REVERSING"]
        payment = asked[pick % len(asked)]
        command = a_cancel(payment, verdict, code="300", book=sold[payment].tree, retry=a_retry(budget=budget))
        command = replace(command, sent_before=sent_before and pick % 3 == 0)
        expected = self.reference.cancelled(command)
        if expected is None:
            assert isinstance(self.decide(command, self.at), Stale)
            return
        entry = self.ask(command)
        assert entry is not None
        assert entry.kind == expected, entry.reason
