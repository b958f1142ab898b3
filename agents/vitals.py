"""A worker's vital signs: is its loop turning, may it decide, and what is open in its folds.

Asked by whoever looks at its HTTP address, in that thread. Each look copies a dict's values in one step of the
interpreter and reads the copy, so the loop is not stopped for it and nothing can change under the reader; a payment
that changes state meanwhile is counted as before or as after.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mode import Service
from prometheus_client.metrics_core import GaugeMetricFamily

from agents.breaker import Circuit
from agents.dispatch import Dispatch
from agents.gateways.guard import Health
from schemas.entry import EntryKind
from streams import metrics
from streams.ends import Ends, EndsUnknown
from streams.health import Heartbeat
from streams.ledger.state import State
from streams.settings import Settings
from streams.shards import Shards
from streams.topics import CHECKS, COMMANDS, PAYMENTS

_BEAT_S = 1.0
# The loop stops for a batch to be decided, tens of milliseconds; ten times a second it asks for retries that are due.
_BOUND_S = 15.0
_ENDS_S = 2.0
_OPENNESS = {Circuit.CLOSED: 0.0, Circuit.HALF_OPEN: 0.5, Circuit.OPEN: 1.0}


class WorkerVitals:
    """Exists before the worker does, which sets the rest, `is_wired` last. assigned: changed in place by the worker."""

    shards: Shards
    dispatch: Dispatch
    consumer: Callable[[], Any]

    def __init__(self, settings: Settings) -> None:
        self.heartbeat = Heartbeat("the event loop", _BOUND_S)
        self.is_wired = False
        self.assigned: set[int] = set()
        self._ends = Ends(settings)

    def stuck(self) -> list[str]:
        return self.heartbeat.stuck()

    def not_ready(self) -> list[str]:
        """Why it decides nothing, or not everything that is its to decide."""
        if not self.is_wired:
            return ["the directory topics are not read yet"]
        assigned = set(self.assigned)
        if not assigned:
            return ["no partitions are assigned: the others have them all, or the group is not formed yet"]
        closed = sorted(assigned - set(self.shards.partitions()))
        return [f"partition {partition} is assigned and not open yet" for partition in closed]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        if not self.is_wired:
            return
        states = [state for state in map(self.shards.state, self.shards.partitions()) if state is not None]
        yield metrics.PARTITIONS_ASSIGNED.family({(): len(self.assigned)})
        yield metrics.PARTITIONS_OPEN.family({(): len(states)})
        yield metrics.CONSUMER_LAG.family({(topic, str(place)): n for (topic, place), n in self._lag().items()})
        yield from gateways(self.dispatch.health())
        yield metrics.DISPATCH_QUEUE.family({(gateway,): n for gateway, n in self.dispatch.waiting().items()})
        yield from folds(states, time.time_ns() // 1_000_000)

    def _lag(self) -> dict[tuple[str, int], int]:
        """Empty where the broker does not say where its topics end: what is not known is not shown."""
        places = [(topic.name, partition) for topic in (PAYMENTS, COMMANDS, CHECKS) for partition in set(self.assigned)]
        if not places:
            return {}
        try:
            ends = self._ends.now(places, _ENDS_S)
        except EndsUnknown:
            return {}
        behind: dict[tuple[str, int], int] = self.consumer().behind(ends)
        return behind


class Pulse(Service):
    """The event loop's own word that it turns."""

    def __init__(self, heartbeat: Heartbeat, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._heartbeat = heartbeat

    @Service.task
    async def _beat(self) -> None:
        while not self.should_stop:
            self._heartbeat.beat()
            await self.sleep(_BEAT_S)


def gateways(healths: Mapping[str, Health]) -> Iterator[GaugeMetricFamily]:
    """How the gateways are that were asked from here."""
    yield metrics.GATEWAY_IN_FLIGHT.family({(gateway,): health.in_flight for gateway, health in healths.items()})
    breakers = {gateway: health.circuit for gateway, health in healths.items() if health.circuit is not None}
    yield metrics.GATEWAY_BREAKER.family({(gateway,): _OPENNESS[circuit] for gateway, circuit in breakers.items()})


def folds(states: Sequence[State], now_ms: int) -> Iterator[GaugeMetricFamily]:
    """What is open in these folds, and how large they are."""
    outstanding: Counter[tuple[str, ...]] = Counter()
    oldest_ms = now_ms
    for state in states:
        for payment in list(state.open.values()):
            facts = payment.facts  # None: it became final since the copy was made
            if facts is None:
                continue
            outstanding[facts.gateway, payment.state.value] += 1
            if payment.state is EntryKind.UNKNOWN:
                oldest_ms = min(oldest_ms, facts.received_at)
    yield metrics.OUTSTANDING.family(dict(outstanding))
    yield metrics.OLDEST_UNKNOWN.family({(): (now_ms - oldest_ms) / 1000})
    yield metrics.FOLD_OPEN.family({(str(state.partition),): len(state.open) for state in states})
    yield metrics.FOLD_PAYMENTS.family({(str(state.partition),): len(state.payments) for state in states})
