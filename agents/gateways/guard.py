"""What all questions to one gateway have in common, over whichever connections they go: its rate and its breaker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass

from agents.breaker import Circuit, CircuitBreaker
from agents.gateways.pace import Pace
from schemas.gateway import Gateway

# Which part of a rate checks before payment may take: most of it is for payments.
_ASIDE = 4


@dataclass(frozen=True, slots=True)
class Health:
    """How a gateway is, in this process. circuit None: it has no breaker. open_for_ms: how much longer it is open.

    in_flight: questions that have left, or wait for their turn at the rate.
    """

    circuit: Circuit | None
    open_for_ms: int
    in_flight: int


class Guard:
    """One gateway's. Belongs to the event loop it is used in. `clock` gives seconds that only grow."""

    def __init__(
        self, record: Gateway, clock: Callable[[], float] = time.monotonic, aside_of: Guard | None = None
    ) -> None:
        """aside_of: this one's requests are among that one's, and a quarter of them at most."""
        self._breaker = CircuitBreaker(record.breaker, clock) if record.breaker is not None else None
        part = _ASIDE if aside_of is not None else 1
        count = max(1, record.per_s // part)
        self._pace = Pace(count, count * part / record.per_s, clock) if record.per_s else None
        self._aside_of = aside_of
        self._in_flight = 0

    @property
    def health(self) -> Health:
        """May be asked from any thread."""
        breaker = self._breaker
        if breaker is None:
            return Health(None, 0, self._in_flight)
        return Health(breaker.circuit, round(breaker.open_for_s * 1000), self._in_flight)

    @property
    def is_open(self) -> bool:
        """Is the payee left alone at the moment?"""
        return self.health.circuit is Circuit.OPEN

    async def pace(self) -> None:
        """Wait until one more request may leave."""
        if self._pace is not None and (wait_s := self._pace.wait_s()):
            await asyncio.sleep(wait_s)
        if self._aside_of is not None:
            await self._aside_of.pace()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """May a question be asked within the block? Who was let through tells what came of it (`heard`)."""
        with self.counted():
            async with self._breaker.turn() if self._breaker is not None else nullcontext(True) as is_let_through:
                yield is_let_through

    def heard(self, is_there: bool | None) -> None:
        if self._breaker is not None:
            self._breaker.heard(is_there)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """What is asked within the block is in flight."""
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1


class Guards:
    """Those of the gateways of a process: one each, and another once the gateway's record has changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Gateway, Guard]] = {}

    def of(self, record: Gateway) -> Guard:
        known = self._known.get(record.id)
        if known is None or known[0] != record:
            known = self._known[record.id] = record, Guard(record)
        return known[1]
