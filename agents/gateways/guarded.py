"""A gateway as it is used: asked no faster than it may be, and left alone while its payee is down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass

from agents.breaker import OPEN_CODE, Circuit, CircuitBreaker, is_there
from agents.gateways.capabilities import Capabilities, StatementLine
from agents.gateways.seam import PaymentGateway
from agents.gateways.tracks import Tracks, track
from agents.token_bucket import TokenBucket
from schemas.entry import PaymentFacts
from schemas.gateway import Gateway
from schemas.outcome import GatewayOutcome, Step, Verdict
from schemas.tracking import Tracked


@dataclass(frozen=True, slots=True)
class Health:
    """How a gateway is, in this process. circuit None: it has no breaker. open_for_ms: how much longer it is open.

    in_flight: questions that have left, or wait for their turn at the rate.
    """

    circuit: Circuit | None
    open_for_ms: int
    in_flight: int


class GuardedGateway:
    """Every question of one gateway goes through here. `clock` gives seconds that only grow."""

    def __init__(self, inner: PaymentGateway, record: Gateway, clock: Callable[[], float] = time.monotonic) -> None:
        self._inner = inner
        self._breaker = CircuitBreaker(record.breaker, clock) if record.breaker is not None else None
        self._rate = TokenBucket(record.per_s, record.per_s, clock) if record.per_s else None
        self._in_flight = 0

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    @property
    def tells_more(self) -> bool:
        """Does its payee tell more of a subscriber than yes or no?"""
        return isinstance(self._inner, Tracks)

    @property
    def health(self) -> Health:
        """May be asked from any thread."""
        breaker = self._breaker
        if breaker is None:
            return Health(None, 0, self._in_flight)
        return Health(breaker.circuit, round(breaker.open_for_s * 1000), self._in_flight)

    async def check(self, facts: PaymentFacts) -> GatewayOutcome:
        return await self._ask("check", lambda: self._inner.check(facts))

    async def pay(self, facts: PaymentFacts) -> GatewayOutcome:
        return await self._ask("pay", lambda: self._inner.pay(facts))

    async def status(self, facts: PaymentFacts) -> GatewayOutcome:
        return await self._ask("status", lambda: self._inner.status(facts))

    async def cancel(self, facts: PaymentFacts) -> GatewayOutcome:
        return await self._ask("cancel", lambda: self._inner.cancel(facts))

    async def statement(self, since_ms: int, until_ms: int) -> Sequence[StatementLine] | GatewayOutcome:
        async with self._turn() as is_let_through:
            if not is_let_through:
                return _left_alone("status")
            lines = await self._inner.statement(since_ms, until_ms)
            self._heard(is_there(lines) if isinstance(lines, GatewayOutcome) else True)
            return lines

    async def track(self, facts: PaymentFacts) -> Tracked:
        async with self._turn() as is_let_through:
            if not is_let_through:
                return Tracked(_left_alone("check"))
            tracked = await track(self._inner, facts)
            self._heard(is_there(tracked.outcome))
            return tracked

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _ask(self, step: Step, question: Callable[[], Awaitable[GatewayOutcome]]) -> GatewayOutcome:
        async with self._turn() as is_let_through:
            if not is_let_through:
                return _left_alone(step)
            outcome = await question()
            self._heard(is_there(outcome))
            return outcome

    def _heard(self, says: bool | None) -> None:
        if self._breaker is not None:
            self._breaker.heard(says)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[bool]:
        """Whoever is let through may ask, at once: the wait for the rate is over."""
        self._in_flight += 1
        try:
            async with self._breaker.turn() if self._breaker is not None else nullcontext(True) as is_let_through:
                if is_let_through and self._rate is not None:
                    wait_s = self._rate.wait_s(1)
                    self._rate.take(1)  # before the wait: who comes next waits longer
                    if wait_s:
                        await asyncio.sleep(wait_s)
                yield is_let_through
        finally:
            self._in_flight -= 1


def _left_alone(step: Step) -> GatewayOutcome:
    return GatewayOutcome(
        step, Verdict.NOT_SENT, OPEN_CODE, comment="the payee did not answer for long enough to be left alone"
    )
