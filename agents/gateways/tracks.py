"""Asking a payee about a subscriber before cash is taken; and which gateways tell more than yes or no."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from schemas.entry import PaymentFacts
from schemas.outcome import GatewayOutcome
from schemas.tracking import Tracked


class Checks(Protocol):
    """What every gateway can."""

    async def check(self, facts: PaymentFacts) -> GatewayOutcome:
        """Would the payee take it? Nothing is paid by asking."""
        ...


@runtime_checkable
class Tracks(Protocol):
    """A gateway whose payee also tells a name, a debt, or fields to show."""

    async def track(self, facts: PaymentFacts) -> Tracked:
        """What `check` asks, with all that the payee says of the subscriber. Never raises, as `check` never does.

        `facts.txn` is no payment's number (schemas.tracking.CHECKS_FROM). Texts are made plain and cut to their bounds
        here: nothing of a payee's reply goes further unread.
        """
        ...


async def track(gateway: Checks, facts: PaymentFacts) -> Tracked:
    """What this gateway can tell: of one that tells nothing besides, its answer to a check."""
    if isinstance(gateway, Tracks):
        return await gateway.track(facts)
    return Tracked(await gateway.check(facts))
