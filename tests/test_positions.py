"""An offset is committed when its message is on the ledger, and by nothing else: Faust's own word moves none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agents.accept import Accept
from agents.verify import Verifier
from console.audit_reading import committed
from streams.app import create_app, raw_topic
from streams.clients import producer
from streams.clock import Clock
from streams.directory import Directory, DirectoryReader
from streams.embedded import EmbeddedBroker
from streams.settings import Settings
from streams.topics import PAYMENTS, REJECTS, create_or_verify
from tests.broker_clients import read
from tests.ledger_owners import Owner
from tests.network import until

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    with EmbeddedBroker.start(tmp_path) as broker:
        settings = Settings(dir=tmp_path, kafka=broker.bootstrap, partitions=1, embedded=True, snapshot_every=0)
        create_or_verify(settings)
        yield settings


@asynccontextmanager
async def accepting(settings: Settings, owner: Owner) -> AsyncIterator[Any]:
    """A running Faust app whose only agent accepts payments on the owner's shards, as a worker's does."""
    directory = DirectoryReader(settings, Directory())
    directory.start()
    await owner.opens()
    app = create_app(settings, lambda partition: owner.shards.state(partition) is not None)
    clock = Clock(settings.clock_shift)
    accept = Accept(settings, owner.shards, directory, lambda: app.consumer, lambda *_: None, app.add_future, clock)
    verifier = Verifier(settings, directory.directory)

    @app.agent(raw_topic(app, PAYMENTS))
    async def payments(stream: Any) -> None:
        async for events in stream.take_events(settings.batch_max, 0.01):
            await accept.batch(events, verifier.payment)

    app.finalize()
    await app.start()
    try:
        yield app
    finally:
        await app.stop()
        directory.stop()


def arrives(settings: Settings) -> None:
    """A message that is quarantined: a batch and a transaction like any other."""
    terminal = producer(settings, enable_idempotence=False)
    terminal.produce(PAYMENTS.name, b"no JWS")
    assert terminal.flush(30) == 0


async def position(app: Any, settings: Settings) -> int:
    """How far the group has passed the topic, once Faust has committed all that it believes done."""
    await app.consumer.commit()
    return committed(settings, PAYMENTS)[0]


async def test_an_offset_is_committed_after_its_batch_is_and_not_before(settings: Settings) -> None:
    owner = Owner(settings, 0)
    async with accepting(settings, owner) as app:
        written = owner.stops_at("WRITTEN")
        arrives(settings)
        await written.reached()
        assert await position(app, settings) == 0
        assert read(settings.kafka, REJECTS.name, past_open=False) == []
        written.goes_on()
        await passed_on(app)
        assert await position(app, settings) == 1
        assert len(read(settings.kafka, REJECTS.name)) == 1


async def test_a_batch_left_to_the_partition_s_new_owner_moves_no_offset(settings: Settings) -> None:
    """Faust acknowledges it all the same: the agent's body is through with it."""
    owner = Owner(settings, 0)
    async with accepting(settings, owner) as app:
        held_up = owner.stops_at("DECIDED")
        arrives(settings)
        await held_up.reached()
        await Owner(settings, 0).opens()
        owner.is_assigned = False
        held_up.goes_on()
        await passed_on(app)
        assert await position(app, settings) == 0
        assert read(settings.kafka, REJECTS.name) == []


async def test_a_word_from_an_earlier_assignment_moves_no_offset(settings: Settings) -> None:
    async with accepting(settings, Owner(settings, 0)) as app:
        await asyncio.to_thread(until, "it is assigned", app.consumer.assignment)
        (place,) = app.consumer.assignment()
        app.consumer.decided(place, 7, app.consumer_generation_id - 1)
        assert await position(app, settings) == 0
        app.consumer.decided(place, 7, app.consumer_generation_id)
        assert await position(app, settings) == 8


async def passed_on(app: Any) -> None:
    """Wait until the agent is through with the batch and Faust has acknowledged it."""
    consumer = app.consumer
    await asyncio.to_thread(until, "acknowledged", lambda: consumer._read_offset and not consumer._unacked_messages)
