"""What a payee is asked about a payment, in which order: and never twice to pay where it would pay twice."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from agents.gateways.base import PaymentGateway
from agents.gateways.capabilities import unasked
from schemas.entry import EntryKind, PaymentFacts
from schemas.outcome import GatewayOutcome, Step, Verdict
from streams import metrics
from streams.ledger.payments import PaymentState

log = structlog.get_logger()

# Has it on the ledger that the pay is about to leave; False: it must not.
Leave = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the ledger is to decide on. sent_before, is_last: as in Settle."""

    outcome: GatewayOutcome
    sent_before: bool
    is_last: bool = False


class Asking:
    """One payment's turn at its gateway."""

    def __init__(
        self,
        gateway: PaymentGateway,
        payment: PaymentState,
        facts: PaymentFacts,
        maybe_sent: bool,
        leave: Leave,
        is_ours: Callable[[], bool],
    ) -> None:
        """maybe_sent: an earlier worker may have asked the payee to pay without the ledger knowing.

        It cannot have where a pay is on the ledger before it leaves. is_ours: is it still ours to pay?
        """
        self._gateway = gateway
        self._can = gateway.capabilities
        self._payment = payment
        self._facts = facts
        self._sent_before = maybe_sent and self._can.idempotent
        self._leave = leave
        self._is_ours = is_ours

    async def answer(self, *, wants_check: bool) -> Answer | None:
        """None: it is not ours to ask any more, and nothing was sent."""
        if self._payment.state is EntryKind.REVERSING:
            return self._said(await self._ask("cancel"))
        if self._payment.tries or self._sent_before:
            return await self._after_a_pay()
        if wants_check and self._can.check:
            checked = await self._ask("check")
            if checked.verdict is not Verdict.CHECKED:
                return self._said(checked)
        return await self._pay()

    async def _after_a_pay(self) -> Answer | None:
        """What became of it is asked first, where the payee can say. A number it has not heard of is paid (again)."""
        if not self._can.status:
            return await self._pay() if self._can.idempotent else self._said(unasked("status"))
        status = await self._ask("status")
        if status.verdict is Verdict.ABSENT and self._can.idempotent:
            return await self._pay()
        return self._said(status)

    async def _pay(self) -> Answer | None:
        """The question before it may have taken a minute, in which another worker may have got the payment."""
        may_leave = self._is_ours() if self._can.idempotent else await self._leave()
        return self._said(await self._ask("pay")) if may_leave else None

    def _said(self, outcome: GatewayOutcome) -> Answer:
        is_last = not self._can.idempotent and not self._can.status
        return Answer(outcome, self._sent_before, is_last)

    async def _ask(self, step: Step) -> GatewayOutcome:
        asked = {
            "check": self._gateway.check,
            "pay": self._gateway.pay,
            "status": self._gateway.status,
            "cancel": self._gateway.cancel,
        }[step]
        gateway, began = self._facts.gateway, time.perf_counter()
        try:
            outcome = await asked(self._facts)
        except Exception as error:
            # A gateway must not raise. If one does, the payee may have been paid, and no other payment may suffer.
            log.exception("gateway_raised", gateway=gateway, payment=self._facts.id)
            outcome = GatewayOutcome(step, Verdict.UNCLEAR, "internal", comment=type(error).__name__)
        metrics.GATEWAY_SECONDS.labels(gateway, step).observe(time.perf_counter() - began)
        metrics.GATEWAY_REQUESTS.labels(gateway, step, outcome.verdict.value).inc()
        return outcome
