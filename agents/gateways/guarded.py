"""A gateway as it is used: asked no faster than it may be, and left alone while its payee is down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from agents.breaker import OPEN_CODE, is_there
from agents.gateways.capabilities import Capabilities, StatementLine
from agents.gateways.guard import Guard, Health
from agents.gateways.seam import PaymentGateway
from agents.gateways.tracks import track
from agents.gateways.xml_reply import MAX_COMMENT, MAX_PROVIDER_REF, plain
from schemas.entry import PaymentFacts
from schemas.outcome import GatewayOutcome, Step, Verdict
from schemas.tracking import Tracked

MAX_CODE = 40


class GuardedGateway:
    """Every question of one gateway goes through here; the rate is kept where requests leave (`Guard.pace`)."""

    def __init__(self, inner: PaymentGateway, guard: Guard) -> None:
        self._inner = inner
        self._guard = guard

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    @property
    def health(self) -> Health:
        """May be asked from any thread."""
        return self._guard.health

    async def check(self, facts: PaymentFacts) -> GatewayOutcome:
        return await self._ask("check", lambda: self._inner.check(facts))

    async def pay(self, facts: PaymentFacts) -> GatewayOutcome:
        return await self._ask("pay", lambda: self._inner.pay(facts))

    async def status(self, facts: PaymentFacts) -> GatewayOutcome:
        return await self._ask("status", lambda: self._inner.status(facts))

    async def cancel(self, facts: PaymentFacts) -> GatewayOutcome:
        return await self._ask("cancel", lambda: self._inner.cancel(facts))

    async def statement(self, since_ms: int, until_ms: int) -> Sequence[StatementLine] | GatewayOutcome:
        """Asked unless the payee is left alone. It is never the question that is tried to see, for which payments would
        wait, and its silence is not counted: a payee that is slow with its day may pay as ever."""
        if self._guard.is_open:
            return _left_alone("status")
        with self._guard.counted():
            return await self._inner.statement(since_ms, until_ms)

    async def track(self, facts: PaymentFacts) -> Tracked:
        async with self._guard.turn() as is_let_through:
            if not is_let_through:
                return Tracked(_left_alone("check"))
            tracked = await track(self._inner, facts)
            self._guard.heard(is_there(tracked.outcome))
            return replace(tracked, outcome=fit(tracked.outcome))

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _ask(self, step: Step, question: Callable[[], Awaitable[GatewayOutcome]]) -> GatewayOutcome:
        async with self._guard.turn() as is_let_through:
            if not is_let_through:
                return _left_alone(step)
            outcome = await question()
            self._guard.heard(is_there(outcome))
            return fit(outcome)


def fit(outcome: GatewayOutcome) -> GatewayOutcome:
    """The outcome with its texts plain and within their bounds, however its protocol reads them: they are a stranger's,
    and go to ledger, logs and screens."""
    return replace(
        outcome,
        code=plain(outcome.code, MAX_CODE),
        provider_ref=plain(outcome.provider_ref, MAX_PROVIDER_REF),
        comment=plain(outcome.comment, MAX_COMMENT),
    )


def _left_alone(step: Step) -> GatewayOutcome:
    return GatewayOutcome(
        step, Verdict.NOT_SENT, OPEN_CODE, comment="the payee did not answer for long enough to be left alone"
    )
