"""The seam to payees: a few questions about one payment, and an outcome whatever happens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agents.gateways.capabilities import Capabilities, StatementLine
from schemas.entry import PaymentFacts
from schemas.outcome import GatewayOutcome


class PaymentGateway(Protocol):
    """One payee's system behind one directory record.

    No question raises for anything the payee or the network does: what is not a clear answer becomes NOT_SENT
    (the request never left us) or UNCLEAR (it may have been carried out). Every request of a payment carries its one
    number, `facts.txn`. What the payee cannot be asked (`capabilities`) is NOT_SENT, code "no-<question>".
    """

    @property
    def capabilities(self) -> Capabilities: ...

    async def check(self, facts: PaymentFacts) -> GatewayOutcome:
        """Would the payee take it? CHECKED, FATAL, UNCLEAR or NOT_SENT; nothing is paid by asking."""
        ...

    async def pay(self, facts: PaymentFacts) -> GatewayOutcome:
        """Pay it. PAID, FATAL, UNCLEAR or NOT_SENT."""
        ...

    async def status(self, facts: PaymentFacts) -> GatewayOutcome:
        """What became of it? PAID, FATAL (it never will be), ABSENT, UNCLEAR or NOT_SENT; asking changes nothing."""
        ...

    async def cancel(self, facts: PaymentFacts) -> GatewayOutcome:
        """Give a paid one back. CANCELLED, FATAL, UNCLEAR or NOT_SENT; may be repeated with the same number."""
        ...

    async def statement(self, since_ms: int, until_ms: int) -> Sequence[StatementLine] | GatewayOutcome:
        """All the payee booked from `since_ms` until before `until_ms`, UTC: whole, or UNCLEAR or NOT_SENT."""
        ...

    async def aclose(self) -> None:
        """Close the connections; questions asked from now on are NOT_SENT."""
        ...
