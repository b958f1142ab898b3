"""The billing clock at work on real shards: two of them fire, workers come and go, and a period is charged once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.billing import BillingClock
from schemas.entry import Entry
from schemas.envelope import SigningKey
from schemas.ids import ms_instant
from schemas.plan import Plan
from streams.arrival import Ask
from streams.clock import Clock
from streams.directory import Directory
from streams.embedded import EmbeddedBroker
from streams.ledger_reader import read_records
from streams.settings import Settings
from streams.shards import Shards
from streams.topics import create_or_verify
from tests.builders import a_deposit, a_terminal, open_agent
from tests.builders_fees import a_plan
from tests.network import until

pytestmark = pytest.mark.integration

_DAY_MS = 86_400_000


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    with EmbeddedBroker.start(tmp_path) as broker:
        settings = Settings(dir=tmp_path, kafka=broker.bootstrap, partitions=1, snapshot_every=0)
        create_or_verify(settings)
        yield settings


def a_directory(*plans: Plan) -> Directory:
    directory = Directory()
    for one in plans:
        directory.apply("plans", one.id, one.model_dump_json().encode())
    directory.apply("terminals", "kiosk-1", a_terminal().model_dump_json().encode())
    return directory


def fees(settings: Settings) -> list[Entry]:
    records = [Entry.decode(value) for chunk in read_records(settings, 0, 0) for _, value in chunk]
    return [entry for entry in records if entry.charge is not None]


@asynccontextmanager
async def clocks(settings: Settings, shards: Shards, directory: Directory, later_ms: int):
    """Two clocks over the same shards, both this much ahead of the machine's."""
    shift = settings.dir / f"shift-{later_ms}"
    shift.write_text(str(later_ms))
    running = [BillingClock(directory, shards, Clock(shift), settings.partitions) for _ in range(2)]
    for one in running:
        await one.start()
    try:
        yield
    finally:
        for one in running:
            await one.stop()


async def until_charged(settings: Settings, count: int) -> list[Entry]:
    await asyncio.to_thread(until, f"{count} fees are charged", lambda: len(fees(settings)) >= count)
    return fees(settings)


def a_worker(settings: Settings) -> Shards:
    return Shards(settings, SigningKey.generate("server:1"), lambda _: True, lambda _: None)


async def test_a_period_is_charged_once_whoever_fires_and_whoever_is_there(settings: Settings) -> None:
    at = Clock().now_ms()
    today = ms_instant(at).date()
    directory = a_directory(a_plan(period="day", starts=today), a_plan("other", "B"))
    shards = a_worker(settings)
    steps = (open_agent("A"), open_agent("S", "A"), a_deposit("S", 500_000))
    await shards.decide(0, [Ask(step, at) for step in steps])
    async with clocks(settings, shards, directory, 0):
        first = await until_charged(settings, 2)
    assert [(one.charge.agent, one.charge.period, one.charge.amount) for one in first if one.charge] == [
        ("A", str(today), 15_000),
        ("S", str(today), 18_000),
    ]
    # Two days later another worker has the tree: it goes on where the ledger stands, oldest first.
    successor = a_worker(settings)
    await successor.open(0)
    async with clocks(settings, successor, directory, 2 * _DAY_MS):
        charged = await until_charged(settings, 6)
    days = [str(datetime.combine(today, datetime.min.time(), UTC).date() + timedelta(days=n)) for n in range(3)]
    assert [(one.charge.agent, one.charge.period) for one in charged if one.charge] == [
        (agent, day) for day in days for agent in ("A", "S")
    ]
