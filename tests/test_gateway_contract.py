"""What every gateway promises, tried on every protocol there is, over HTTP, against a payee with a book of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from agents.gateways.capabilities import unasked
from agents.gateways.guarded import GuardedGateway
from agents.gateways.simulator_faults import Behaviour
from schemas.entry import PaymentFacts
from schemas.money import Money
from schemas.outcome import GatewayOutcome, Verdict
from schemas.tracking import Tracked
from tests.gateway_builders import a_payment
from tests.gateway_protocols import PROTOCOLS, Side, Spoken

CALM = Behaviour()
# Payees that misbehave at the first asking of every question, each in its own way.
FAULTS = {
    "temporary": Behaviour(temporary_pct=100, faulty_askings=1),
    "unfinished": Behaviour(not_finished_pct=100, faulty_askings=1),
    "dropping": Behaviour(drop_after_accept_pct=100, faulty_askings=1),
    "failing": Behaviour(http_500_pct=100, faulty_askings=1),
    "cut": Behaviour(broken_reply_pct=100, faulty_askings=1),
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
    broken_reply_pct=10,
    garbage_pct=5,
    wrong_txn_pct=10,
    wrong_sum_pct=5,
    cp1251=True,
)
TXN = count(1)


@pytest.fixture(scope="module", params=PROTOCOLS, ids=[spoken.protocol for spoken in PROTOCOLS])
def side(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    spoken: Spoken = request.param
    payees = {"calm": CALM, "storm": STORM.model_copy(update={"decline": {"0": spoken.codes[0]}}), **FAULTS}
    started = Side.start(spoken, tmp_path_factory.mktemp(spoken.protocol), payees, seed=7)
    with started.simulator:
        yield started


def new_payment(**changes: Any) -> PaymentFacts:
    return a_payment(txn=next(TXN), **changes)


def line_of(facts: PaymentFacts) -> tuple[str, str]:
    """A payment as the payee's book should have it."""
    return next(iter(facts.subscriber.values())), str(Money(facts.amount, facts.currency))


async def in_the_end(gateway: GuardedGateway, facts: PaymentFacts) -> GatewayOutcome:
    """What paying comes to. A gateway that asks for the status after a pay meets that question's fault too."""
    outcomes = [await gateway.pay(facts)]
    while outcomes[-1].verdict is Verdict.UNCLEAR and len(outcomes) < 3:
        outcomes.append(await gateway.pay(facts))
    return outcomes[-1]


async def test_a_payment_is_booked_once_however_often_it_is_asked(side: Side) -> None:
    facts = new_payment()
    async with side.gateway() as gateway:
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
    async with side.gateway(payee, time_out_ms=300 if payee.startswith("silent") else 10_000) as gateway:
        unclear = await gateway.pay(facts)
    async with side.gateway(payee, time_out_ms=1_000 if payee.startswith("silent") else 10_000) as gateway:
        paid = await in_the_end(gateway, facts)
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
    endings = dict(zip(("13", "79"), side.spoken.codes, strict=True))
    side.behave("choosy", Behaviour(decline=endings))
    async with side.gateway("choosy") as gateway:
        for ending, code in zip(endings, side.spoken.told or side.spoken.codes, strict=True):
            facts = new_payment(subscriber=f"79160000{ending}")
            outcomes = [await gateway.check(facts), await gateway.pay(facts), await gateway.pay(facts)]
            assert [(outcome.verdict, outcome.code) for outcome in outcomes] == [(Verdict.FATAL, str(code))] * 3
        assert (await gateway.pay(new_payment(subscriber="7916000014"))).verdict is Verdict.PAID
    assert len(side.paid("choosy")) == 1


async def test_a_number_used_again_for_something_else_is_not_paid(side: Side) -> None:
    facts = new_payment()
    other = a_payment(txn=facts.txn, amount=facts.amount + 1)
    side.behave("strict", CALM)
    async with side.gateway("strict") as gateway:
        assert (await gateway.pay(facts)).verdict is Verdict.PAID
        assert (await gateway.pay(other)).verdict is not Verdict.PAID
    assert side.paid("strict") == {facts.txn: line_of(facts)}
    assert side.simulator.totals()["strict"]["inconsistencies"] == 1


async def test_credentials_are_asked_for_and_given(side: Side) -> None:
    side.behave("guarded", Behaviour(credentials="kassa:s3cret"))
    (side.directory / "guarded").write_text("kassa:s3cret\n")
    facts = new_payment()
    async with side.gateway("guarded") as gateway:
        assert (await gateway.pay(facts)).verdict is Verdict.UNCLEAR
    async with side.gateway("guarded", credentials="guarded") as gateway:
        assert (await gateway.pay(facts)).verdict is Verdict.PAID


