"""Checks before payment at the payee: each question once, on connections of their own, no longer than one waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.check_desk import CheckDesk
from agents.gateways.guard import Guard, Guards
from agents.gateways.http import Http
from schemas.entry import PaymentFacts
from schemas.gateway import Gateway
from schemas.outcome import GatewayOutcome, Verdict
from schemas.tracking import Tracked
from streams.settings import Settings
from tests.builders_tracking import tracked
from tests.gateway_builders import a_gateway, a_payment

URL = "http://127.0.0.1:9/"


@dataclass
class Payee:
    """A gateway whose answers the test gives: each question waits in `asked` until then."""

    record: Gateway
    asked: list[tuple[PaymentFacts, asyncio.Future[Tracked]]] = field(default_factory=list)
    is_closed: bool = False

    async def track(self, facts: PaymentFacts) -> Tracked:
        answer: asyncio.Future[Tracked] = asyncio.get_running_loop().create_future()
        self.asked.append((facts, answer))
        return await answer

    async def check(self, facts: PaymentFacts) -> GatewayOutcome:
        return (await self.track(facts)).outcome

    def answer(self, number: int, said: Tracked | None = None) -> None:
        self.asked[number][1].set_result(said or tracked(name="Ivan"))

    async def aclose(self) -> None:
        self.is_closed = True


@dataclass
class Desk:
    """A desk with a clock moved by hand; `payees` are the gateways it opened, in their order."""

    desk: CheckDesk
    payees: list[Payee] = field(default_factory=list)
    now: float = 100.0
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def ask(self, number: str = "9161234567", within_s: float = 20, **record: Any) -> asyncio.Task[Tracked]:
        facts = a_payment(subscriber=number)
        return asyncio.create_task(self.desk.ask(a_gateway(URL, **record), facts, within_s))

    async def asked(self, count: int, payee: int = 0) -> None:
        """Wait until the payee has so many questions."""
        await until(lambda: len(self.payees) > payee and len(self.payees[payee].asked) >= count)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - of what others do, who know nothing of a test
            await asyncio.sleep(0)


@asynccontextmanager
async def a_desk(**settings: Any) -> AsyncIterator[Desk]:
    def opened(record: Gateway, http: Http, secrets: Path, guard: Guard) -> Any:
        made.payees.append(Payee(record))
        return made.payees[-1]

    def spawn(coroutine: Any) -> None:
        task = asyncio.create_task(coroutine)
        made.tasks.add(task)
        task.add_done_callback(made.tasks.discard)

    made: Desk
    made = Desk(CheckDesk(Settings(**settings), spawn, Guards().of, lambda: made.now, opened))
    yield made
    for task in made.tasks:
        task.cancel()


async def test_the_payee_s_answer_comes_back() -> None:
    async with a_desk() as desk:
        asking = desk.ask()
        await desk.asked(1)
        desk.payees[0].answer(0)
        assert (await asking).name == "Ivan"


async def test_a_question_asked_by_many_goes_to_the_payee_once_and_its_answer_is_kept_for_a_while() -> None:
    async with a_desk(check_kept_s=5) as desk:
        first, second, other = desk.ask(), desk.ask(), desk.ask("9160000000")
        await desk.asked(2)
        desk.payees[0].answer(0)
        desk.payees[0].answer(1, tracked(name="Olga"))
        assert [(await one).name for one in (first, second, other)] == ["Ivan", "Ivan", "Olga"]
        desk.now += 5
        assert (await desk.ask()).name == "Ivan"
        desk.now += 0.1
        again = desk.ask()
        await desk.asked(3)
        desk.payees[0].answer(2, tracked(name="Ivan the second"))
        assert (await again).name == "Ivan the second"


async def test_an_unclear_answer_is_not_kept() -> None:
    async with a_desk() as desk:
        for number in range(2):
            asking = desk.ask()
            await desk.asked(number + 1)
            desk.payees[0].answer(number, tracked(Verdict.UNCLEAR, "http-500"))
            assert (await asking).outcome.code == "http-500"


async def test_who_waits_longer_than_allowed_is_told_so_and_the_answer_serves_the_repeat() -> None:
    async with a_desk() as desk:
        outcome = (await desk.ask(within_s=0.01)).outcome
        assert (outcome.verdict, outcome.code) == (Verdict.UNCLEAR, "timeout")
        again = desk.ask()
        await desk.asked(1)
        desk.payees[0].answer(0)
        assert (await again).name == "Ivan"
        assert len(desk.payees[0].asked) == 1


async def test_checks_have_few_connections_of_their_own_and_a_bounded_queue() -> None:
    async with a_desk(check_connections=2) as desk:
        asking = [desk.ask(str(number)) for number in range(60)]
        await desk.asked(2)
        crowded = [one for one in asking if one.done()]
        assert {(await one).outcome.code for one in crowded} == {"crowded"}
        assert len(crowded) == 10
        payee = desk.payees[0]
        assert (payee.record.connections, len(payee.asked)) == (2, 2)
        payee.answer(0)
        await desk.asked(3)
        for one in asking:
            one.cancel()


async def test_a_check_never_takes_more_connections_or_time_than_the_gateway_s_record_gives() -> None:
    async with a_desk(check_connections=9) as desk:
        asking = desk.ask(connections=3, time_out_ms=60_000)
        await desk.asked(1)
        assert (desk.payees[0].record.connections, desk.payees[0].record.time_out_ms) == (3, 10_000)
        asking.cancel()


async def test_a_record_that_changed_is_asked_anew_and_the_old_connections_close_when_the_last_answer_came() -> None:
    async with a_desk() as desk:
        first = desk.ask("1")
        await desk.asked(1)
        second = desk.ask("2", time_out_ms=2_000)
        await desk.asked(1, payee=1)
        assert not desk.payees[0].is_closed
        desk.payees[0].answer(0)
        desk.payees[1].answer(0)
        await first
        await second
        await until(lambda: desk.payees[0].is_closed)
        assert not desk.payees[1].is_closed


async def test_a_gateway_that_raises_costs_its_own_question_only() -> None:
    async with a_desk() as desk:
        asking = desk.ask()
        await desk.asked(1)
        desk.payees[0].asked[0][1].set_exception(ZeroDivisionError())
        assert (await asking).outcome.verdict is Verdict.NOT_SENT
