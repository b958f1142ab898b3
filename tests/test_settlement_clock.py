"""The settlement clock at work on real shards: two of them fire, workers come and go, and a window is closed once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from agents.settlement import SettlementClock
from schemas.entry import Entry
from schemas.schedule import Schedule
from streams.arrival import Ask
from streams.clock import Clock
from streams.directory import Directory
from streams.settings import Settings
from streams.shards import Shards
from tests.builders import a_deposit, a_place, a_schedule, a_settle, open_agent
from tests.clocks import a_directory_of, a_worker, ahead, at_work, on_ledger, one_partition
from tests.network import until

pytestmark = pytest.mark.integration

_DAY_MS = 86_400_000


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    with one_partition(tmp_path) as made:
        yield made


def a_directory(*schedules: Schedule) -> Directory:
    return a_directory_of("schedules", *schedules)


def closings(settings: Settings) -> list[Entry]:
    return [entry for entry in on_ledger(settings) if entry.window is not None]


def clocks(settings: Settings, shards: Shards, directory: Directory, later_ms: int):
    """Two of them over the same shards, both this much ahead of the machine's clock."""
    clock = ahead(settings, later_ms)
    return at_work(*(SettlementClock(directory, shards, clock, settings.partitions) for _ in range(2)))


async def until_closed(settings: Settings, count: int) -> list[Entry]:
    await asyncio.to_thread(until, f"{count} windows are closed", lambda: len(closings(settings)) >= count)
    return closings(settings)


async def test_a_window_is_closed_once_whoever_fires_and_whoever_is_there(settings: Settings) -> None:
    directory = a_directory(a_schedule(), a_schedule(payee="mobile"), a_schedule("B"))
    shards = a_worker(settings)
    at = Clock().now_ms()
    steps = (open_agent("A"), open_agent("S", "A"), a_deposit("S", 500_000), a_place(), a_settle())
    await shards.decide(0, [Ask(step, at) for step in steps])
    async with clocks(settings, shards, directory, 0):
        first = await until_closed(settings, 2)
    assert [(one.window.subject, one.window.number, one.cause.by) for one in first if one.window] == [
        ("mobile", 1, "timer"),
        ("", 1, "timer"),
    ]
    assert [(leg.account, leg.amount) for leg in first[0].legs] == [("payee:mobile", -93_100), ("bank", 93_100)]
    # A day later another worker has the tree: it goes on where the ledger stands.
    successor = a_worker(settings)
    await successor.open(0)
    async with clocks(settings, successor, directory, _DAY_MS):
        both = await until_closed(settings, 4)
    assert sorted((one.window.subject, one.window.number) for one in both if one.window) == [
        ("", 1), ("", 2), ("mobile", 1), ("mobile", 2),
    ]  # fmt: skip
    assert orjson.loads(both[2].encode())["window"]["opened_at"] == first[0].at