async def test_after_a_storm_the_payees_book_is_what_we_were_told(side: Side) -> None:
    several = [new_payment(subscriber=f"7916{number:07}") for number in range(60)]
    waiting = iter(several)
    told: dict[int, list[GatewayOutcome]] = {}

    async def till() -> None:
        for facts in waiting:
            told[facts.txn] = outcomes = [await gateway.pay(facts)]
            while outcomes[-1].verdict not in (Verdict.PAID, Verdict.FATAL) and len(outcomes) < 20:
                outcomes.append(await gateway.pay(facts))

    async with side.gateway("storm", time_out_ms=400, connections=15) as gateway:
        await asyncio.gather(*(till() for _ in range(15)))
    last = {txn: outcomes[-1].verdict for txn, outcomes in told.items()}
    assert side.paid("storm") == {facts.txn: line_of(facts) for facts in several if last[facts.txn] is Verdict.PAID}
    assert sum(verdict is Verdict.FATAL for verdict in last.values()) == 6  # the numbers that end in 0
    assert any(len(outcomes) > 1 for outcomes in told.values())


async def test_a_payee_that_was_killed_is_not_sent_to_and_remembers_when_it_is_back(side: Side, tmp_path: Path) -> None:
    accepting_then_silent = {"shop": Behaviour(not_finished_pct=100, faulty_askings=1)}
    shop = Side.start(side.spoken, tmp_path, accepting_then_silent, journal=True)
    first = shop.simulator
    booked, not_sent = new_payment(), new_payment()
    async with shop.gateway("shop") as gateway:
        assert (await gateway.pay(booked)).verdict is Verdict.UNCLEAR
        ref = first.book_of("shop")[booked.txn].prv_txn
        first.kill()
        assert (await gateway.pay(not_sent)).verdict in (Verdict.NOT_SENT, Verdict.UNCLEAR)  # the kept connection broke
        assert (await gateway.pay(not_sent)).verdict is Verdict.NOT_SENT
        again = Side.start(side.spoken, tmp_path, {"shop": CALM}, journal=True, port=first.port)
        with again.simulator as second:
            paid = await gateway.pay(booked)
            assert (paid.verdict, paid.provider_ref) == (Verdict.PAID, str(ref))
            assert list(second.book_of("shop")) == [booked.txn]


# --- giving back


async def test_a_payment_is_given_back_once_however_often_it_is_asked(side: Side) -> None:
    facts = new_payment()
    async with side.asking("cancel") as gateway:
        await gateway.pay(facts)
        outcomes = [await gateway.cancel(facts) for _ in range(3)]
    assert {(outcome.step, outcome.verdict) for outcome in outcomes} == {("cancel", Verdict.CANCELLED)}
    assert side.simulator.book_of("calm")[facts.txn].cancelled_at > 0


@pytest.mark.parametrize("payee", FAULTS)
async def test_an_unclear_cancel_then_the_same_number_gives_back_exactly_once(side: Side, payee: str) -> None:
    facts = new_payment()
    wait_ms = 300 if payee.startswith("silent") else 10_000
    async with side.asking("cancel", payee, time_out_ms=wait_ms) as gateway:
        while (await gateway.pay(facts)).verdict is not Verdict.PAID:
            pass
        assert (await gateway.cancel(facts)).verdict is Verdict.UNCLEAR
    async with side.asking("cancel", payee) as gateway:
        assert (await gateway.cancel(facts)).verdict is Verdict.CANCELLED
    assert side.simulator.book_of(payee)[facts.txn].cancelled_at > 0


async def test_a_payee_that_keeps_it_says_so_for_good(side: Side) -> None:
    side.behave("keeper", Behaviour(keep_pct=100))
    facts = new_payment()
    async with side.asking("cancel", "keeper") as gateway:
        await gateway.pay(facts)
        assert (await gateway.cancel(facts)).verdict is Verdict.FATAL
    assert side.simulator.book_of("keeper")[facts.txn].cancelled_at == 0


async def test_a_gateway_says_what_it_can_ask_and_sends_nothing_else(side: Side) -> None:
    facts = new_payment()
    async with side.gateway() as gateway:
        assert gateway.capabilities == side.spoken.can
        await gateway.pay(facts)
        for question in ("status", "cancel"):
            if not getattr(gateway.capabilities, question):
                assert (await getattr(gateway, question)(facts)) == unasked(question)
        if not gateway.capabilities.statement:
            assert await gateway.statement(0, 2**48) == unasked("status", "statement")
    async with side.gateway(**side.spoken.dialect) as gateway:
        assert gateway.capabilities == (side.spoken.can_then or side.spoken.can)
    assert side.simulator.book_of("calm")[facts.txn].cancelled_at == 0


