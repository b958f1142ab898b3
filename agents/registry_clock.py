"""The clock of cut-offs: cuts the registry of a payee that is served offline when its record says so.

Like the settlement clock it has no memory: when a registry is cut next follows from the directory and the fold. A
cut-off that passed while nobody was there is kept late, once; the ledger cuts a registry by its number.
"""

from __future__ import annotations

from typing import Any

import structlog
from mode import Service

from schemas.cron import next_moment
from schemas.ids import instant_ms
from schemas.payee import Payee
from schemas.registry import registry_book
from streams.arrival import Ask
from streams.clock import Clock
from streams.directory import Directory
from streams.ledger.commands import RegistryDue, RegistryTerms
from streams.ledger.registry_state import Registries
from streams.partitioner import partition_of
from streams.shards import NotOurs, Shards

log = structlog.get_logger()

_LOOK_S = 1.0


class RegistryClock(Service):
    """A service of the Faust app."""

    def __init__(self, directory: Directory, shards: Shards, clock: Clock, partitions: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._directory = directory
        self._shards = shards
        self._clock = clock
        self._partitions = partitions

    @Service.task
    async def _run(self) -> None:
        while not self.should_stop:
            for payee in list(self._directory.payees.values()):
                if payee.offline is not None:
                    await self._look_at(payee)
            await self.sleep(_LOOK_S)

    async def _look_at(self, payee: Payee) -> None:
        partition, now = partition_of(registry_book(payee.id), self._partitions), self._clock.now_ms()
        due = self.due(payee, partition, now)
        if due is None:
            return
        try:
            entries = await self._shards.decide(partition, [Ask(due, now)], tenure=self._shards.tenure(partition))
        except NotOurs:
            return
        for entry in entries:
            log.info("registry_cut", payee=payee.id, number=due.number, entry=entry.seq)

    def due(self, payee: Payee, partition: int, now: int) -> RegistryDue | None:
        """The registry that is to be cut now (ms UTC); None: it is not time, or not our book."""
        state, terms = self._shards.state(partition), payee.offline
        if state is None or terms is None or terms.since is None:
            return None
        name = registry_book(payee.id)
        book = state.books.get(name)
        current = (book.registries if book is not None and book.registries is not None else Registries()).current
        moment = next_moment(terms.cut_off, payee.time_zone, max(current.since, instant_ms(terms.since)))
        if moment > now:
            return None
        return RegistryDue(
            name, payee.id, current.number, moment, RegistryTerms(terms.form, payee.time_zone, payee.currency)
        )
