"""A gateway whose payee's subscribers are looked up in the payee's uploaded list, and everything else at the payee."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from agents.gateways.base import PaymentGateway
from agents.gateways.capabilities import StatementLine
from schemas.entry import PaymentFacts
from schemas.outcome import GatewayOutcome

NO_LIST = "no-list"  # the outcome's code where the list is not there (yet): nobody was looked up
LookUp = Callable[[PaymentFacts], GatewayOutcome]


class Listed:
    """The gateway with another answer to `check`, which it has even where its protocol has none."""

    def __init__(self, gateway: PaymentGateway, look_up: LookUp) -> None:
        self.capabilities = replace(gateway.capabilities, check=True)
        self._gateway = gateway
        self._look_up = look_up

    async def check(self, facts: PaymentFacts) -> GatewayOutcome:
        return self._look_up(facts)

    async def pay(self, facts: PaymentFacts) -> GatewayOutcome:
        return await self._gateway.pay(facts)

    async def status(self, facts: PaymentFacts) -> GatewayOutcome:
        return await self._gateway.status(facts)

    async def cancel(self, facts: PaymentFacts) -> GatewayOutcome:
        return await self._gateway.cancel(facts)

    async def statement(self, since_ms: int, until_ms: int) -> Sequence[StatementLine] | GatewayOutcome:
        return await self._gateway.statement(since_ms, until_ms)

    async def aclose(self) -> None:
        await self._gateway.aclose()
