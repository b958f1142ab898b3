"""Two owners of one ledger partition, stopped at every step at which one could write over the other.

In each window it is said who loses and what is on the ledger afterwards: one chain, every payment decided once.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import Producer

from schemas.envelope import SigningKey
from streams.apache_kafka import ApacheKafka
from streams.embedded import EmbeddedBroker
from streams.ends import Ends
from streams.settings import Settings
from streams.shard import Shard, TransactionFailed
from streams.shards import NotOurs
from streams.topics import LEDGER, REPLIES, create_or_verify
from tests.broker_clients import read
from tests.ledger_owners import Ground, Owner, a_reader_met_with_silence, asked, held
from tests.network import until

BROKERS = [
    pytest.param(EmbeddedBroker.start, marks=pytest.mark.integration, id="embedded"),
    pytest.param(ApacheKafka.start, marks=pytest.mark.kafka, id="apache"),
]


@pytest.fixture(scope="module", params=BROKERS)
def ground(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    directory = tmp_path_factory.mktemp("ground")
    with request.param(directory / "kafka") as broker:
        settings = Settings(
            dir=directory,
            kafka=broker.bootstrap,
            partitions=32,
            embedded=isinstance(broker, EmbeddedBroker),
            snapshot_every=4,  # so that no snapshot holds what only an owner that lost believed
        )
        create_or_verify(settings)
        made = Ground(settings, broker)
        yield made
        made.close()


async def test_assigned_and_not_yet_fenced_the_old_owner_s_batch_counts(ground: Ground) -> None:
    old = await ground.owner()
    new = ground.other(old)
    stop = old.stops_at("WRITTEN")
    batch = asyncio.create_task(old.decides(1))
    await stop.reached()
    ground.move(old, new)
    stop.goes_on()
    assert await batch == held(1)
    assert await new.decides(1, 2) == held(2), "redelivered, as the old owner's offsets never moved"
    with pytest.raises(NotOurs):
        await old.decides(3)
    assert ground.on_ledger(old) == held(1, 2)


async def test_a_successor_half_open_misses_nothing_that_was_written_meanwhile(ground: Ground) -> None:
    """Whichever half comes first. The fence must: then the batch fails. Read first, it would be written and missed."""
    old = await ground.owner()
    new = ground.other(old)
    held_up, half_open = old.stops_at("DECIDED"), new.stops_at("FENCED", "FOLDED")
    batch = asyncio.create_task(old.decides(1))
    await held_up.reached()
    ground.move(old, new)
    opening = asyncio.create_task(new.opens())
    await half_open.reached()
    held_up.goes_on()
    with pytest.raises(NotOurs):
        await batch
    half_open.goes_on()
    await opening
    assert await new.decides(1, 2) == held(1, 2)
    assert ground.on_ledger(old) == held(1, 2)


async def test_a_successor_that_is_open_and_has_decided_nothing_has_shut_the_old_owner_out(ground: Ground) -> None:
    old = await ground.owner()
    new = ground.other(old)
    held_up = old.stops_at("DECIDED")
    batch = asyncio.create_task(old.decides(1, 2))
    await held_up.reached()
    ground.move(old, new)
    await new.opens()
    held_up.goes_on()
    with pytest.raises(NotOurs):
        await batch
    assert ground.on_ledger(old) == []
    assert await new.decides(2) == held(2)
    assert ground.on_ledger(old) == held(2)


async def test_what_was_written_and_not_committed_is_decided_by_the_successor(ground: Ground) -> None:
    old = await ground.owner()
    new = ground.other(old)
    written = old.stops_at("WRITTEN")
    batch = asyncio.create_task(old.decides(1))
    await written.reached()
    ground.move(old, new)
    assert await new.decides(1) == held(1), "the fold must not have seen the old owner's"
    written.goes_on()
    with pytest.raises(NotOurs):
        await batch
    assert ground.on_ledger(old) == held(1)


async def test_what_was_committed_and_not_acknowledged_is_decided_by_nobody_again(ground: Ground) -> None:
    old = await ground.owner()
    new = ground.other(old)
    answered = replies(ground)
    committed = old.stops_at("COMMITTED")
    batch = asyncio.create_task(old.decides(1))
    await committed.reached()
    ground.move(old, new)
    assert await new.decides(1) == []
    assert new.opened == [["kiosk-1.1"]], "the payee is asked by the new owner"
    assert replies(ground) == answered + 2, "the stored outcome is told again"
    committed.goes_on()
    assert await batch == held(1)
    assert ground.on_ledger(old) == held(1)


async def test_a_commit_whose_answer_is_lost_is_learnt_from_the_ledger(ground: Ground) -> None:
    owner = await ground.owner()
    owner.loses_the_answer()
    assert await owner.decides(1) == []
    assert owner.opened == [[], ["kiosk-1.1"]], "so that the payee is asked, though the batch had no news"
    assert await owner.decides(2) == held(2)
    assert ground.on_ledger(owner) == held(1, 2)


async def test_commits_given_up_at_any_moment_are_there_wholly_or_not_at_all(ground: Ground) -> None:
    seed = int(os.environ.get("TEST_SEED", "0")) or Random().randrange(1, 10**6)
    print(f"seed {seed}: TEST_SEED={seed} repeats it")
    rng = Random(seed)
    owner = await ground.owner()
    for first in range(1, 13, 2):
        patience = iter([rng.uniform(0.0005, 0.01)])
        owner.commit_time_out_s = lambda patience=patience: next(patience, 30)  # type: ignore[misc]
        assert await owner.decides(first, first + 1) in ([], held(first, first + 1))
    assert ground.on_ledger(owner) == held(*range(1, 13)), f"seed {seed}"


@pytest.mark.parametrize("ground", BROKERS[1:], indirect=True)  # the embedded broker forgets no transaction
async def test_a_transaction_that_timed_out_while_its_owner_was_frozen_is_decided_again(ground: Ground) -> None:
    owner = await ground.owner(transaction_time_out_ms=5_000)
    place, ends = (LEDGER.name, owner.partition), Ends(ground.settings)
    before = ends.now([place])[place]
    frozen = owner.stops_at("WRITTEN")
    batch = asyncio.create_task(owner.decides(1))
    await frozen.reached()
    await asyncio.to_thread(until, "the broker aborts it", lambda: ends.now([place])[place] > before)
    assert ground.on_ledger(owner) == []
    frozen.goes_on()
    assert await batch == held(1)
    assert ground.on_ledger(owner) == held(1)


async def test_a_zombie_looks_before_it_opens_again_and_disturbs_nobody(ground: Ground) -> None:
    zombie = await ground.owner()
    new = ground.other(zombie)
    frozen = zombie.stops_at("DECIDED")
    batch = asyncio.create_task(zombie.decides(1))
    await frozen.reached()
    ground.move(zombie, new)
    assert await new.decides(1, 2) == held(1, 2)
    frozen.goes_on()
    with pytest.raises(NotOurs):
        await batch
    assert zombie.shards.partitions() == []
    assert await new.decides(3) == held(3)
    assert len(new.opened) == 1, "nobody fenced the new owner"
    assert ground.on_ledger(zombie) == held(1, 2, 3)


async def test_two_that_believe_they_own_it_fence_each_other_in_turns_and_write_nothing_twice(ground: Ground) -> None:
    one = await ground.owner()
    two = ground.other(one, is_assigned=True)
    assert await one.decides(1) == held(1)
    assert await two.decides(1, 2) == held(2)
    assert await one.decides(2, 3) == held(3), "fenced, it opened again, read what the other had written, and went on"
    assert await two.decides(3, 4) == held(4)
    assert (len(one.opened), len(two.opened)) == (2, 2)
    frozen = one.stops_at("DECIDED")
    batch = asyncio.create_task(one.decides(5))
    await frozen.reached()
    assert await two.decides(5) == held(5)
    ground.move(one, two)
    frozen.goes_on()
    with pytest.raises(NotOurs):
        await batch
    openings = len(two.opened)
    assert await two.decides(6) == held(6)
    assert len(two.opened) == openings, "the turns have ended with the assignment"
    assert ground.on_ledger(one) == held(*range(1, 7))


async def test_two_at_once_come_to_an_end_when_the_assignment_moves(ground: Ground) -> None:
    one = await ground.owner()
    two = ground.other(one, is_assigned=True)
    payments = list(range(1, 13))
    told: list[str] = []

    async def all_by(owner: Owner) -> None:
        for payment in payments:
            told.extend(await owner.decides(payment))

    first = asyncio.create_task(all_by(one))
    second = asyncio.create_task(all_by(two))

    def some() -> bool:
        return len(told) >= 4 or first.done() or second.done()

    await asyncio.to_thread(until, "some are decided", some)
    ground.move(one, two)
    done = await asyncio.wait_for(asyncio.gather(first, second, return_exceptions=True), 60)
    assert done[0] is None or isinstance(done[0], NotOurs), done
    assert done[1] is None
    ledger = ground.on_ledger(one)
    assert sorted(ledger) == sorted(held(*payments))
    assert sorted(told) == sorted(ledger), "each entry was told by the one who wrote it"


async def test_given_away_and_back_while_it_slept_the_owner_reads_what_it_missed(ground: Ground) -> None:
    sleeper = await ground.owner()
    other = ground.other(sleeper, is_assigned=True)
    assert await other.decides(1) == held(1)
    other.is_assigned = False
    assert await sleeper.decides(1, 2) == held(2), "its fold of before must not have decided"
    assert ground.on_ledger(sleeper) == held(1, 2)


async def test_a_successor_that_dies_half_open_is_shut_out_like_any_other(ground: Ground) -> None:
    old = await ground.owner()
    dying, new = ground.other(old, is_assigned=True), ground.other(old)
    half_open = dying.stops_at("FENCED", "FOLDED")
    opening = asyncio.create_task(dying.decides(1))
    await half_open.reached()
    ground.move(dying, new)
    assert await new.decides(1, 2) == held(1, 2)
    half_open.goes_on()
    with pytest.raises(NotOurs):
        await opening
    assert ground.on_ledger(old) == held(1, 2)


async def test_a_batch_cancelled_while_it_commits_leaves_no_fold_that_ran_ahead(ground: Ground) -> None:
    """A worker that stops cancels its agents, and answers of payees may still be decided on the same shard."""
    owner = await ground.owner()
    written = owner.stops_at("WRITTEN")
    batch = asyncio.create_task(owner.decides(1))
    await written.reached()
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert owner.shards.state(owner.partition) is None
    assert await owner.decides(2) == held(2)
    written.goes_on()
    assert await owner.decides(1, 3) == held(1, 3)
    assert ground.on_ledger(owner) == held(2, 1, 3)


async def test_a_shard_whose_commit_failed_has_no_fold_and_no_writer(ground: Ground) -> None:
    old = await ground.owner()
    shards = [Shard(ground.settings, old.partition, SigningKey.generate("server:1")) for _ in range(2)]
    for shard in shards:
        await asyncio.to_thread(shard.open)
    _, records = shards[0].decide([asked(1)])
    with pytest.raises(TransactionFailed):
        await asyncio.to_thread(shards[0].commit, records)
    assert shards[0].state is None
    with pytest.raises(TransactionFailed):
        shards[0].decide([asked(2)])
    with pytest.raises(TransactionFailed):
        shards[0].commit(records)
    assert ground.on_ledger(old) == []


async def test_a_shard_that_is_not_told_where_its_entries_are_reads_them_again(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new leader that is sent again what it has says yes, and not where."""

    class WithoutPlaces(Producer):
        def produce(self, *given: Any, on_delivery: Any = None, **named: Any) -> None:
            nowhere = SimpleNamespace(offset=lambda: None)
            told = on_delivery and (lambda error, _: on_delivery(error, nowhere))
            super().produce(*given, on_delivery=told, **named)

    old = await ground.owner()
    shard = Shard(ground.settings, old.partition, SigningKey.generate("server:1"))
    with monkeypatch.context() as patched:
        patched.setattr("streams.clients.Producer", WithoutPlaces)
        await asyncio.to_thread(shard.open)
    _, records = shard.decide([asked(1)])
    with pytest.raises(TransactionFailed, match="0 of 1 entries were confirmed"):
        await asyncio.to_thread(shard.commit, records)
    assert shard.state is None
    await asyncio.to_thread(shard.open)
    _, again = shard.decide([asked(1)])
    assert [record for record in again if record.topic == LEDGER.name] == []
    assert ground.on_ledger(old) == held(1)


async def test_a_broker_that_is_silent_for_a_while_is_not_the_end_of_the_ledger(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await ground.owner()
    assert await old.decides(1) == held(1)
    new = ground.other(old, is_assigned=True)
    with monkeypatch.context() as patched:
        patched.setattr("streams.clients.Consumer", a_reader_met_with_silence(ground))
        await new.opens()
    assert await new.decides(1, 2) == held(2)
    assert ground.on_ledger(old) == held(1, 2)


def replies(ground: Ground) -> int:
    return len(read(ground.settings.kafka, REPLIES.name))
