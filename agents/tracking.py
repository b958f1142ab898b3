"""Tracking before payment: a terminal's question about a subscriber, answered before it takes cash.

The rules first, as they stand in the fold; then whoever knows the subscriber: the payee, or its uploaded list. Nothing
is decided and nothing is on the ledger, so a worker that dies over a question owes nobody anything: it is asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import structlog
from mode import Service

from agents.check_desk import CheckDesk
from agents.check_replies import CheckReplies
from agents.gateways.capabilities import unasked
from agents.gateways.guard import Guards
from schemas.entry import PaymentFacts
from schemas.ids import ms_instant
from schemas.outcome import GatewayOutcome, Verdict
from schemas.payee import Payee
from schemas.refusal import Refusal
from schemas.tracking import (
    MAX_DENOMINATIONS,
    MAX_LABEL,
    MAX_SHOWN,
    MAX_TEXT,
    CheckReply,
    CheckRequest,
    ShownField,
    Source,
    Tracked,
)
from streams import metrics
from streams.arrival import Check
from streams.clock import Clock
from streams.directory import Directory
from streams.ledger.checking import Looked, Terms, facts_of, look
from streams.ledger.settle import refusal_of
from streams.settings import Settings
from streams.shards import Shards

log = structlog.get_logger()

_WAY = "the subscriber was not looked up: {}"


class Lists(Protocol):
    """Payees' uploaded lists, as this worker has them."""

    def track(self, payee: Payee, facts: PaymentFacts) -> tuple[Tracked, int]:
        """What the payee's list says, and as of when the list is, ms UTC; 0: there is none. Does not raise."""
        ...


class Found(NamedTuple):
    """Who was asked, what came of it, and of a list as of when it is (ms UTC)."""

    source: Source
    tracked: Tracked
    listed_at: int = 0


class Tracking(Service):
    """A service of the Faust app. `shards` is set before the app starts (the two know each other), and so is `guards`:
    what payments share of their payees."""

    shards: Shards
    guards: Guards

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        lists: Lists,
        replies: CheckReplies,
        clock: Clock,
        unwell: Callable[[], frozenset[str]] = frozenset,
        **kwargs: Any,
    ) -> None:
        """unwell: the gateways that are known not to work at the moment."""
        super().__init__(**kwargs)
        self._settings = settings
        self._directory = directory
        self._lists = lists
        self._replies = replies
        self._clock = clock
        self._unwell = unwell
        self._desk = CheckDesk(settings, self.add_future, lambda record: self.guards.of(record))

    def asked(self, checks: Sequence[Check]) -> None:
        """Answer these, each as soon as it can be."""
        for check in checks:
            self.add_future(self._answer(check))

    async def on_stop(self) -> None:
        await self._desk.aclose()
        self._replies.close()

    async def _answer(self, check: Check) -> None:
        try:
            reply = await self.reply(check)
            self._replies.tell(check.request.terminal, reply)
        except Exception:
            # One question that cannot be answered must not stop those of others, nor their payments.
            log.exception("check_failed", terminal=check.request.terminal, payee=check.request.payee)
            return
        took_s = (self._clock.now_ms() - check.arrival.received_at) / 1000
        metrics.CHECKS.labels(reply.source, str(reply.code)).inc()
        metrics.CHECK_SECONDS.labels(reply.source).observe(max(0.0, took_s))

    async def reply(self, check: Check) -> CheckReply:
        """What the terminal is told, within the settings' `check_within_ms`."""
        request, now = check.request, self._clock.now_ms()
        payee = self._directory.payees.get(request.payee)
        looked = Looked(None, 0, None)
        if now - check.arrival.received_at > self._settings.check_stale_s * 1000:
            return _reply(check, payee, looked, _unasked("it was asked too long ago: ask again"), now)
        state = self.shards.state(check.arrival.partition)
        if state is None:
            return _reply(check, payee, looked, _unasked("another worker takes over: ask again"), now)
        looked = look(state, check.tree, request, self._terms(request, payee), now)
        if payee is None or looked.objection is not None:
            return _reply(check, payee, looked, Found("rules", Tracked(_CHECKED)), now)
        found = await self._found(payee, facts_of(request, payee, looked, now))
        return _reply(check, payee, looked, found, self._clock.now_ms())

    def _terms(self, request: CheckRequest, payee: Payee | None) -> Terms:
        terminal = self._directory.terminals.get(request.terminal)
        tariff = self._directory.tariffs.get(request.payee)
        is_sealed = terminal is not None and terminal.sealing is not None
        return Terms(payee, tariff, self._settings.gateway_backlog, is_sealed, self._unwell())

    async def _found(self, payee: Payee, facts: PaymentFacts) -> Found:
        if payee.checked_at == "subscribers":
            return Found("subscribers", *self._lists.track(payee, facts))
        if payee.skip_check or payee.served != "online":
            return Found("rules", Tracked(_CHECKED))
        record = self._directory.gateways.get(facts.gateway)
        if record is None:
            return _unasked("the payee's gateway is not configured")
        tracked = await self._desk.ask(record, facts, self._settings.check_within_ms / 1000)
        return Found("rules", Tracked(_CHECKED)) if tracked.outcome.code == _NO_CHECK else Found("payee", tracked)


_NO_CHECK = unasked("check").code
_CHECKED = GatewayOutcome("check", Verdict.CHECKED)


def _unasked(why: str) -> Found:
    return Found("rules", Tracked(GatewayOutcome("check", Verdict.NOT_SENT, comment=why)))


def _reply(check: Check, payee: Payee | None, looked: Looked, found: Found, at: int) -> CheckReply:
    tracked, request = found.tracked, check.request
    refusal, reason = _verdict(check, looked, tracked)
    is_yes = refusal is None
    denominations = tracked.denominations or (payee.denominations if payee is not None else ())
    return CheckReply(
        id=request.id,
        payee=request.payee,
        code=0 if refusal is None else refusal.code,
        reason=reason[:MAX_TEXT],
        retryable=refusal is not None and refusal.retryable,
        source=found.source,
        name=tracked.name[:MAX_TEXT],
        debt=tracked.debt,
        denominations=denominations[:MAX_DENOMINATIONS],
        shown=tuple(
            ShownField(name=name[:MAX_LABEL], text=text[:MAX_TEXT]) for name, text in tracked.shown[:MAX_SHOWN] if name
        ),
        min_amount=payee.min_amount if payee is not None else None,
        max_amount=payee.max_amount if payee is not None else None,
        fee=looked.fee if is_yes else None,
        currency=payee.currency if payee is not None else None,
        listed_at=ms_instant(found.listed_at) if found.listed_at else None,
        at=ms_instant(at),
    )


def _verdict(check: Check, looked: Looked, tracked: Tracked) -> tuple[Refusal | None, str]:
    """The refusal, None: a payment would be taken as things stand; and why, for people."""
    if looked.objection is not None:
        return looked.objection.refusal, looked.objection.reason or looked.objection.refusal.sentence
    outcome = tracked.outcome
    if outcome.verdict is Verdict.FATAL:
        refusal = refusal_of(outcome.code)
        return refusal, outcome.comment or refusal.sentence
    if outcome.verdict is not Verdict.CHECKED:
        return Refusal.TEMPORARY, _WAY.format(outcome.comment or outcome.code or "the payee gave no clear answer")
    amount = check.request.amount
    if amount is not None and tracked.denominations and amount not in tracked.denominations:
        return (
            Refusal.PAYEE_PROHIBITS,
            "the payee takes fixed amounts only of this subscriber, and this is none of them",
        )
    return None, ""
