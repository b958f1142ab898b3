"""Payments in doubt are found in their payee's statement: at a simulated payee over HTTP, and on real shards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agents.bulkhead import Job
from agents.dispatch import Dispatch
from agents.gateways.guard import Guards
from agents.gateways.simulator import Simulator
from agents.gateways.simulator_faults import Behaviour
from agents.statements import StatementClock
from schemas.alert import Alert, AlertKind
from schemas.entry import EntryKind
from schemas.envelope import SigningKey
from schemas.gateway import Breaker, Gateway
from schemas.outcome import Verdict
from streams.arrival import Ask, Tell
from streams.clock import Clock
from streams.directory import Directory
from streams.embedded import EmbeddedBroker
from streams.ledger.commands import Settle
from streams.ledger.perform import perform
from streams.ledger.state import State
from streams.settings import Settings
from streams.shards import Shards
from streams.topics import create_or_verify
from streams.watch import Watch
from tests.builders import a_gateway, a_payee, a_place, a_retry, a_settle, a_tree, decided, open_agent, set_limit
from tests.builders_reversal import a_cancel, a_reversal
from tests.gateway_builders import a_gateway_to
from tests.network import until

CLICK = "osmp-1"  # the gateway of the builders' payee
PAYMENT = "kiosk-1.1"
IN_DOUBT = (a_settle(verdict=Verdict.UNCLEAR), a_settle(verdict=Verdict.FATAL))
HOUR_MS = 3_600_000


class OnePartition:
    """The shards of a worker that has one partition open, without a broker."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.alerts: list[Alert] = []
        self._watch = Watch(Settings(), 0, {})

    def partitions(self) -> list[int]:
        return [0]

    def state(self, partition: int) -> State:
        return self._state

    def tenure(self, partition: int) -> int:
        return 1

    async def decide(self, partition: int, items: Sequence[Tell], *, tenure: int) -> list[Any]:
        self.alerts += [alert for item in items for alert in self._watch.tell(item.alert)]
        return []


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    calm = Behaviour(protocol="two-phase")
    with Simulator.start(tmp_path_factory.mktemp("payees"), {"click": calm, "plain": Behaviour()}) as started:
        yield started


def a_directory(record: Gateway) -> Directory:
    directory = Directory()
    directory.apply("gateways", record.id, record.model_dump_json().encode())
    payee = a_payee(skip_check=True)
    directory.apply("payees", payee.id, payee.model_dump_json().encode())
    return directory


class Desk:
    """One payment at one payee, and the clock that looks for it there `later_ms` from now."""

    def __init__(self, tmp_path: Path, url: str, protocol: str = "two-phase", **record: Any) -> None:
        self.record = a_gateway(CLICK, protocol=protocol, url=url, cancels=True, **record)
        self.at = Clock().now_ms()
        self.state = a_tree()
        self.shards = OnePartition(self.state)
        settings = Settings(dir=tmp_path, partitions=1)
        self.guards = Guards()
        self.clock = StatementClock(
            settings,
            a_directory(self.record),
            self.shards,
            Clock(),
            self._told,
            self.guards,  # type: ignore[arg-type]
        )

    def sees(self, *commands: Any) -> None:
        for command in commands:
            decided(self.state, command, self.at)

    async def asks(self, question: str) -> Verdict:
        """Ask the payee behind the ledger's back."""
        facts = self.state.payments[PAYMENT].facts
        assert facts is not None
        async with a_gateway_to(self.record) as gateway:
            return (await getattr(gateway, question)(facts)).verdict

    async def looks(self, later_ms: int = 10_000) -> EntryKind:
        """What the payment is after a look."""
        for record, due in await self.clock.due(self.at + later_ms):
            await self.clock.ask(record, due, self.at + later_ms)
        return self.state.payments[PAYMENT].state

    def _told(self, job: Job, settle: Settle) -> None:
        assert (job.partition, job.tenure, job.payment) == (0, 1, settle.payment)
        assert isinstance(perform(self.state, settle, self.at), list)


@pytest.fixture
def desk(simulator: Simulator, tmp_path: Path) -> Desk:
    return Desk(tmp_path, simulator.url_of(_a_new_payee(simulator)))


