"""The billing clock: hands the ledger what agents owe for the periods that have begun.

Like the settlement clock it has no memory of its own: what was charged last follows from the fold, so a worker that
takes a partition over goes on where the one before it stopped, and the ledger charges a period once, whoever asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import structlog
from mode import Service

from schemas.plan import Plan
from streams.arrival import Ask
from streams.clock import Clock
from streams.directory import Directory
from streams.ledger.charges import next_charge, today_of
from streams.ledger.commands import FeeDue
from streams.ledger.state import Book
from streams.partitioner import partition_of
from streams.shards import NotOurs, Shards

log = structlog.get_logger()

_LOOK_S = 1.0
# Fees decided in one transaction; the rest follow at the next look.
AT_ONCE = 200


class BillingClock(Service):
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
            for plan in list(self._directory.plans.values()):
                await self._look_at(plan)
            await self.sleep(_LOOK_S)

    async def _look_at(self, plan: Plan) -> None:
        partition, now = partition_of(plan.tree, self._partitions), self._clock.now_ms()
        asks = [Ask(due, now) for due in self.due(plan, partition, now)]
        if not asks:
            return
        try:
            entries = await self._shards.decide(partition, asks, tenure=self._shards.tenure(partition))
        except NotOurs:
            return
        log.info("fees_charged", tree=plan.tree, plan=plan.id, fees=len(entries))

    def due(self, plan: Plan, partition: int, now: int) -> list[FeeDue]:
        """One for each agent that is to be charged now (ms UTC), its oldest period; AT_ONCE at most."""
        state = self._shards.state(partition)
        book = state.books.get(plan.tree) if state is not None else None
        if book is None or not book.agents or plan.is_paused:
            return []
        found = list(islice(_periods(plan, book, now), AT_ONCE))
        if not found:
            return []
        terminals = Counter(one.agent for one in self._directory.terminals.values() if one.tree == plan.tree)
        digest = plan.digest()
        return [
            FeeDue(
                plan.tree, plan.id, agent, period, since, plan.currency, plan.fixed, plan.per_terminal,
                terminals[agent], digest,
            )
            for agent, period, since in found
        ]  # fmt: skip


def _periods(plan: Plan, book: Book, now: int) -> Iterator[tuple[str, str, str]]:
    """(agent, period, since) of those that have not paid for all that has begun."""
    today = today_of(book, now)
    for name in plan.agents or list(book.agents):
        agent = book.agents.get(name)
        if agent is not None and (due := next_charge(book, plan, agent, today)) is not None:
            yield name, *due
