"""The worker's timer for alerts that no entry brings about: what is open too long, thresholds that were changed."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from mode import Service

from streams.arrival import Look
from streams.clock import Clock
from streams.last_resort import nothing_skipped
from streams.shards import NotOurs, Shards

# A look goes through all open payments of a partition, in the loop that decides.
_EVERY_S = 5.0


class AlertWatch(Service):
    """A service of the Faust app."""

    def __init__(self, shards: Shards, clock: Clock, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._shards = shards
        self._clock = clock

    @Service.task
    async def _look(self) -> None:
        while not self.should_stop:
            await self.sleep(_EVERY_S)
            with nothing_skipped("a look for alerts"):
                for partition in self._shards.partitions():
                    tenure = self._shards.tenure(partition)
                    with suppress(NotOurs):
                        await self._shards.decide(partition, [Look(self._clock.now_ms())], tenure=tenure)
