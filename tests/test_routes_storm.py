"""A payment is paid at one gateway at most: the real core and real gateways against two payees' own books, in a storm.

What dispatch does is done here without Kafka: ask about what is open, settle what is said, and now and then be a worker
that died in between and cannot know what it had sent.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from agents.gateways.base import PaymentGateway
from agents.gateways.simulator import Simulator
from agents.gateways.simulator_faults import Behaviour
from schemas.entry import EntryKind, PaymentFacts
from schemas.outcome import GatewayOutcome, Step, Verdict
from schemas.route import TECHNICAL
from streams.ledger.commands import Settle
from streams.ledger.image import image_of, state_of
from streams.ledger.payments import PaymentState
from streams.ledger.perform import perform
from streams.ledger.state import State
from tests.builders import AT, a_place, a_retry, a_tree, an_order
from tests.builders_routes import a_payee_with, a_route
from tests.gateway_builders import a_gateway, a_gateway_to

PAYMENTS = 150
BAD = Behaviour(
    temporary_pct=10, not_finished_pct=8, time_out_after_accept_pct=3, drop_after_accept_pct=10, http_500_pct=10,
    wrong_txn_pct=5, decline={"0": 5, "1": 243, "2": 8, "3": 300},
)  # fmt: skip
RETRY = a_retry(interval_ms=100, factor_pct=100, budget=6)


@dataclass
class Storm:
    """Half of all requests never leave. sent: by payment, the gateways that were really asked to pay."""

    state: State
    gateways: dict[str, PaymentGateway]
    rng: Random
    at: int = AT
    maybe_sent: set[str] = field(default_factory=set)
    kinds: Counter[str] = field(default_factory=Counter)

    async def pass_over(self) -> int:
        """Everything that is due is asked once, or more often where it is passed on; returns what is still open."""
        self.at += 200
        for payment in [one for one in self.state.outstanding() if one.due_at <= self.at]:
            while True:
                entries = await self._ask(payment)
                if entries is None or entries != EntryKind.REROUTED or payment.due_at:
                    break
        if self.rng.random() < 0.3:  # another worker takes over: it has the fold, and knows of no request
            self.maybe_sent = {one.id for one in self.state.outstanding()}
        if self.rng.random() < 0.3:
            self._from_image()
        return sum(1 for _ in self.state.outstanding())

    async def _ask(self, payment: PaymentState) -> EntryKind | None:
        facts = payment.facts
        assert facts is not None
        sent_before = payment.id in self.maybe_sent
        outcome = await self._outcome(facts, is_first=not payment.tries and not sent_before)
        if self.rng.random() < 0.05:
            self.maybe_sent.add(payment.id)  # the answer is lost with its worker
            return None
        settle = Settle("A", payment.id, outcome, RETRY, sent_before, technical=frozenset(TECHNICAL))
        decision = perform(self.state, settle, self.at)
        assert isinstance(decision, list)
        self.kinds[decision[0].kind] += 1
        return decision[0].kind

    async def _outcome(self, facts: PaymentFacts, *, is_first: bool) -> GatewayOutcome:
        gateway = self.gateways[facts.gateway]
        if is_first:
            checked = self._unsent("check") or await gateway.check(facts)
            if checked.verdict is not Verdict.CHECKED:
                return checked
        return self._unsent("pay") or await gateway.pay(facts)

    def _unsent(self, step: Step) -> GatewayOutcome | None:
        return GatewayOutcome(step, Verdict.NOT_SENT, "connect") if self.rng.random() < 0.5 else None

    def _from_image(self) -> None:
        """Whatever a payment's route is, it is in a snapshot too. What is final is not, and is counted by the books."""
        final = self.state.payments.final
        self.state = state_of(image_of(self.state))
        self.state.payments.final = final


@pytest.fixture
def seed() -> int:
    number = int(os.environ.get("TEST_SEED", "0")) or Random().randrange(1, 10**6)
    print(f"seed {number}: TEST_SEED={number} repeats it")
    return number


@pytest.mark.asyncio
async def test_in_a_storm_a_payment_is_paid_at_one_gateway_at_most(seed: int, tmp_path: Path) -> None:
    rng, state = Random(seed), a_tree(money=10**9)
    payee = a_payee_with(a_route("a", share=2), a_route("b"), fields=a_payee_with("a").fields)
    with Simulator.start(tmp_path, {"a": BAD, "b": BAD}, seed) as simulator:
        async with AsyncExitStack() as stack:
            gateways = {
                name: await stack.enter_async_context(
                    a_gateway_to(a_gateway(simulator.url_of(name), id=name, time_out_ms=200))
                )
                for name in "ab"
            }
            storm = Storm(state, gateways, rng)
            for number in range(1, PAYMENTS + 1):
                order = an_order(number, amount=100, fee=0, subscriber={"phone": f"916{rng.randrange(10**7):07}"})
                perform(state, a_place(order, payee=payee, tariff=None), AT)
            for _ in range(60):
                if not await storm.pass_over():
                    break
        books = {name: simulator.book_of(name) for name in "ab"}
    print(dict(storm.kinds), {name: len(book) for name, book in books.items()})
    assert not books["a"].keys() & books["b"].keys(), "paid twice"
    assert storm.kinds["REROUTED"] > PAYMENTS // 4
    ends = Counter[str]()
    for payment in storm.state.payments.values():
        ends[payment.state] += 1
        paid_at = [name for name, book in books.items() if payment.txn in book]
        if payment.state is EntryKind.POSTED:
            assert payment.facts is not None
            assert paid_at == [payment.facts.gateway]
        elif payment.state is EntryKind.VOIDED:
            assert paid_at == []
        else:
            assert payment.state is EntryKind.MANUAL
            assert payment.facts is not None
            assert set(paid_at) <= {payment.facts.gateway}
    assert ends["POSTED"] > PAYMENTS // 4, ends
