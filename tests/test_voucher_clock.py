"""Reservations that nobody pays for, on a real shard: they lapse once, whoever fires, and a sale goes first."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.voucher_clock import VoucherClock
from schemas.entry import Entry, EntryKind
from schemas.envelope import SigningKey
from streams.arrival import Ask
from streams.clock import Clock
from streams.embedded import EmbeddedBroker
from streams.ledger_reader import read_records
from streams.settings import Settings
from streams.shards import Shards
from streams.topics import create_or_verify
from tests.builders import a_deposit, open_agent
from tests.builders_vouchers import RESERVE_MS, a_load, a_reservation, a_sale, vouchers_words
from tests.network import until

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    with EmbeddedBroker.start(tmp_path) as broker:
        settings = Settings(dir=tmp_path, kafka=broker.bootstrap, partitions=1, snapshot_every=0)
        create_or_verify(settings)
        yield settings


def shards_of(settings: Settings) -> Shards:
    return Shards(settings, SigningKey.generate("server:1"), lambda _: True, lambda _: None)


def said(settings: Settings, *kinds: EntryKind) -> list[Entry]:
    records = [Entry.decode(value) for chunk in read_records(settings, 0, 0) for _, value in chunk]
    return [entry for entry in records if entry.kind in kinds]


async def test_two_clocks_let_a_reservation_lapse_once_and_a_later_worker_finds_it_so(settings: Settings) -> None:
    at, shift = Clock().now_ms(), settings.dir / "shift"
    shift.write_text(str(RESERVE_MS + 1))
    shards = shards_of(settings)
    steps = (open_agent("A"), open_agent("S", "A"), a_deposit("S", 500_000), a_load("n1", "n2", "n3"))
    await shards.decide(0, [Ask(step, at) for step in (*steps, a_reservation(1), a_reservation(2))])
    paid = await shards.decide(0, [Ask(a_sale(1), at)])
    await shards.decide(0, [Ask(word, at) for word in vouchers_words(paid)])
    assert await VoucherClock(shards, Clock()).look(0) == 0, "neither is over"
    running = [VoucherClock(shards, Clock(shift)) for _ in range(2)]
    for one in running:
        await one.start()
    await asyncio.to_thread(until, "one has lapsed", lambda: bool(said(settings, EntryKind.VOUCHER_LAPSED)))
    for one in running:
        await one.stop()
    successor = shards_of(settings)
    await successor.open(0)
    assert await VoucherClock(successor, Clock(shift)).look(0) == 0
    sold, lapsed = said(settings, EntryKind.VOUCHER_SOLD, EntryKind.VOUCHER_LAPSED)
    assert sold.voucher is not None
    assert lapsed.voucher is not None
    assert (sold.voucher.payment, sold.voucher.serial) == ("kiosk-1.1", "n1")
    assert lapsed.voucher.lapsed == ("kiosk-1.2",)