# --- asking what became of it


async def test_a_status_tells_paid_from_unheard_of_and_pays_nothing(side: Side) -> None:
    facts = new_payment()
    async with side.asking("status") as gateway:
        assert (await gateway.status(facts)).verdict is Verdict.ABSENT
        assert facts.txn not in side.paid()
        paid = await gateway.pay(facts)
        status = await gateway.status(facts)
    assert (status.step, status.verdict, status.provider_ref) == ("status", Verdict.PAID, paid.provider_ref)
    assert side.simulator.book_of("calm")[facts.txn].asked == 1


async def test_the_status_of_a_refused_or_returned_payment_is_never_a_yes(side: Side) -> None:
    side.behave("picky", Behaviour(decline={"13": side.spoken.codes[0]}))
    refused, returned = new_payment(subscriber="7916000013"), new_payment()
    async with side.asking("status", "picky") as gateway:
        await gateway.pay(refused)
        assert (await gateway.status(refused)).verdict in (Verdict.FATAL, Verdict.UNCLEAR)
        if gateway.capabilities.cancel:
            await gateway.pay(returned)
            await gateway.cancel(returned)
            assert (await gateway.status(returned)).verdict in (Verdict.FATAL, Verdict.UNCLEAR)


@pytest.mark.parametrize("payee", FAULTS)
async def test_the_status_after_an_unclear_pay_agrees_with_the_book(side: Side, payee: str) -> None:
    facts = new_payment()
    wait_ms = 300 if payee.startswith("silent") else 10_000
    async with side.asking("status", payee, time_out_ms=wait_ms) as gateway:
        assert (await gateway.pay(facts)).verdict is Verdict.UNCLEAR
        assert (await gateway.status(facts)).verdict is Verdict.UNCLEAR
    async with side.asking("status", payee) as gateway:
        known = await gateway.status(facts)
    assert known.verdict is (Verdict.PAID if facts.txn in side.paid(payee) else Verdict.ABSENT)


# --- a day's statement


async def test_a_statement_is_the_payees_book_line_by_line(side: Side) -> None:
    side.behave("bank", CALM)
    several = [new_payment(amount=1_000 + number) for number in range(5)]
    async with side.asking("statement", "bank") as gateway:
        for facts in several:
            await gateway.pay(facts)
        if gateway.capabilities.cancel:
            await gateway.cancel(several[0])
        lines = await gateway.statement(0, 2**48)
        assert not isinstance(lines, GatewayOutcome)
        assert await gateway.statement(0, 1) == []
    book = side.simulator.book_of("bank")
    assert [(line.txn, line.amount) for line in lines] == [(facts.txn, facts.amount) for facts in several]
    for line in lines:
        assert (line.state == "cancelled") == bool(book[line.txn].cancelled_at)
        assert (line.provider_ref, line.at) == (str(book[line.txn].prv_txn), book[line.txn].paid_at)


@pytest.mark.parametrize("payee", ["failing", "garbage", "cut", "dropping"])
async def test_half_a_statement_is_none(side: Side, payee: str) -> None:
    async with side.asking("statement", payee) as gateway:
        outcome = await gateway.statement(1, 2**48)
    assert isinstance(outcome, GatewayOutcome)
    assert outcome.verdict is Verdict.UNCLEAR


# --- what a check tells of a subscriber


async def test_a_payee_that_tells_more_than_yes_tells_it_with_the_same_answer(side: Side) -> None:
    side.behave("utility", Behaviour(options={"debtors": "1"}, decline={"13": side.spoken.codes[0]}))
    known, unknown = new_payment(), new_payment(subscriber="7916000013")
    async with side.gateway("utility") as gateway:
        found, refused = await gateway.track(known), await gateway.track(unknown)
        assert found.outcome == await gateway.check(known)
        assert refused == Tracked(await gateway.check(unknown))
    if not side.spoken.tells:
        assert found == Tracked(found.outcome)
        return
    assert found.name == f"Абонент {line_of(known)[0][-4:]}"
    assert found.debt is not None
    assert found.debt > 0
    assert [(label.casefold(), text) for label, text in found.shown] == [("period", "01.2026")]
    assert not side.paid("utility")
