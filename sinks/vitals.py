"""A sink's vital signs: is its loader turning, is the warehouse there, and how far behind is each partition.

Asked by whoever looks at its HTTP address, in that thread; the loader replaces what is looked at here, whole, and
never changes it in place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from prometheus_client.metrics_core import GaugeMetricFamily

from streams import metrics
from streams.ends import Ends, EndsUnknown, Place
from streams.health import Heartbeat
from streams.settings import Settings

# A turn may wait for one answer of the warehouse, a minute; one that is away is asked again every few seconds.
_BOUND_S = 120.0
_ENDS_S = 2.0


class SinkVitals:
    """loaded: the first offset of each assigned partition that is not in all its tables. away: why the warehouse is
    not there, "" while it is."""

    def __init__(self, settings: Settings) -> None:
        self.heartbeat = Heartbeat("the loader", _BOUND_S)
        self.loaded: Mapping[Place, int] = {}
        self.away = "not asked yet"
        self._settings = settings

    @cached_property
    def _ends(self) -> Ends:
        return Ends(self._settings)

    def stuck(self) -> list[str]:
        return self.heartbeat.stuck()

    def warehouse(self, away: str) -> None:
        """The warehouse was asked: "" when it answered, else why it did not. Waiting for it is a sign of life."""
        self.away = away
        self.heartbeat.beat()

    def not_ready(self) -> list[str]:
        """Why it loads nothing."""
        problems = [f"the warehouse is away: {self.away}"] if self.away else []
        return problems if self.loaded else [*problems, "no partitions are assigned"]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        loaded = self.loaded
        yield metrics.WAREHOUSE_AWAY.family({(): float(bool(self.away))})
        yield metrics.SINK_ASSIGNED.family({(): len(loaded)})
        yield metrics.SINK_BEHIND.family(
            {(topic, str(partition)): records for (topic, partition), records in self._behind(loaded).items()}
        )

    def _behind(self, loaded: Mapping[Place, int]) -> dict[Place, int]:
        """Empty where the broker does not say where its topics end: what is not known is not shown."""
        if not loaded:
            return {}
        try:
            ends = self._ends.now(loaded, _ENDS_S)
        except EndsUnknown:
            return {}
        return {place: max(0, end - loaded[place]) for place, end in ends.items()}
