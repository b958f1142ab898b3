"""A gateway: how a payee's system is reached, and how patiently."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.ids import GatewayId, Wire


class RetrySchedule(Wire):
    """When to ask again after an unclear answer: interval × factor^n, at most `budget` times, then MANUAL."""

    interval_ms: Annotated[int, Field(ge=10, le=86_400_000)] = 60_000
    factor_pct: Annotated[int, Field(ge=100, le=1_000, description="130 = ×1.3")] = 130
    budget: Annotated[int, Field(ge=1, le=100)] = 25

    def after(self, tries: int) -> int:
        """Milliseconds to wait after the given number of tries (1 = after the first)."""
        wait = self.interval_ms
        for _ in range(tries - 1):
            wait = min(wait * self.factor_pct // 100, 86_400_000)
        return wait


class Gateway(Wire):
    """Directory record, topic `gateways`, key: the gateway's id."""

    id: GatewayId
    protocol: Literal["osmp"]
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=500)]
    time_out_ms: Annotated[int, Field(ge=50, le=300_000)] = 60_000
    connections: Annotated[int, Field(ge=1, le=500, description="calls in flight at once: the bulkhead")] = 15
    retry: RetrySchedule = RetrySchedule()
    fatal_codes: Annotated[
        tuple[Annotated[int, Field(ge=-(2**31), lt=2**31)], ...] | None,
        Field(max_length=100, description="the dialect's final refusals; none given: the protocol's own table"),
    ] = None
    credentials: Annotated[
        str | None,
        Field(
            max_length=100,
            description="name of a secret file under the keys directory, never the secret itself",
        ),
    ] = None
    cancels: Annotated[
        bool,
        Field(
            description="the payee can be asked to give a payment back",
            exclude_if=lambda cancels: not cancels,  # records of old have none, and their digests are on ledgers
        ),
    ] = False
