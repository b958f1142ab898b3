"""The courier of registries: brings what is cut to its payee, in order, and says so on the ledger.

It has no memory but when to try again: what is to be delivered follows from the fold. When a worker dies between a
delivery and its word, the next one delivers again: the same number, the same name, the same bytes.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from mode import Service

from agents.delivery_errors import NotDelivered
from agents.registry_delivery import Parcel, RegistryDelivery
from schemas.payee import Payee
from schemas.registry import RegistryDelivery as Delivered
from schemas.registry import registry_book
from streams import metrics
from streams.arrival import Ask
from streams.clock import Clock
from streams.directory import Directory
from streams.ledger.commands import RegistryDelivered
from streams.ledger.registry_state import RegistryUnderWay
from streams.ledger.state import State
from streams.partitioner import partition_of
from streams.registry_file import registry_bytes
from streams.settings import Settings
from streams.shards import NotOurs, Shards

log = structlog.get_logger()

_LOOK_S = 1.0
_LONGEST_WAIT_S = 3_600.0


@dataclass(slots=True)
class _Trouble:
    """Of a registry that could not be delivered: how often, and until when it is left alone (monotonic seconds)."""

    number: int
    tries: int = 0
    until: float = 0.0


class RegistryCourier(Service):
    """A service of the Faust app. One payee that hangs holds up no other."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        shards: Shards,
        clock: Clock,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._directory = directory
        self._shards = shards
        self._clock = clock
        self._partitions = settings.partitions
        self._retry_s = settings.notify_retry_ms / 1000
        self._delivery = RegistryDelivery(settings)
        self._troubles: dict[str, _Trouble] = {}
        self._under_way: dict[str, asyncio.Task[None]] = {}

    @Service.task
    async def _run(self) -> None:
        while not self.should_stop:
            self.look()
            await self.sleep(_LOOK_S)

    async def on_stop(self) -> None:
        """What is under way is dropped: it is made again by whoever comes next."""
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        await self._delivery.aclose()

    def look(self) -> None:
        """Begin to deliver the oldest registry of each payee that has one, unless one of it is on its way already."""
        for payee in list(self._directory.payees.values()):
            if payee.offline is None or payee.id in self._under_way:
                continue
            registry = self._next(payee.id, self._shards.state(self._partition(payee.id)))
            if registry is not None and self._is_time(payee.id, registry.number):
                task = asyncio.get_running_loop().create_task(self._carry(payee))
                self._under_way[payee.id] = task
                task.add_done_callback(partial(self._over, payee.id))

    def _over(self, payee: str, _: asyncio.Task[None]) -> None:
        self._under_way.pop(payee, None)

    def _partition(self, payee: str) -> int:
        return partition_of(registry_book(payee), self._partitions)

    def _next(self, payee: str, state: State | None) -> RegistryUnderWay | None:
        book = state.books.get(registry_book(payee)) if state is not None else None
        if book is None or book.registries is None:
            return None
        return next((one for one in book.registries.under_way.values() if not one.delivered_at), None)

    def _is_time(self, payee: str, number: int) -> bool:
        trouble = self._troubles.get(payee)
        return trouble is None or trouble.number != number or trouble.until <= time.monotonic()

    async def _carry(self, payee: Payee) -> None:
        """A cut that is not on the ledger yet may never be, and the next one of that number may have other lines."""
        assert payee.offline is not None
        partition = self._partition(payee.id)
        registry = self._next(payee.id, await self._shards.committed(partition))
        if registry is None:
            return
        lines, number, tenure = tuple(registry.lines.values()), registry.number, self._shards.tenure(partition)
        try:
            content = await asyncio.get_running_loop().run_in_executor(None, registry_bytes, registry.cut, lines)
            parcel = Parcel(payee.id, number, registry.cut, content)
            how = await self._delivery.deliver(parcel, payee.offline.delivery)
        except NotDelivered as error:
            self._failed(payee, number, str(error))
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the other payees' registries go on, and this is tried again
            self._failed(payee, number, f"unforeseen: {type(error).__name__}")
            return
        await self._say(payee, number, Delivered(how, len(content), parcel.sha256), tenure)

    def _failed(self, payee: Payee, number: int, why: str) -> None:
        assert payee.offline is not None
        trouble = self._troubles.get(payee.id)
        if trouble is None or trouble.number != number:
            trouble = self._troubles[payee.id] = _Trouble(number)
        trouble.tries += 1
        wait_s = min(self._retry_s * 2 ** min(trouble.tries - 1, 20), _LONGEST_WAIT_S)
        trouble.until = time.monotonic() + wait_s
        metrics.REGISTRY_DELIVERIES.labels(payee.offline.delivery.by, "failed").inc()
        log.warning("registry_not_delivered", payee=payee.id, number=number, tries=trouble.tries, why=why,
                    wait_s=wait_s)  # fmt: skip

    async def _say(self, payee: Payee, number: int, delivery: Delivered, tenure: int) -> None:
        assert payee.offline is not None
        partition, now = self._partition(payee.id), self._clock.now_ms()
        said = RegistryDelivered(registry_book(payee.id), payee.id, number, delivery)
        try:
            await self._shards.decide(partition, [Ask(said, now)], tenure=tenure)
        except NotOurs:
            return  # the next owner delivers it again
        self._troubles.pop(payee.id, None)
        metrics.REGISTRY_DELIVERIES.labels(payee.offline.delivery.by, "delivered").inc()
        log.info("registry_delivered", payee=payee.id, number=number, how=delivery.how)
