"""What every gateway promises, tried on every protocol there is, over HTTP, against a payee with a book of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from agents.gateways.base import PaymentGateway
from agents.gateways.simulator import OsmpSimulator
from agents.gateways.simulator_faults import Behaviour
from schemas.entry import PaymentFacts
from schemas.money import Money
from schemas.outcome import GatewayOutcome, Verdict
from tests.gateway_builders import a_gateway, a_gateway_to, a_payment

# A new protocol is one line here: its name and what starts its simulator.
PROTOCOLS = [
    ("osmp", OsmpSimulator.start),
]
CALM = Behaviour()
# Payees that misbehave at the first asking of every question, each in its own way.
FAULTS = {
    "temporary": Behaviour(temporary_pct=100, faulty_askings=1),
    "unfinished": Behaviour(not_finished_pct=100, faulty_askings=1),
    "dropping": Behaviour(drop_after_accept_pct=100, faulty_askings=1),
    "failing": Behaviour(http_500_pct=100, faulty_askings=1),
    "cut": Behaviour(broken_xml_pct=100, faulty_askings=1),
    "garbage": Behaviour(garbage_pct=100, faulty_askings=1),
    "wrong-txn": Behaviour(wrong_txn_pct=100, faulty_askings=1),
    "wrong-sum": Behaviour(wrong_sum_pct=100, faulty_askings=1),
    "silent-after": Behaviour(time_out_after_accept_pct=100, faulty_askings=1),
    "silent-before": Behaviour(time_out_before_accept_pct=100, faulty_askings=1),
}
STORM = Behaviour(
    jitter_ms=5,
    temporary_pct=10,
    not_finished_pct=10,
    time_out_before_accept_pct=2,
    time_out_after_accept_pct=3,
    drop_after_accept_pct=10,
    http_500_pct=10,
    broken_xml_pct=10,
    garbage_pct=5,
    wrong_txn_pct=10,
    wrong_sum_pct=5,
    decline={"0": 5},
    cp1251=True,
)
TXN = count(1)


@dataclass
class Side:
    """A protocol's gateway and the payees it is tried on."""

    protocol: str
    simulator: OsmpSimulator

    def gateway(self, payee: str = "calm", **record: Any) -> AbstractAsyncContextManager[PaymentGateway]:
        return a_gateway_to(a_gateway(self.simulator.url_of(payee), protocol=self.protocol, **record))

    def paid(self, payee: str = "calm") -> dict[int, tuple[str, str]]:
        """What the payee has in its book: number -> subscriber and sum."""
        return {txn: (paid.account, paid.sum) for txn, paid in self.simulator.book_of(payee).items()}


