"""A bulkhead: one gateway's own queue and its own few connections, so that one slow payee holds nobody else up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from schemas.gateway import Gateway


@dataclass(frozen=True, slots=True)
class Job:
    """A payment to ask its payee about, in one tenure of its partition. Its facts are looked up when its turn comes."""

    partition: int
    tenure: int
    payment: str


class Bulkhead:
    """At most `gateway.connections` jobs at once; the rest wait here as ids, their money already held.

    `spawn` runs a coroutine as a supervised task; `work` does one job and does not raise.
    """

    def __init__(
        self,
        gateway: Gateway,
        work: Callable[[Job], Awaitable[None]],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Future[None]],
    ) -> None:
        self.gateway = gateway
        self._work = work
        self._queue: asyncio.Queue[Job | None] = asyncio.Queue()
        self._workers = [spawn(self._run()) for _ in range(gateway.connections)]

    def put(self, job: Job) -> None:
        self._queue.put_nowait(job)

    @property
    def waiting(self) -> int:
        """How many payments wait for a connection."""
        return self._queue.qsize()

    def retire(self) -> list[Job]:
        """Take no more jobs; returns those whose turn had not come. `finished` waits for the ones under way."""
        waiting = [job for _ in range(self._queue.qsize()) if (job := self._queue.get_nowait()) is not None]
        for _ in self._workers:
            self._queue.put_nowait(None)
        return waiting

    async def finished(self) -> None:
        """Wait until every job under way at `retire` has its answer."""
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def _run(self) -> None:
        while (job := await self._queue.get()) is not None:
            await self._work(job)
