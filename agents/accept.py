"""Accept: verify a batch of messages, decide it, and only then count its offsets as done.

A partition with too much to reject is read slowly: what it has sent already waits in a lane of its own, the rest in
Kafka, and the other partitions go on.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from agents.reject_watch import RejectWatch
from agents.token_bucket import TokenBucket
from schemas.entry import holds
from streams.arrival import Arrival, Check, Item, Quarantine
from streams.clock import Clock
from streams.directory import DirectoryReader
from streams.last_resort import nothing_skipped
from streams.settings import Settings
from streams.shards import NotOurs, Shards

# aiokafka's word for "the broker set this timestamp when it appended the record".
_APPEND_TIME = 1

# Everybody else gets a turn after this many messages: answers of payees wait in the same loop.
_TURN = 50
# How often a slow lane moves, and looks whether its storm is over.
_STEP_S = 0.1

Verify = Callable[[Arrival], Item]
Held = Callable[[int, list[str]], None]
Asked = Callable[[Sequence[Check]], None]
Spawn = Callable[[Coroutine[Any, Any, None]], Any]


@dataclass(slots=True)
class _Lane:
    """One partition of one topic. `waiting` is used, and `is_slow` true, from a storm's begin to its end."""

    tp: Any
    bucket: TokenBucket
    watch: RejectWatch
    waiting: deque[Any] = field(default_factory=deque)
    is_slow: bool = False


class Accept:
    """Decides batches of Faust events; `held(partition, payment ids)` is told of new holds once they are committed,
    `asked` of questions about subscribers, of which nothing is.

    `spawn` runs a coroutine as a supervised task.
    """

    def __init__(
        self,
        settings: Settings,
        shards: Shards,
        directory: DirectoryReader,
        consumer: Callable[[], Any],
        held: Held,
        spawn: Spawn,
        clock: Clock,
        asked: Asked = lambda _: None,
    ) -> None:
        self._settings = settings
        self._shards = shards
        self._directory = directory
        self._consumer = consumer
        self._held = held
        self._asked = asked
        self._spawn = spawn
        self._clock = clock
        self._lanes: dict[Any, _Lane] = {}

    async def batch(self, events: Sequence[Any], verify: Verify) -> None:
        """Decide one batch; events of partitions that are no longer ours are left to their new owner."""
        with nothing_skipped("a batch of messages"):
            await self._directory.catch_up_soon()
            by_place: dict[Any, list[Any]] = defaultdict(list)
            for event in events:
                by_place[event.message.tp].append(event.message)
            await asyncio.gather(*(self._place(tp, messages, verify) for tp, messages in by_place.items()))

    def revoked(self) -> None:
        """No partition is ours for now: what waits in lanes is read again by whoever gets it."""
        self._lanes.clear()

    async def _place(self, tp: Any, messages: list[Any], verify: Verify) -> None:
        lane = self._lanes.get(tp) or self._lanes.setdefault(tp, self._lane(tp))
        if lane.is_slow:
            lane.waiting.extend(messages)
            self._consumer().hold(tp)
            return
        decided = await self._decide(lane, messages, verify)
        if decided < len(messages) or lane.watch.is_storm:
            lane.waiting.extend(messages[decided:])
            lane.is_slow = True
            self._consumer().hold(tp)
            self._spawn(self._slowly(lane, verify))

    async def _decide(self, lane: _Lane, messages: Sequence[Any], verify: Verify) -> int:
        """Decide the first of these messages: all, or as many as may be rejected now. Returns how many."""
        items = await self._verified(lane, messages, verify)
        alerts = partial(lane.watch.look, items, self._clock.now_ms())
        try:
            entries = await self._shards.decide(lane.tp.partition, items, alerts=alerts)
        except NotOurs:
            return len(messages)
        lane.watch.keep()
        if items:
            last = messages[len(items) - 1]
            self._consumer().decided(lane.tp, last.offset, last.generation_id)
        if held := holds(entries):
            self._held(lane.tp.partition, held)
        if asked := [item for item in items if isinstance(item, Check)]:
            self._asked(asked)
        return len(items)

    async def _verified(self, lane: _Lane, messages: Sequence[Any], verify: Verify) -> list[Item]:
        items: list[Item] = []
        may_reject = max(1, int(lane.bucket.level))
        for number, message in enumerate(messages):
            item = verify(self._arrival(message))
            if isinstance(item, Quarantine):
                if not may_reject:
                    break
                may_reject -= 1
            items.append(item)
            if number % _TURN == _TURN - 1:
                await asyncio.sleep(0)
        return items

    async def _slowly(self, lane: _Lane, verify: Verify) -> None:
        with nothing_skipped("messages that are read slowly"):
            await self._go_slowly(lane, verify)

    async def _go_slowly(self, lane: _Lane, verify: Verify) -> None:
        """Decide what waits no faster than it may be rejected, until the storm is over and nothing waits."""
        while self._lanes.get(lane.tp) is lane and (lane.waiting or lane.watch.is_storm):
            if not lane.waiting:
                self._consumer().release(lane.tp)
            await asyncio.sleep(max(_STEP_S, lane.bucket.wait_s(1)))
            batch = [lane.waiting[number] for number in range(min(len(lane.waiting), self._settings.batch_max))]
            decided = await self._decide(lane, batch, verify)
            for _ in range(min(decided, len(lane.waiting))):
                lane.waiting.popleft()
        lane.is_slow = False
        if self._lanes.get(lane.tp) is lane:
            self._consumer().release(lane.tp)

    def _lane(self, tp: Any) -> _Lane:
        settings = self._settings
        bucket = TokenBucket(settings.rejects_per_s, settings.rejects_burst, time.monotonic)
        watch = RejectWatch(
            f"{tp.topic}/{tp.partition}", bucket, settings.rejects_burst, settings.rejects_in_a_row, self._whose
        )
        return _Lane(tp, bucket, watch)

    def _whose(self, terminal: str) -> tuple[str, str]:
        on_file = self._directory.directory.terminals.get(terminal)
        return (on_file.tree, on_file.agent) if on_file is not None else ("", "")

    def _arrival(self, message: Any) -> Arrival:
        at = round(message.timestamp * 1000) if message.timestamp_type == _APPEND_TIME else self._clock.now_ms()
        return Arrival(message.topic, message.partition, message.offset, message.key, message.value or b"", at)
