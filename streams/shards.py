"""The shards of this worker: opened when their partition is assigned, decided one batch at a time, never given up.

A *tenure* is the time from taking a partition over to giving it up. What was begun in one (a payee's answer on its way)
must not be decided in a later one as if nobody had been there in between.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from schemas.entry import Entry
from schemas.envelope import SigningKey
from streams import metrics
from streams.arrival import Item
from streams.ledger.state import State
from streams.outbox import quarantined
from streams.pin_sealing import PinSealer
from streams.settings import Settings
from streams.shard import Alerts, Shard, TransactionFailed, no_alerts
from streams.watch import Watch
from streams.workplace import Workplace

log = structlog.get_logger()

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 5.0


class NotOurs(Exception):
    """The partition belongs to another worker now, which will read and decide what we have not."""


class Shards:
    """`owns(partition)` says whether it is assigned to us; `opened(state)` is told of every rebuilt fold,
    `closed(partition)` of the end of every tenure. `shard` makes a partition's writer; a test gives one to be stopped
    at each step. `watch` makes what people should hear of a partition. `sealer` tells terminals the PINs they sold.
    """

    def __init__(
        self,
        settings: Settings,
        server_key: SigningKey,
        owns: Callable[[int], bool],
        opened: Callable[[State], None],
        closed: Callable[[int], None] = lambda _: None,
        shard: Callable[[Settings, int, SigningKey, Workplace | None], Shard] = Shard,
        watch: Callable[[int], Watch | None] = lambda _: None,
        sealer: PinSealer | None = None,
    ) -> None:
        self._settings = settings
        self._server_key = server_key
        self._owns = owns
        self._opened = opened
        self._closed = closed
        self._shard = shard
        self._watch = watch
        self._sealer = sealer
        self._shards: dict[int, Shard] = {}
        self._given_up: list[Shard] = []
        self._tenures: Counter[int] = Counter()
        self._locks: dict[int, asyncio.Lock] = {}
        self._work = Workplace(settings.snapshots / "work") if settings.snapshot_every else None
        self._threads = ThreadPoolExecutor(settings.partitions, thread_name_prefix="shard")

    def state(self, partition: int) -> State | None:
        """The fold of a partition that is open here."""
        shard = self._shards.get(partition)
        return shard.state if shard else None

    async def committed(self, partition: int) -> State | None:
        """The same once nothing in it is on its way to the ledger; it stays so until the caller waits for something.

        For whoever does what cannot be undone because of it.
        """
        async with self._lock(partition):
            return self.state(partition)

    def partitions(self) -> list[int]:
        """The partitions open here. May be asked from any thread."""
        return [partition for partition, shard in list(self._shards.items()) if shard.state is not None]

    def tenure(self, partition: int) -> int:
        """The number of our present tenure of the partition."""
        return self._tenures[partition]

    def close(self, partitions: Iterable[int]) -> None:
        """End our tenure of these. A batch in flight may still be committed, unless the next owner has fenced us."""
        for partition in partitions:
            self._tenures[partition] += 1
            shard = self._shards.pop(partition, None)
            if shard is not None:
                self._given_up.append(shard)
            self._closed(partition)
            log.info("shard_closed", partition=partition)

    async def clear(self) -> None:
        """Drop what was closed, each as soon as no batch of it is in flight any more."""
        while self._given_up:
            shard = self._given_up.pop()
            async with self._lock(shard.partition):
                await asyncio.get_running_loop().run_in_executor(self._threads, shard.drop)

    async def open(self, partition: int) -> None:
        """Open the shard unless it is open, however often that takes. Raises as `decide`."""
        await self.decide(partition, ())

    async def decide(
        self, partition: int, items: Sequence[Item], *, alerts: Alerts = no_alerts, tenure: int | None = None
    ) -> list[Entry]:
        """Decide a batch, however often it takes; returns its new entries once they are committed.

        `alerts` is asked each time what people should hear of it, and that is committed with it.

        Nothing may leave here undecided while the partition is ours, because its offsets count as done afterwards.
        Raises NotOurs when it is not, or when the tenure named has ended; LedgerCorrupt, which stops the worker.
        """
        self._require(partition, tenure)  # before the lock too, which is held for as long as an opening takes
        async with self._lock(partition):
            wait_s = _FIRST_WAIT_S
            while True:
                self._require(partition, tenure)
                try:
                    return await self._decide_once(partition, items, alerts)
                except TransactionFailed as error:
                    metrics.TRANSACTIONS_FAILED.inc()
                    log.warning("transaction_failed", partition=partition, error=str(error), wait_s=wait_s)
                    await asyncio.sleep(wait_s)
                    wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    async def due(self, at: int) -> list[tuple[int, str]]:
        """(partition, payment id) of every retry due by `at` (ms UTC), each told once."""
        found: list[tuple[int, str]] = []
        for partition in self.partitions():
            async with self._lock(partition):
                state = self.state(partition)
                found += [(partition, payment.id) for payment in (state.due_before(at) if state else ())]
        return found

    def _lock(self, partition: int) -> asyncio.Lock:
        return self._locks.setdefault(partition, asyncio.Lock())

    def _require(self, partition: int, tenure: int | None) -> None:
        """Raise NotOurs unless we may decide on the partition, in that tenure.

        An open shard may always try: Kafka refuses what a fenced writer commits. So a rebalance, which takes everything
        away for a moment, costs no answer that comes meanwhile. But a zombie must look before it opens again, or it
        would fence the partition's new owner.
        """
        if tenure not in (None, self._tenures[partition]):
            raise NotOurs(f"partition {partition} was given up since")
        if self.state(partition) is None and not self._owns(partition):
            raise NotOurs(f"partition {partition}")

    async def _decide_once(self, partition: int, items: Sequence[Item], alerts: Alerts) -> list[Entry]:
        loop = asyncio.get_running_loop()
        shard = self._shards.get(partition)
        if shard is None:
            shard = self._shards[partition] = self._shard(self._settings, partition, self._server_key, self._work)
            shard.watch = self._watch(partition)
            shard.sealer = self._sealer
        try:
            if shard.state is None:
                with metrics.OPEN_SECONDS.time():
                    state = await loop.run_in_executor(self._threads, shard.open)
                if self._shards.get(partition) is not shard:
                    raise TransactionFailed(f"partition {partition} was given up while it was opened")
                self._opened(state)
            if not items and alerts is no_alerts:
                return []
            began = time.perf_counter()
            entries, records = shard.decide(items, alerts)
            decided = time.perf_counter()
            await loop.run_in_executor(self._threads, shard.commit, records)
        except BaseException:
            # Its fold may be ahead of the ledger, and when we were cancelled a thread is still at work on it or never
            # began. It is left alone: whoever opens the partition next shuts its writer out.
            self._shards.pop(partition, None)
            raise
        if records:  # a look that saw nothing is no batch
            metrics.batch(len(items), decided - began, time.perf_counter() - decided)
        metrics.committed((entry.kind for entry in entries), quarantined(records))
        return entries
