"""Faust's Kafka transport with five changes that money needs.

1. Reads are `read_committed`: Faust offers that only together with its own exactly_once, which we do not use.
2. An offset is committed when its message was *decided*, and by nothing else. Faust acknowledges a batch even when the
   agent's body fails, and stitches gaps between acknowledged offsets (its issue #606); here a position only moves when
   `decided` says so, within one generation of the assignment.
3. Messages are handed over in a plain loop: Faust's own creates two tasks a message, which is its speed limit. It
   stops while too many bytes are under way, and a partition can be held, so that input waits in Kafka.
4. Partitions are dealt by our own assignor (`streams/assignor.py`).
5. Messages of a partition wait in Kafka until its shard is open: all partitions share one stream, and a batch with one
   message that must wait for a long ledger to be folded would hold up everybody else's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar, cast

import aiokafka
from aiokafka.protocol.fetch import FetchRequest
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.transport.drivers.aiokafka import Consumer as FaustConsumer
from faust.transport.drivers.aiokafka import Transport as FaustTransport
from faust.types import TP

from streams.assignor import Together

# The event loop gets its turn after this many messages.
_TURN = 200
# Bytes of messages handed over and not yet worked off; beyond it nothing is handed over. A message may have 12 MB, and
# the buffer of a stream counts messages.
_IN_FLIGHT_BYTES = 64 * 1024 * 1024
# How long a poll waits. It does not hear of a partition that may be read (again), so not long.
_POLL_S = 0.1
_PACE_S = 0.01


class ReadCommittedThread(AIOKafkaConsumerThread):
    """The thread that owns the aiokafka consumer."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        self._assignor = Together(Path(self.app.conf.datadir) / "dealt.json")
        consumer._partition_assignment_strategy = [self._assignor]
        consumer._isolation_level = "read_committed"
        consumer._client.send = _paced(consumer._client.send)
        return consumer


def _paced(send: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Let an empty answer to a fetch rest a little.

    Kafka holds a fetch until there is something to read; the embedded broker answers at once, and asking it 400 times
    a second for nothing takes the interpreter from those who decide.
    """

    async def paced_send(node: Any, request: Any, **options: Any) -> Any:
        began = monotonic()
        response = await send(node, request, **options)
        if isinstance(request, FetchRequest) and monotonic() - began < _PACE_S and not _has_records(response):
            await asyncio.sleep(_PACE_S)
        return response

    return paced_send


def _has_records(response: Any) -> bool:
    return any(partition[-1] for _, partitions in response.topics for partition in partitions)


class Consumer(FaustConsumer):
    """A consumer whose committed offsets are exactly the decided ones."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._decided: dict[Any, int] = {}
        self._in_flight = 0  # bytes
        self._ebb = asyncio.Event()

    def _new_consumer_thread(self) -> ReadCommittedThread:
        return ReadCommittedThread(self, loop=self.loop, beacon=self.beacon)

    def decided(self, tp: Any, offset: int, generation: int) -> None:
        """Everything of `tp` up to `offset` is decided and on the ledger.

        Ignored when the assignment has changed since the message was read: the new owner, or we ourselves, read
        from the committed offset again, and what is decided twice is decided once.
        """
        if generation == self.app.consumer_generation_id:
            self._decided[tp] = max(offset + 1, self._decided.get(tp, 0))

    def behind(self, ends: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        """How many offsets before these ends of topics' partitions are not decided. May be asked from any thread.

        A partition is left out until it is known where its reading began.
        """
        return {
            tp: max(0, end - max(self._decided.get(tp, 0), self._committed_offset.get(tp) or 0))
            for tp, end in ((TP(*place), end) for place, end in ends.items())
            if tp in self._read_offset
        }

    def hold(self, tp: Any) -> None:
        """Read no more of it until `release`; what was read already still comes."""
        self.pause_partitions({tp})

    def release(self, tp: Any) -> None:
        """Go on reading it, as soon as its buffer has room."""
        tp = TP(*tp)  # messages have aiokafka's kind, and Faust insists on its own
        self._paused_partitions.discard(tp)
        if tp not in self._buffered_partitions and tp in self.assignment():
            self._get_active_partitions().add(tp)

    def on_buffer_drop(self, tp: Any) -> None:
        """Faust's word that the buffer has room again: no reason to read what is held."""
        super().on_buffer_drop(tp)
        if tp in self._paused_partitions:
            self._get_active_partitions().discard(tp)

    def ack(self, message: Any) -> bool:
        """Faust's word that a message left the agent's body. It says nothing about money, so it moves nothing."""
        message.acked = True
        self._unacked_messages.discard(message)
        self._in_flight = max(0, self._in_flight - len(message.value or b""))
        self._ebb.set()
        return True

    async def force_commit(self, topics: Iterable[Any] | None = None, start_new_transaction: bool = True) -> bool:
        """Commit the decided positions; of partitions no longer ours Faust discards them."""
        offsets = {tp: offset for tp, offset in self._decided.items() if self._should_commit(tp, offset)}
        return bool(offsets) and bool(await self._commit_offsets(offsets))

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        await super().on_partitions_revoked(revoked)
        self._decided.clear()
        self._in_flight = 0  # what was handed over is dropped, or worked off by those who have it
        self._ebb.set()

    async def _room(self) -> None:
        while self._in_flight > _IN_FLIGHT_BYTES and not (self.suspend_flow.is_set() or self._stopped.is_set()):
            self._ebb.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ebb.wait(), _POLL_S)

    async def _getmany(self, active_partitions: set[Any] | None, timeout: float) -> Any:  # noqa: ASYNC109
        is_open = cast(Transport, self.transport).is_open
        ready = {place for place in active_partitions or () if is_open(place.partition)}
        if not ready:
            await asyncio.sleep(timeout)
            return {}
        return await super()._getmany(active_partitions=ready, timeout=timeout)

    async def _drain_messages(self, fetcher: Any) -> None:
        while not (self._stopped.is_set() or fetcher._stopped.is_set()):
            try:
                async for tp, message in self.getmany(timeout=_POLL_S):
                    await self._room()
                    if self.suspend_flow.is_set():
                        break  # a rebalance: whatever is left is read again from the committed offset
                    self._in_flight += len(message.value or b"")
                    await self.callback(message)
                    self._read_offset[tp] = message.offset
                    if message.offset % _TURN == 0:
                        await asyncio.sleep(0)
                await asyncio.sleep(0)
            except self.consumer_stopped_errors:
                if self.transport.app.should_stop:
                    return
                raise


class Transport(FaustTransport):
    """`is_open(partition)` is set before the app starts: whether its messages may be handed over."""

    Consumer: ClassVar[type[Consumer]] = Consumer
    is_open: Callable[[int], bool]
