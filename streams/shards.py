"""The shards of this worker: opened when their partition is assigned, decided one batch at a time, never given up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from schemas.entry import Entry
from schemas.envelope import SigningKey
from streams import metrics
from streams.arrival import Item
from streams.ledger.state import State
from streams.outbox import quarantined
from streams.settings import Settings
from streams.shard import Shard, TransactionFailed
from streams.workplace import Workplace

log = structlog.get_logger()

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 5.0


class NotOurs(Exception):
    """The partition belongs to another worker now, which will read and decide what we have not."""


class Shards:
    """`owns(partition)` says whether it is assigned to us; `opened(state)` is told of every rebuilt fold.

    `shard` makes the writer of a partition; a test gives one that it can stop at each step.
    """

    def __init__(
        self,
        settings: Settings,
        server_key: SigningKey,
        owns: Callable[[int], bool],
        opened: Callable[[State], None],
        shard: Callable[[Settings, int, SigningKey, Workplace | None], Shard] = Shard,
    ) -> None:
        self._settings = settings
        self._server_key = server_key
        self._owns = owns
        self._opened = opened
        self._shard = shard
        self._shards: dict[int, Shard] = {}
        self._locks: dict[int, asyncio.Lock] = {}
        self._work = Workplace(settings.snapshots / "work") if settings.snapshot_every else None
        self._threads = ThreadPoolExecutor(settings.partitions, thread_name_prefix="shard")

    def state(self, partition: int) -> State | None:
        """The fold of a partition that is open here."""
        shard = self._shards.get(partition)
        return shard.state if shard else None

    def partitions(self) -> list[int]:
        """The partitions open here. May be asked from any thread."""
        return [partition for partition, shard in list(self._shards.items()) if shard.state is not None]

    async def assign(self, partitions: set[int]) -> None:
        """Make these the partitions we hold: close the others, open the new ones before any batch is decided."""
        for gone in self._shards.keys() - partitions:
            await self._close(gone)
        await asyncio.gather(*(self.decide(partition, ()) for partition in partitions))

    async def decide(self, partition: int, items: Sequence[Item]) -> list[Entry]:
        """Decide a batch, however often it takes; returns its new entries once they are committed.

        Nothing may leave here undecided while the partition is ours, because its offsets count as done afterwards.
        Raises NotOurs when it is not, and whatever stops the worker (LedgerCorrupt).
        """
        async with self._locks.setdefault(partition, asyncio.Lock()):
            wait_s = _FIRST_WAIT_S
            while True:
                # A zombie must look before it opens again, or it would fence the partition's new owner.
                if not self._owns(partition):
                    self._give_up(partition)
                    raise NotOurs(f"partition {partition}")
                try:
                    return await self._decide_once(partition, items)
                except TransactionFailed as error:
                    metrics.TRANSACTIONS_FAILED.inc()
                    log.warning("transaction_failed", partition=partition, error=str(error), wait_s=wait_s)
                    await asyncio.sleep(wait_s)
                    wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    async def due(self, at: int) -> list[tuple[int, str]]:
        """(partition, payment id) of every retry due by `at` (ms UTC), each told once."""
        found: list[tuple[int, str]] = []
        for partition in self.partitions():
            async with self._locks[partition]:
                state = self.state(partition)
                found += [(partition, payment.id) for payment in (state.due_before(at) if state else ())]
        return found

    async def _decide_once(self, partition: int, items: Sequence[Item]) -> list[Entry]:
        loop = asyncio.get_running_loop()
        shard = self._shards.get(partition)
        if shard is None:
            shard = self._shards[partition] = self._shard(self._settings, partition, self._server_key, self._work)
        try:
            if shard.state is None:
                with metrics.OPEN_SECONDS.time():
                    state = await loop.run_in_executor(self._threads, shard.open)
                self._opened(state)
            if not items:
                return []
            began = time.perf_counter()
            entries, records = shard.decide(items)
            decided = time.perf_counter()
            await loop.run_in_executor(self._threads, shard.commit, records)
        except BaseException:
            # Its fold may be ahead of the ledger, and when we were cancelled a thread is still at work on it or never
            # began. It is left alone: whoever opens the partition next shuts its writer out.
            self._shards.pop(partition, None)
            raise
        metrics.batch(len(items), decided - began, time.perf_counter() - decided)
        metrics.committed((entry.kind for entry in entries), quarantined(records))
        return entries

    async def _close(self, partition: int) -> None:
        async with self._locks.setdefault(partition, asyncio.Lock()):
            self._give_up(partition)

    def _give_up(self, partition: int) -> None:
        shard = self._shards.pop(partition, None)
        if shard is not None:
            shard.drop()
            log.info("shard_closed", partition=partition)
