"""Reservations that nobody pays for, on a real shard: they lapse once, whoever fires, and a sale goes first."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.voucher_clock import VoucherClock
from schemas.entry import Entry, EntryKind
from streams.arrival import Ask
from streams.clock import Clock
from streams.settings import Settings
from tests.builders import a_deposit, open_agent
from tests.builders_vouchers import RESERVE_MS, a_load, a_reservation, a_sale, vouchers_words
from tests.clocks import a_worker, ahead, at_work, on_ledger, one_partition
from tests.network import until

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    with one_partition(tmp_path) as made:
        yield made


def said(settings: Settings, *kinds: EntryKind) -> list[Entry]:
    return [entry for entry in on_ledger(settings) if entry.kind in kinds]


async def test_two_clocks_let_a_reservation_lapse_once_and_a_later_worker_finds_it_so(settings: Settings) -> None:
    at, later = Clock().now_ms(), ahead(settings, RESERVE_MS + 1)
    shards = a_worker(settings)
    steps = (open_agent("A"), open_agent("S", "A"), a_deposit("S", 500_000), a_load("n1", "n2", "n3"))
    await shards.decide(0, [Ask(step, at) for step in (*steps, a_reservation(1), a_reservation(2))])
    paid = await shards.decide(0, [Ask(a_sale(1), at)])
    await shards.decide(0, [Ask(word, at) for word in vouchers_words(paid)])
    assert await VoucherClock(shards, Clock()).look(0) == 0, "neither is over"
    async with at_work(VoucherClock(shards, later), VoucherClock(shards, later)):
        await asyncio.to_thread(until, "one has lapsed", lambda: bool(said(settings, EntryKind.VOUCHER_LAPSED)))
    successor = a_worker(settings)
    await successor.open(0)
    assert await VoucherClock(successor, later).look(0) == 0
    sold, lapsed = said(settings, EntryKind.VOUCHER_SOLD, EntryKind.VOUCHER_LAPSED)
    assert sold.voucher is not None
    assert lapsed.voucher is not None
    assert (sold.voucher.payment, sold.voucher.serial) == ("kiosk-1.1", "n1")
    assert lapsed.voucher.lapsed == ("kiosk-1.2",)
