"""A circuit breaker: a payee that is down is left alone for a while, and then asked one question to see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import StrEnum

from schemas.gateway import Breaker
from schemas.outcome import GatewayOutcome, Verdict

OPEN_CODE = "breaker-open"

# What says that nobody is there, whoever the payee is. A reply is none of these, also one that refuses or is broken.
_NO_CONNECTION = frozenset({"connect", "connect-timeout", "dns", "tls"})
_NO_REPLY = frozenset({"timeout", "connection-lost", "reply-cut"})


class Circuit(StrEnum):
    CLOSED = "closed"  # questions go through
    OPEN = "open"  # none does
    HALF_OPEN = "half-open"  # one does, to see, and the others wait for what comes of it


class CircuitBreaker:
    """Belongs to the event loop it is used in. `clock` gives seconds that only grow."""

    def __init__(self, limits: Breaker, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._in_a_row = 0
        self._opened_at: float | None = None
        self._probe: asyncio.Future[None] | None = None

    @property
    def circuit(self) -> Circuit:
        if self._opened_at is None:
            return Circuit.CLOSED
        return Circuit.OPEN if self.open_for_s > 0 else Circuit.HALF_OPEN

    @property
    def open_for_s(self) -> float:
        """How much longer nothing goes through; 0: something does."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self._opened_at + self._limits.open_ms / 1000 - self._clock())

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """May a question be asked within the block? Where another is asked to see, waits for what comes of it first.

        Who was let through tells within the block what came of it (`heard`), if anything did.
        """
        while self._probe is not None and self.circuit is Circuit.HALF_OPEN:
            await asyncio.shield(self._probe)
        circuit = self.circuit
        if circuit is not Circuit.HALF_OPEN:
            yield circuit is Circuit.CLOSED
            return
        probe = self._probe = asyncio.get_running_loop().create_future()
        try:
            yield True
        finally:
            self._probe = None
            probe.set_result(None)

    def heard(self, is_there: bool | None) -> None:
        """Of a question that was let through, whenever it is answered: is the payee there? None: it does not say."""
        if is_there:
            self._in_a_row, self._opened_at = 0, None
        elif is_there is not None:
            self._in_a_row += 1
            if self._opened_at is not None or self._in_a_row >= self._limits.failures:
                self._opened_at = self._clock()


def is_there(outcome: GatewayOutcome) -> bool | None:
    """What it says of the payee. A refusal, however final, says that it is there; trouble of our own says nothing."""
    match outcome.verdict:
        case Verdict.NOT_SENT:
            return False if outcome.code in _NO_CONNECTION else None
        case Verdict.UNCLEAR:
            return not (outcome.code in _NO_REPLY or outcome.code.startswith("http-5"))
        case _:
            return True
