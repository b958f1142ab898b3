"""A payee that is down is left alone and asked one question to see; and none is asked faster than it may be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest

from agents.breaker import Circuit, CircuitBreaker, is_there
from agents.gateways.base import open_gateway
from agents.gateways.capabilities import Capabilities, StatementLine
from agents.gateways.guard import Guard, Health
from agents.gateways.guarded import GuardedGateway
from agents.gateways.pace import Pace
from agents.gateways.simulator import Simulator
from agents.gateways.simulator_faults import Behaviour
from schemas.entry import EntryKind, PaymentFacts
from schemas.gateway import Breaker
from schemas.outcome import GatewayOutcome, Verdict
from tests.builders import AT, a_place, a_retry, a_settle, a_tree, decided
from tests.builders_reversal import a_cancel, a_reversal
from tests.gateway_builders import HTTP, a_gateway, a_payment

OURS = a_payment()
PAID = GatewayOutcome("pay", Verdict.PAID, "0")
DOWN = GatewayOutcome("pay", Verdict.NOT_SENT, "connect")


class Time:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class FakePayee:
    """Answers with the outcomes a test gives, then PAID; `held` keeps its answers back until it is set."""

    capabilities = Capabilities()

    def __init__(self, *outcomes: GatewayOutcome) -> None:
        self.asked = 0
        self.held = asyncio.Event()
        self.held.set()
        self._outcomes = list(outcomes)

    async def pay(self, facts: PaymentFacts) -> GatewayOutcome:
        self.asked += 1
        outcome = self._outcomes.pop(0) if self._outcomes else PAID
        await self.held.wait()
        return outcome

    check = status = cancel = pay

    async def statement(self, since_ms: int, until_ms: int) -> Sequence[StatementLine] | GatewayOutcome:
        return await self.pay(OURS)

    async def aclose(self) -> None: ...


def guarded(payee: FakePayee, time: Time, failures: int = 3, open_ms: int = 1_000) -> GuardedGateway:
    breaker = Breaker(failures=failures, open_ms=open_ms) if failures else None
    return GuardedGateway(payee, Guard(a_gateway("http://payee.test/", breaker=breaker), time))


@pytest.mark.parametrize(
    ("verdict", "code", "says"),
    [
        (Verdict.PAID, "0", True),
        (Verdict.FATAL, "5", True),  # a refusal, however final, is an answer
        (Verdict.UNCLEAR, "1", True),
        (Verdict.UNCLEAR, "reply-broken", True),
        (Verdict.UNCLEAR, "http-404", True),
        (Verdict.UNCLEAR, "http-503", False),
        (Verdict.UNCLEAR, "timeout", False),
        (Verdict.UNCLEAR, "connection-lost", False),
        (Verdict.UNCLEAR, "reply-cut", False),
        (Verdict.NOT_SENT, "connect", False),
        (Verdict.NOT_SENT, "connect-timeout", False),
        (Verdict.NOT_SENT, "dns", False),
        (Verdict.NOT_SENT, "tls", False),
        (Verdict.NOT_SENT, "no-credentials", None),  # trouble of our own
        (Verdict.NOT_SENT, "bad-field", None),
        (Verdict.NOT_SENT, "closed", None),
        (Verdict.NOT_SENT, "stray-reply", None),
    ],
)
def test_what_an_outcome_says_of_the_payee(verdict: Verdict, code: str, says: bool | None) -> None:
    assert is_there(GatewayOutcome("pay", verdict, code)) is says


async def test_after_so_many_failures_in_a_row_nothing_is_sent_until_the_time_is_over() -> None:
    time, payee = Time(), FakePayee(DOWN, DOWN, PAID, DOWN, DOWN, DOWN)
    gateway = guarded(payee, time)
    for _ in range(6):
        await gateway.pay(OURS)
    assert (payee.asked, gateway.health) == (6, Health(Circuit.OPEN, 1_000, 0))
    time.now += 0.4
    for question in (gateway.check, gateway.pay, gateway.status, gateway.cancel):
        outcome = await question(OURS)
        assert (outcome.verdict, outcome.code) == (Verdict.NOT_SENT, "breaker-open")
    statement = await gateway.statement(0, 1)
    assert isinstance(statement, GatewayOutcome)
    assert statement.code == "breaker-open"
    assert (await gateway.track(OURS)).outcome.code == "breaker-open"
    assert (payee.asked, gateway.health.open_for_ms) == (6, 600)


async def test_then_one_question_is_let_through_and_the_others_wait_for_what_comes_of_it() -> None:
    time, payee = Time(), FakePayee(DOWN, DOWN, DOWN, PAID)
    gateway = guarded(payee, time)
    for _ in range(3):
        await gateway.pay(OURS)
    time.now += 1.0
    assert gateway.health.circuit is Circuit.HALF_OPEN
    payee.held.clear()
    several = [asyncio.ensure_future(gateway.pay(OURS)) for _ in range(10)]
    await turns()
    assert (payee.asked, gateway.health.in_flight) == (4, 10)
    payee.held.set()
    assert {outcome.verdict for outcome in await asyncio.gather(*several)} == {Verdict.PAID}
    assert (payee.asked, gateway.health) == (13, Health(Circuit.CLOSED, 0, 0))


async def test_where_it_fails_too_the_others_are_told_and_the_time_begins_anew() -> None:
    time, payee = Time(), FakePayee(*[DOWN] * 4)
    gateway = guarded(payee, time)
    for _ in range(3):
        await gateway.pay(OURS)
    time.now += 1.5
    payee.held.clear()
    several = [asyncio.ensure_future(gateway.pay(OURS)) for _ in range(5)]
    await turns()
    payee.held.set()
    assert [outcome.code for outcome in await asyncio.gather(*several)] == ["connect", *["breaker-open"] * 4]
    assert gateway.health == Health(Circuit.OPEN, 1_000, 0)


async def test_a_question_that_was_to_see_and_came_to_nothing_gives_its_place_to_the_next() -> None:
    time, payee = Time(), FakePayee(DOWN, GatewayOutcome("pay", Verdict.NOT_SENT, "no-credentials"))
    gateway = guarded(payee, time, failures=1)
    await gateway.pay(OURS)
    time.now += 1.0
    await gateway.pay(OURS)
    assert gateway.health.circuit is Circuit.HALF_OPEN
    payee.held.clear()
    cancelled = asyncio.ensure_future(gateway.pay(OURS))
    await turns()
    waiting = asyncio.ensure_future(gateway.pay(OURS))
    await turns()
    cancelled.cancel()
    payee.held.set()
    assert (await waiting).verdict is Verdict.PAID
    assert gateway.health == Health(Circuit.CLOSED, 0, 0)


async def test_an_answer_from_before_neither_lets_a_second_question_through_nor_is_lost() -> None:
    time = Time()
    breaker = CircuitBreaker(Breaker(failures=1, open_ms=1_000), time)
    async with breaker.turn() as first:
        assert first
        breaker.heard(False)
        time.now += 1.0
        async with breaker.turn() as probe:
            assert probe
            breaker.heard(False)  # the first one's second word, as a slow one's would be
            async with breaker.turn() as third:
                assert not third
        assert breaker.circuit is Circuit.OPEN


async def test_what_a_payee_says_goes_further_plain_and_short_whatever_its_protocol_lets_through() -> None:
    said = GatewayOutcome("pay", Verdict.UNCLEAR, "9" * 60_000, "20\x1b[2J16\n" * 50, "\u202eno \0" * 100)
    payee = FakePayee(said, said)
    gateway = guarded(payee, Time())
    for outcome in (await gateway.pay(OURS), (await gateway.track(OURS)).outcome):
        assert (outcome.step, outcome.verdict, outcome.code) == ("pay", Verdict.UNCLEAR, "9" * 40)
        assert (outcome.provider_ref[:10], outcome.comment[:6]) == ("20 [2J16 2", "no no ")
        assert len(outcome.provider_ref) == 100
        assert len(outcome.comment) == 200
    assert await gateway.pay(OURS) == PAID


async def test_without_a_breaker_it_is_asked_whatever_happens() -> None:
    payee = FakePayee(*[DOWN] * 50)
    gateway = guarded(payee, Time(), failures=0)
    for _ in range(50):
        await gateway.pay(OURS)
    assert (payee.asked, gateway.health) == (50, Health(None, 0, 0))


async def test_a_statement_is_neither_the_question_to_see_nor_counted_when_nobody_answers_it() -> None:
    time, payee = Time(), FakePayee(DOWN, DOWN, *[DOWN] * 5, PAID)
    gateway = guarded(payee, time)
    for _ in range(2):
        await gateway.pay(OURS)
    for _ in range(5):
        await gateway.statement(0, 1)
    assert gateway.health.circuit is Circuit.CLOSED
    payee = FakePayee(DOWN)
    gateway = guarded(payee, time, failures=1)
    await gateway.pay(OURS)
    time.now += 1.0
    payee.held.clear()
    statement = asyncio.ensure_future(gateway.statement(0, 1))
    await turns()
    assert (payee.asked, gateway.health.in_flight) == (2, 1)
    paying = asyncio.ensure_future(gateway.pay(OURS))
    await turns()
    assert payee.asked == 3  # it did not wait for what comes of the statement
    payee.held.set()
    await asyncio.gather(statement, paying)


# --- the rate: of all requests of a gateway, whoever sends them


def a_guard(time: Callable[[], float], per_s: int, aside_of: Guard | None = None) -> Guard:
    return Guard(a_gateway("http://payee.test/", per_s=per_s), time, aside_of)


def test_no_second_has_more_requests_than_were_agreed() -> None:
    time, left = Time(), list[float]()
    pace, rng = Pace(5, 1.0, time), Random(7)
    for _ in range(500):
        left.append(time.now + pace.wait_s())
        time.now += rng.choice((0.0, 0.0, 0.05, 0.3, 1.7))
    assert left == sorted(left)
    assert all(sixth - first >= 1.0 for first, sixth in zip(left, left[5:], strict=False))
    quiet = Pace(5, 1.0, time)
    assert [quiet.wait_s() for _ in range(11)] == [0.0] * 5 + [1.0] * 5 + [2.0]


async def test_a_pay_of_two_requests_is_two(tmp_path: Path) -> None:
    class Counted(Guard):
        requests = 0

        async def pace(self) -> None:
            self.requests += 1

    with Simulator.start(tmp_path, {"click": Behaviour(protocol="two-phase")}) as simulator:
        record = a_gateway(simulator.url_of("click"), protocol="two-phase")
        guard = Counted(record)
        gateway = open_gateway(record, HTTP, tmp_path, guard)
        assert (await gateway.pay(OURS)).verdict is Verdict.PAID
        await gateway.aclose()
    assert guard.requests == 2


async def test_what_checks_send_is_of_the_same_rate_and_a_quarter_of_it_at_most() -> None:
    time = Time()
    payments = a_guard(time, per_s=8)
    checks = a_guard(time, 8, payments)
    assert await at_once(checks, 3) == 2
    assert await at_once(payments, 8) == 6
    time.now += 2.0
    assert await at_once(payments, 6) == 6
    assert await at_once(checks, 1) == 1


async def test_of_a_rate_of_one_checks_leave_most_to_payments() -> None:
    time = Time()
    payments = a_guard(time, per_s=1)
    checks = a_guard(time, 1, payments)
    assert await at_once(checks, 2) == 1
    time.now += 3.9
    assert await at_once(payments, 2) == 1
    time.now += 4.2  # the second check's place is past, too
    assert await at_once(checks, 1) == 1


async def at_once(guard: Guard, count: int) -> int:
    """How many of so many requests may leave without waiting."""
    asked = [asyncio.ensure_future(guard.pace()) for _ in range(count)]
    await turns()
    gone = sum(one.done() for one in asked)
    for one in asked:
        one.cancel()
    return gone


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


# --- what an open breaker costs a payment


@pytest.mark.parametrize(("not_before", "due_at"), [(0, 100), (50, 100), (30_000, 30_000)])
def test_a_payment_is_asked_about_no_sooner_than_its_payee_is(not_before: int, due_at: int) -> None:
    retry = a_retry(interval_ms=100, budget=5)
    command = a_settle(verdict=Verdict.NOT_SENT, step="check", retry=retry, not_before=AT + not_before)
    state = a_tree()
    decided(state, a_place())
    entry = decided(state, command, AT)
    assert (entry.kind, entry.deferrals, entry.due_at - AT) == (EntryKind.DEFERRED, 1, due_at)


def test_so_it_is_with_a_reversal_and_an_end_is_an_end() -> None:
    state = a_tree()
    for command in (a_place(), a_settle(not_before=AT + 9), a_reversal()):
        entry = decided(state, command)
    assert decided(state, a_cancel(verdict=Verdict.NOT_SENT, not_before=AT + 10**9)).due_at == AT + 10**9
    assert entry.due_at == 0
    last = decided(state, a_cancel(verdict=Verdict.NOT_SENT, retry=a_retry(budget=1), not_before=AT + 10**9))
    assert (last.kind, last.due_at) == (EntryKind.REVERSAL_REFUSED, 0)
