"""What a rebalance means for a worker: which partitions are its own, which shards it keeps open, which it opens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

from streams.settings import Settings
from streams.shards import NotOurs, Shards
from streams.topics import PAYMENTS

log = structlog.get_logger()


class Assignment:
    """The partitions Kafka's group gave us. `shards` is set before the app starts (the two know each other)."""

    shards: Shards

    def __init__(self, settings: Settings, held: set[int]) -> None:
        """held: the numbers of the partitions that are ours now, kept up to date here for whoever shows them."""
        self._ready = ready_file(settings)
        self._held = held
        self._tenures: set[int] = set()  # as of the last assignment, also while the group rebalances
        self._generation = 0

    def owns(self, partition: int) -> bool:
        """Is it assigned to us? Nothing is while the group rebalances."""
        return partition in self._held

    def revoked(self) -> None:
        """A rebalance begins. Shards stay open: most partitions come back, and until then nobody else has them."""
        self._held.clear()
        self._ready.unlink(missing_ok=True)

    def assigned(
        self, places: Iterable[Any], generation: int, spawn: Callable[[Coroutine[Any, Any, None]], object]
    ) -> None:
        """These are ours in this generation of the group. Their shards are opened by a task given to `spawn`.

        Not here: aiokafka sends no heartbeat before its callback returns, and a worker with a long ledger to fold would
        be expelled for it, which would start the next rebalance.
        """
        self._held.clear()
        self._held.update(_numbers(places))
        # Between two generations in a row a partition we keep had no other owner. When one was missed it may have had.
        kept = self._tenures & self._held if generation == self._generation + 1 else set[int]()
        self.shards.close(self._tenures - kept)
        self._tenures, self._generation = set(self._held), generation
        log.info("assigned", partitions=sorted(self._held), generation=generation, kept=len(kept))
        spawn(self._open_all(generation, frozenset(self._held)))

    async def _open_all(self, generation: int, partitions: frozenset[int]) -> None:
        await asyncio.gather(self.shards.clear(), *map(self._open_one, partitions))
        if generation == self._generation and partitions == self._held:
            _write_whole(self._ready, " ".join(map(str, sorted(partitions))) + "\n")
            log.info("ready", partitions=len(partitions), generation=generation)

    async def _open_one(self, partition: int) -> None:
        with suppress(NotOurs):  # the next rebalance has begun, and opens what is ours then
            await self.shards.open(partition)


def ready_file(settings: Settings) -> Path:
    """There while this worker has its partitions open and decides; names them."""
    return settings.dir / "run" / f"{settings.worker_id}.ready"


def _numbers(places: Iterable[Any]) -> set[int]:
    return {place.partition for place in places if place.topic == PAYMENTS.name}


def _write_whole(path: Path, text: str) -> None:
    """Whoever reads it sees all of it or what was there before."""
    unfinished = path.with_suffix(path.suffix + ".new")
    unfinished.write_text(text)
    unfinished.replace(path)