def _a_new_payee(simulator: Simulator, **behaviour: Any) -> str:
    """One whose book is empty."""
    payee = f"click-{len(simulator.totals())}"
    simulator.behave(payee, Behaviour(protocol="two-phase", **behaviour))
    return payee


async def test_what_the_payee_has_is_posted_with_its_number(desk: Desk) -> None:
    desk.sees(a_place(), *IN_DOUBT)
    assert await desk.asks("pay") is Verdict.PAID
    assert await desk.looks() is EntryKind.POSTED
    posted = desk.state.payments[PAYMENT].posted
    assert posted is not None
    assert posted.provider_ref
    assert not await desk.clock.due(desk.at + HOUR_MS)


async def test_what_the_payee_cancelled_is_voided(desk: Desk) -> None:
    desk.sees(a_place(), *IN_DOUBT)
    assert [await desk.asks("pay"), await desk.asks("cancel")] == [Verdict.PAID, Verdict.CANCELLED]
    assert await desk.looks() is EntryKind.VOIDED


async def test_a_reversal_in_doubt_is_done_when_the_payee_has_it_as_cancelled(desk: Desk) -> None:
    desk.sees(a_place(), a_settle(), a_reversal(), a_cancel(verdict=Verdict.UNCLEAR, retry=a_retry(budget=1)))
    assert await desk.asks("pay") is Verdict.PAID
    assert await desk.looks() is EntryKind.REVERSAL_MANUAL, "the payee has it still: a cancel may be on its way"
    assert await desk.asks("cancel") is Verdict.CANCELLED
    assert await desk.looks(HOUR_MS) is EntryKind.REVERSED


async def test_one_that_is_asked_about_still_is_looked_for_after_a_while(desk: Desk) -> None:
    desk.sees(a_place(), a_settle(verdict=Verdict.UNCLEAR))
    await desk.asks("pay")
    assert await desk.looks() is EntryKind.UNKNOWN
    assert await desk.looks(300_000) is EntryKind.POSTED


async def test_what_is_in_no_statement_stays_an_operators(desk: Desk) -> None:
    desk.sees(a_place(), *IN_DOUBT)
    assert await desk.looks(24 * HOUR_MS) is EntryKind.MANUAL


async def test_what_is_in_no_complete_statement_is_voided_and_no_sooner(simulator: Simulator, tmp_path: Path) -> None:
    declared = Desk(tmp_path, simulator.url_of(_a_new_payee(simulator)), options={"statement_complete_s": "3600"})
    declared.sees(a_place(), *IN_DOUBT)
    assert await declared.looks(HOUR_MS - 60_000) is EntryKind.MANUAL
    assert await declared.looks(2 * HOUR_MS) is EntryKind.VOIDED


