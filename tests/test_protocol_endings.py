"""Every protocol through the ledger's rules: in a storm, with workers that die, a payment ends as the payee has it."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from agents.asking import Answer, Asking
from agents.gateways.base import PaymentGateway
from agents.gateways.simulator_faults import Behaviour
from schemas.entry import EntryKind
from schemas.gateway import RetrySchedule
from schemas.money import Money
from streams.ledger.commands import Settle
from streams.ledger.state import State
from tests.builders import AT, a_place, a_tree, balances, decided
from tests.test_gateway_contract import PROTOCOLS, Side, Spoken

SEED = 20
PAYMENTS = 40
RETRY = RetrySchedule(interval_ms=1_000, factor_pct=130, budget=25)
STORM = Behaviour(
    temporary_pct=10,
    not_finished_pct=10,
    time_out_before_accept_pct=1,
    time_out_after_accept_pct=1,
    drop_after_accept_pct=12,
    http_500_pct=14,
    broken_reply_pct=10,
    garbage_pct=5,
    wrong_txn_pct=8,
    wrong_sum_pct=8,
    wrong_signature_pct=10,
    faulty_askings=3,
)
# By kind: outside what is final, an operator has it.
ENDED = (EntryKind.POSTED, EntryKind.VOIDED, EntryKind.MANUAL)


async def _leave() -> bool:
    return True


class Worker:
    """Asks and decides about the payments of one partition, and now and then dies between an answer and its record."""

    def __init__(self, state: State, gateway: PaymentGateway, chance: random.Random) -> None:
        self.state = state
        self.deaths = 0
        self._gateway = gateway
        self._chance = chance

    async def see_to(self, payment: str) -> None:
        """Ask about it, each time when it is due, until it has ended."""
        at, maybe_sent = AT, False
        while self.state.payments[payment].state not in ENDED:
            answer = await self._ask(payment, maybe_sent)
            if self._chance.random() < 0.15:
                self.deaths, maybe_sent = self.deaths + 1, True
                continue
            settle = Settle("A", payment, answer.outcome, RETRY, answer.sent_before, answer.is_last)
            entry = decided(self.state, settle, at)
            at, maybe_sent = max(at, entry.due_at), False

    async def _ask(self, payment: str, maybe_sent: bool) -> Answer:
        found = self.state.payments[payment]
        assert found.facts is not None
        asking = Asking(self._gateway, found, found.facts, maybe_sent, _leave, lambda: True)
        answer = await asking.answer(wants_check=True)
        assert answer is not None
        return answer


@pytest.mark.parametrize("spoken", PROTOCOLS, ids=[spoken.protocol for spoken in PROTOCOLS])
async def test_every_payment_ends_as_the_payees_book_has_it(spoken: Spoken, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    state = a_tree(money=10**9)
    for number in range(1, PAYMENTS + 1):
        order = {"subscriber": {"phone": f"916{number:07}"}, "amount": 10_000 + number, "fee": 0}
        assert decided(state, a_place(number=number, tariff=None, **order)).kind is EntryKind.HELD
    txns = {payment.id: payment.txn for payment in state.payments.open.values()}
    facts = {payment.id: payment.facts for payment in state.payments.open.values()}
    storm = STORM.model_copy(update={"decline": {"7": spoken.codes[0]}})
    side = Side.start(spoken, tmp_path, {"storm": storm}, seed=SEED)
    with side.simulator:
        async with side.gateway("storm", time_out_ms=400, connections=15, **spoken.dialect) as gateway:
            worker = Worker(state, gateway, random.Random(SEED))
            await asyncio.gather(*(worker.see_to(payment) for payment in txns))
        book = side.paid("storm")
        assert side.simulator.totals()["storm"]["inconsistencies"] == 0
    ended = {payment: state.payments[payment].state for payment in txns}
    posted = {payment for payment, kind in ended.items() if kind is EntryKind.POSTED}
    assert book == {txns[one]: (facts[one].subscriber["phone"], str(Money(facts[one].amount, "RUB"))) for one in posted}
    declined = {payment for payment in txns if facts[payment].subscriber["phone"].endswith("7")}
    assert txns.keys() - posted == declined  # an operator has at most what was refused after something was unclear
    assert sum(balance for name, balance in balances(state).items()) == 0
    assert worker.deaths > 5