@pytest.fixture(scope="module", params=PROTOCOLS, ids=[name for name, _ in PROTOCOLS])
def side(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    protocol, start = request.param
    with start(tmp_path_factory.mktemp(protocol), {"calm": CALM, "storm": STORM, **FAULTS}, seed=7) as simulator:
        yield Side(protocol, simulator)


def new_payment(**changes: Any) -> PaymentFacts:
    return a_payment(txn=next(TXN), **changes)


def line_of(facts: PaymentFacts) -> tuple[str, str]:
    """A payment as the payee's book should have it."""
    return next(iter(facts.subscriber.values())), str(Money(facts.amount, facts.currency))


async def test_a_payment_is_booked_once_however_often_it_is_asked(side: Side) -> None:
    facts = new_payment()
    async with side.gateway() as gateway:
        assert gateway.idempotent
        outcomes = [await gateway.pay(facts) for _ in range(3)]
        outcomes += await asyncio.gather(*(gateway.pay(facts) for _ in range(20)))
    assert {outcome.verdict for outcome in outcomes} == {Verdict.PAID}
    assert len({outcome.provider_ref for outcome in outcomes}) == 1
    assert side.paid()[facts.txn] == line_of(facts)
    assert side.simulator.book_of("calm")[facts.txn].asked == 23


async def test_payments_are_booked_to_the_unit(side: Side) -> None:
    several = [new_payment(amount=amount, subscriber=f"7916000{amount}") for amount in (1, 10, 99, 100, 123_456_789)]
    async with side.gateway() as gateway:
        for facts in several:
            assert (await gateway.pay(facts)).verdict is Verdict.PAID
    book = side.paid()
    assert [book[facts.txn] for facts in several] == [line_of(facts) for facts in several]


async def test_a_check_books_nothing(side: Side) -> None:
    facts = new_payment()
    async with side.gateway() as gateway:
        outcome = await gateway.check(facts)
    assert (outcome.step, outcome.verdict) == ("check", Verdict.CHECKED)
    assert facts.txn not in side.paid()


@pytest.mark.parametrize("payee", FAULTS)
async def test_an_unclear_answer_then_the_same_number_pays_exactly_once(side: Side, payee: str) -> None:
    facts = new_payment()
    async with side.gateway(payee, time_out_ms=1_000 if payee.startswith("silent") else 10_000) as gateway:
        unclear = await gateway.pay(facts)
    async with side.gateway(payee) as gateway:
        paid = await gateway.pay(facts)
        again = await gateway.pay(facts)
    assert (unclear.step, unclear.verdict) == ("pay", Verdict.UNCLEAR)
    assert paid == again
    assert paid.verdict is Verdict.PAID
    assert side.paid(payee) == {facts.txn: line_of(facts)}


@pytest.mark.parametrize("payee", ["failing", "garbage", "dropping", "temporary"])
async def test_an_unclear_check_is_no_refusal(side: Side, payee: str) -> None:
    facts = new_payment()
    async with side.gateway(payee) as gateway:
        first, second = await gateway.check(facts), await gateway.check(facts)
    assert (first.step, first.verdict, second.verdict) == ("check", Verdict.UNCLEAR, Verdict.CHECKED)


async def test_a_decline_is_final_and_books_nothing(side: Side) -> None:
    side.simulator.behave("choosy", Behaviour(decline={"13": 5, "79": 79}))
    async with side.gateway("choosy") as gateway:
        for ending, code in (("13", "5"), ("79", "79")):
            facts = new_payment(subscriber=f"79160000{ending}")
            outcomes = [await gateway.check(facts), await gateway.pay(facts), await gateway.pay(facts)]
            assert [(outcome.verdict, outcome.code) for outcome in outcomes] == [(Verdict.FATAL, code)] * 3
        assert (await gateway.pay(new_payment(subscriber="7916000014"))).verdict is Verdict.PAID
    assert len(side.paid("choosy")) == 1


async def test_a_number_used_again_for_something_else_is_not_paid(side: Side) -> None:
    facts = new_payment()
    other = a_payment(txn=facts.txn, amount=facts.amount + 1)
    side.simulator.behave("strict", CALM)
    async with side.gateway("strict") as gateway:
        assert (await gateway.pay(facts)).verdict is Verdict.PAID
        assert (await gateway.pay(other)).verdict is not Verdict.PAID
    assert side.paid("strict") == {facts.txn: line_of(facts)}
    assert side.simulator.totals()["strict"]["inconsistencies"] == 1


async def test_credentials_are_asked_for_and_given(side: Side, tmp_path: Path) -> None:
    side.simulator.behave("guarded", Behaviour(credentials="kassa:s3cret"))
    (tmp_path / "guarded").write_text("kassa:s3cret\n")
    facts = new_payment()
    async with side.gateway("guarded") as gateway:
        assert (await gateway.pay(facts)).verdict is Verdict.UNCLEAR
    record = a_gateway(side.simulator.url_of("guarded"), protocol=side.protocol, credentials="guarded")
    async with a_gateway_to(record, tmp_path) as gateway:
        assert (await gateway.pay(facts)).verdict is Verdict.PAID


async def test_after_a_storm_the_payees_book_is_what_we_were_told(side: Side) -> None:
    several = [new_payment(subscriber=f"7916{number:07}") for number in range(150)]
    waiting = iter(several)
    told: dict[int, list[GatewayOutcome]] = {}

    async def till() -> None:
        for facts in waiting:
            told[facts.txn] = outcomes = [await gateway.pay(facts)]
            while outcomes[-1].verdict not in (Verdict.PAID, Verdict.FATAL) and len(outcomes) < 20:
                outcomes.append(await gateway.pay(facts))

    async with side.gateway("storm", time_out_ms=1_000, connections=15) as gateway:
        await asyncio.gather(*(till() for _ in range(15)))
    last = {txn: outcomes[-1].verdict for txn, outcomes in told.items()}
    assert side.paid("storm") == {facts.txn: line_of(facts) for facts in several if last[facts.txn] is Verdict.PAID}
    assert sum(verdict is Verdict.FATAL for verdict in last.values()) == 15
    assert any(len(outcomes) > 1 for outcomes in told.values())


async def test_a_payee_that_was_killed_is_not_sent_to_and_remembers_when_it_is_back(side: Side, tmp_path: Path) -> None:
    start = dict(PROTOCOLS)[side.protocol]
    accepting_then_silent = {"shop": Behaviour(not_finished_pct=100, faulty_askings=1)}
    first = start(tmp_path, accepting_then_silent, journal=True)
    shop = Side(side.protocol, first)
    booked, not_sent = new_payment(), new_payment()
    async with shop.gateway("shop") as gateway:
        assert (await gateway.pay(booked)).verdict is Verdict.UNCLEAR
        ref = first.book_of("shop")[booked.txn].prv_txn
        first.kill()
        assert (await gateway.pay(not_sent)).verdict in (Verdict.NOT_SENT, Verdict.UNCLEAR)  # the kept connection broke
        assert (await gateway.pay(not_sent)).verdict is Verdict.NOT_SENT
        with start(tmp_path, {"shop": CALM}, journal=True, port=first.port) as second:
            paid = await gateway.pay(booked)
            assert (paid.verdict, paid.provider_ref) == (Verdict.PAID, str(ref))
            assert list(second.book_of("shop")) == [booked.txn]


# --- giving back


async def test_a_payment_is_given_back_once_however_often_it_is_asked(side: Side) -> None:
    facts = new_payment()
    async with side.gateway(cancels=True) as gateway:
        await gateway.pay(facts)
        outcomes = [await gateway.cancel(facts) for _ in range(3)]
    assert {(outcome.step, outcome.verdict) for outcome in outcomes} == {("cancel", Verdict.CANCELLED)}
    assert side.simulator.book_of("calm")[facts.txn].cancelled_at > 0


@pytest.mark.parametrize("payee", FAULTS)
async def test_an_unclear_cancel_then_the_same_number_gives_back_exactly_once(side: Side, payee: str) -> None:
    facts = new_payment()
    wait_ms = 1_000 if payee.startswith("silent") else 10_000
    async with side.gateway(payee, time_out_ms=wait_ms, cancels=True) as gateway:
        while (await gateway.pay(facts)).verdict is not Verdict.PAID:
            pass
        assert (await gateway.cancel(facts)).verdict is Verdict.UNCLEAR
    async with side.gateway(payee, cancels=True) as gateway:
        assert (await gateway.cancel(facts)).verdict is Verdict.CANCELLED
    assert side.simulator.book_of(payee)[facts.txn].cancelled_at > 0


async def test_a_payee_that_keeps_it_says_so_for_good(side: Side) -> None:
    side.simulator.behave("keeper", Behaviour(keep_pct=100))
    facts = new_payment()
    async with side.gateway("keeper", cancels=True) as gateway:
        await gateway.pay(facts)
        assert (await gateway.cancel(facts)).verdict is Verdict.FATAL
    assert side.simulator.book_of("keeper")[facts.txn].cancelled_at == 0


async def test_a_gateway_that_cannot_ask_sends_nothing(side: Side) -> None:
    facts = new_payment()
    async with side.gateway() as gateway:
        await gateway.pay(facts)
        assert (await gateway.cancel(facts)).verdict is Verdict.NOT_SENT
    assert side.simulator.book_of("calm")[facts.txn].cancelled_at == 0
