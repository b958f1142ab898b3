"""Accept: verify a batch of messages, decide it, and only then count its offsets as done."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from schemas.entry import EntryKind
from streams.arrival import Arrival, Item
from streams.clock import Clock
from streams.directory import DirectoryReader
from streams.shards import NotOurs, Shards

# aiokafka's word for "the broker set this timestamp when it appended the record".
_APPEND_TIME = 1

Verify = Callable[[Arrival], Item]
Held = Callable[[int, list[str]], None]


class Accept:
    """Decides batches of Faust events; `held(partition, payment ids)` is told of new holds once they are committed."""

    def __init__(
        self, shards: Shards, directory: DirectoryReader, consumer: Callable[[], Any], held: Held, clock: Clock
    ) -> None:
        self._shards = shards
        self._directory = directory
        self._consumer = consumer
        self._held = held
        self._clock = clock

    async def batch(self, events: Sequence[Any], verify: Verify) -> None:
        """Decide one batch; events of partitions that are no longer ours are left to their new owner."""
        await self._directory.catch_up_soon()
        by_place: dict[Any, list[Any]] = defaultdict(list)
        for event in events:
            by_place[event.message.tp].append(event.message)
        await asyncio.gather(*(self._place(tp, messages, verify) for tp, messages in by_place.items()))

    async def _place(self, tp: Any, messages: list[Any], verify: Verify) -> None:
        items = [verify(self._arrival(message)) for message in messages]
        try:
            entries = await self._shards.decide(tp.partition, items)
        except NotOurs:
            return
        last = messages[-1]
        self._consumer().decided(tp, last.offset, last.generation_id)
        held = [entry.payment.id for entry in entries if entry.kind is EntryKind.HELD and entry.payment is not None]
        if held:
            self._held(tp.partition, held)

    def _arrival(self, message: Any) -> Arrival:
        at = round(message.timestamp * 1000) if message.timestamp_type == _APPEND_TIME else self._clock.now_ms()
        return Arrival(message.topic, message.partition, message.offset, message.key, message.value or b"", at)