async def test_a_look_in_vain_is_followed_by_ever_rarer_ones(desk: Desk) -> None:
    desk.sees(a_place(), *IN_DOUBT)
    looks, at = [], 0
    while at < 6 * HOUR_MS:
        if await desk.clock.due(desk.at + at):
            looks.append(at)
            await desk.looks(at)
        at += 60_000
    waits = [later - sooner for sooner, later in pairwise(looks)]
    assert looks[0] == 0
    assert waits == sorted(waits)
    assert (waits[0] // 60_000, waits[-1] // 60_000) == (5, 60)


async def test_nobody_is_looked_for_for_ever(desk: Desk) -> None:
    desk.sees(a_place(), *IN_DOUBT)
    days = 24 * HOUR_MS
    assert await desk.clock.due(desk.at + 3 * days)
    assert not await desk.clock.due(desk.at + 3 * days + 1)


async def test_another_sum_is_told_once_and_changes_nothing(desk: Desk, simulator: Simulator) -> None:
    desk.sees(a_place(), *IN_DOUBT)
    facts = desk.state.payments[PAYMENT].facts
    assert facts is not None
    async with a_gateway_to(desk.record) as gateway:
        assert (await gateway.pay(replace(facts, amount=facts.amount + 1))).verdict is Verdict.PAID
    assert await desk.looks() is EntryKind.MANUAL
    assert await desk.looks(HOUR_MS) is EntryKind.MANUAL
    (alert,) = desk.shards.alerts
    assert (alert.kind, alert.subject) == (AlertKind.STATEMENT_DIFFERS, PAYMENT)
    assert f"has number {facts.txn} with" in alert.text


@pytest.mark.parametrize("behaviour", [{"http_500_pct": 100}, {"broken_reply_pct": 100}, {"garbage_pct": 100}])
async def test_half_a_statement_settles_nothing(
    simulator: Simulator, tmp_path: Path, behaviour: dict[str, int]
) -> None:
    broken = Desk(
        tmp_path,
        simulator.url_of(_a_new_payee(simulator, faulty_askings=1_000, **behaviour)),
        options={"statement_complete_s": "600"},
    )
    broken.sees(a_place(), *IN_DOUBT)
    assert await broken.looks(HOUR_MS) is EntryKind.MANUAL


async def test_a_payee_that_is_left_alone_is_asked_for_no_statement(simulator: Simulator, tmp_path: Path) -> None:
    breaker = Breaker(failures=1, open_ms=HOUR_MS)
    down = Desk(tmp_path, simulator.url_of(_a_new_payee(simulator)), breaker=breaker)
    down.sees(a_place(), *IN_DOUBT)
    await down.asks("pay")
    down.guards.of(down.record).heard(False)
    assert await down.looks() is EntryKind.MANUAL
    down.guards.of(down.record).heard(True)
    assert await down.looks(HOUR_MS) is EntryKind.POSTED


async def test_a_payee_without_statements_is_not_asked(simulator: Simulator, tmp_path: Path) -> None:
    plain = Desk(tmp_path, simulator.url_of("plain"), protocol="osmp", options={"statement_complete_s": "600"})
    plain.sees(a_place(), *IN_DOUBT)
    assert await plain.looks(HOUR_MS) is EntryKind.MANUAL


# --- on real shards, with the dispatch that brought the payment into doubt


@asynccontextmanager
async def a_worker(settings: Settings, record: Gateway) -> AsyncIterator[tuple[Shards, Dispatch, StatementClock]]:
    directory, clock = a_directory(record), Clock()
    dispatch = Dispatch(directory, settings.keys / "gateways", clock, 100)
    shards = Shards(settings, SigningKey.generate("server:1"), lambda _: True, dispatch.recovered, dispatch.closed)
    dispatch.shards = shards
    statements = StatementClock(settings, directory, shards, clock, dispatch.told, dispatch.guards)
    await dispatch.start()
    try:
        yield shards, dispatch, statements
    finally:
        await dispatch.stop()


@pytest.mark.integration
async def test_a_payee_that_books_and_never_says_so_is_believed_by_its_statement(
    simulator: Simulator, tmp_path: Path
) -> None:
    payee = _a_new_payee(simulator, not_finished_pct=100, faulty_askings=1_000)
    retry = a_retry(interval_ms=10, factor_pct=100, budget=2)
    record = a_gateway(CLICK, protocol="two-phase", url=simulator.url_of(payee), retry=retry)
    with EmbeddedBroker.start(tmp_path) as broker:
        settings = Settings(dir=tmp_path, kafka=broker.bootstrap, partitions=1, snapshot_every=0)
        create_or_verify(settings)
        async with a_worker(settings, record) as (shards, dispatch, statements):

            def state() -> EntryKind | None:
                fold = shards.state(0)
                found = fold.payments.find(PAYMENT) if fold is not None else None
                return found.state if found is not None else None

            steps = open_agent("A"), open_agent("S", "A"), set_limit("S", 1_000_000), a_place()
            at = Clock().now_ms()
            await shards.decide(0, [Ask(step, at) for step in steps])
            dispatch.put(0, [PAYMENT])
            await asyncio.to_thread(until, "it is in doubt", lambda: state() is EntryKind.MANUAL)
            simulator.behave(payee, Behaviour(protocol="two-phase"))
            now = Clock().now_ms()
            for asked, due in await statements.due(now):
                await statements.ask(asked, due, now)
            await asyncio.to_thread(until, "it is posted", lambda: state() is EntryKind.POSTED)
    assert len(simulator.book_of(payee)) == 1
