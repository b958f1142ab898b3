"""The billing clock at work on real shards: two of them fire, workers come and go, and a period is charged once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.billing import BillingClock
from schemas.entry import Entry
from schemas.ids import ms_instant
from schemas.plan import Plan
from streams.arrival import Ask
from streams.clock import Clock
from streams.directory import Directory
from streams.settings import Settings
from streams.shards import Shards
from tests.builders import a_deposit, a_terminal, open_agent
from tests.builders_fees import a_plan
from tests.clocks import a_directory_of, a_worker, ahead, at_work, on_ledger, one_partition
from tests.network import until

pytestmark = pytest.mark.integration

_DAY_MS = 86_400_000


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    with one_partition(tmp_path) as made:
        yield made


def a_directory(*plans: Plan) -> Directory:
    directory = a_directory_of("plans", *plans)
    directory.apply("terminals", "kiosk-1", a_terminal().model_dump_json().encode())
    return directory


def fees(settings: Settings) -> list[Entry]:
    return [entry for entry in on_ledger(settings) if entry.charge is not None]


def clocks(settings: Settings, shards: Shards, directory: Directory, later_ms: int):
    """Two of them over the same shards, both this much ahead of the machine's clock."""
    clock = ahead(settings, later_ms)
    return at_work(*(BillingClock(directory, shards, clock, settings.partitions) for _ in range(2)))


async def until_charged(settings: Settings, count: int) -> list[Entry]:
    await asyncio.to_thread(until, f"{count} fees are charged", lambda: len(fees(settings)) >= count)
    return fees(settings)


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
