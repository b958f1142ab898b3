"""A protocol that asks all its questions in one way: what is left to its own file is that way."""

from __future__ import annotations

from collections.abc import Sequence

from agents.gateways.capabilities import Capabilities, StatementLine, unasked
from agents.gateways.http import Line
from schemas.entry import PaymentFacts
from schemas.outcome import GatewayOutcome, Step


class AskedAlike:
    """The questions of a PaymentGateway (agents/gateways/seam.py), each by `_ask` where the payee has it."""

    capabilities: Capabilities
    _line: Line

    async def check(self, facts: PaymentFacts) -> GatewayOutcome:
        return await self._ask("check", facts) if self.capabilities.check else unasked("check")

    async def pay(self, facts: PaymentFacts) -> GatewayOutcome:
        return await self._ask("pay", facts)

    async def status(self, facts: PaymentFacts) -> GatewayOutcome:
        return await self._ask("status", facts) if self.capabilities.status else unasked("status")

    async def cancel(self, facts: PaymentFacts) -> GatewayOutcome:
        return await self._ask("cancel", facts) if self.capabilities.cancel else unasked("cancel")

    async def statement(self, since_ms: int, until_ms: int) -> Sequence[StatementLine] | GatewayOutcome:
        """A protocol that has one overrides this."""
        return unasked("status", "statement")

    async def aclose(self) -> None:
        await self._line.aclose()

    async def _ask(self, step: Step, facts: PaymentFacts) -> GatewayOutcome:
        """Ask it. Never raises for what the payee or the network does."""
        raise NotImplementedError
