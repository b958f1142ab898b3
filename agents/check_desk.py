"""Asking payees before payment: over connections of their own, each question once, and never longer than one waits.

What a check may take of a payee is bounded by itself, so that no number of them costs a payment its connection.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from agents.gateways.base import open_gateway
from agents.gateways.guard import Guard
from agents.gateways.http import Http
from agents.gateways.seam import PaymentGateway
from agents.gateways.tracks import track
from schemas.entry import PaymentFacts
from schemas.gateway import Gateway
from schemas.outcome import GatewayOutcome, Verdict
from schemas.tracking import Tracked
from streams import metrics
from streams.settings import Settings

log = structlog.get_logger()

# A payee that needs longer is asked on for those who repeat their question, but not for as long as a payment would.
_LONGEST_MS = 10_000
# Questions that may wait for a gateway's connections, and answers that are kept.
_QUEUE, _KEPT = 50, 10_000

_CLEAR = frozenset({Verdict.CHECKED, Verdict.FATAL})
Question = tuple[str, str, tuple[tuple[str, str], ...], int]
Spawn = Callable[[Coroutine[Any, Any, None]], Any]
GuardOf = Callable[[Gateway], Guard]
Open = Callable[[Gateway, Http, Path, Guard], PaymentGateway]


@dataclass(slots=True)
class _Window:
    """The connections of checks to one gateway. asked: under way or waiting. is_retired: the record has changed."""

    record: Gateway
    gateway: PaymentGateway
    room: asyncio.Semaphore
    asked: int = 0
    is_retired: bool = False


@dataclass(slots=True)
class _Answer:
    """A question on its way (until: 0), or its answer. until: when it is forgotten, by a clock that only grows."""

    came: asyncio.Event = field(default_factory=asyncio.Event)
    tracked: Tracked | None = None
    until: float = 0


class CheckDesk:
    """`spawn` runs a coroutine as a supervised task; `clock` gives seconds that only grow.

    guard_of: the payments' guard of a gateway.
    """

    def __init__(
        self,
        settings: Settings,
        spawn: Spawn,
        guard_of: GuardOf,
        clock: Callable[[], float] = time.monotonic,
        open_one: Open = open_gateway,
    ) -> None:
        self._settings = settings
        self._spawn = spawn
        self._guard_of = guard_of
        self._clock = clock
        self._open = open_one
        self._http = Http()
        self._windows: dict[str, _Window] = {}
        self._answers: OrderedDict[Question, _Answer] = OrderedDict()

    async def ask(self, record: Gateway, facts: PaymentFacts, within_s: float) -> Tracked:
        """What the payee says, or NOT_SENT or UNCLEAR of ours when it does not in time. Does not raise."""
        question = (record.id, facts.payee, tuple(facts.subscriber.items()), facts.amount)
        answer = self._answers.get(question)
        if answer is None or (answer.until and answer.until < self._clock()):
            window = self._window(record)
            if window.asked >= _QUEUE:
                return _not_sent("crowded", "too many ask this payee at once")
            self._answers.pop(question, None)
            self._forget()
            answer = self._answers[question] = _Answer()
            window.asked += 1
            self._spawn(self._carry(window, question, answer, facts))
        try:
            async with asyncio.timeout(within_s):
                await answer.came.wait()
        except TimeoutError:
            late = GatewayOutcome("check", Verdict.UNCLEAR, "timeout", comment="the payee has not answered in time")
            return Tracked(late)
        return answer.tracked or _not_sent("stopping", "the worker stops")

    async def aclose(self) -> None:
        for window in self._windows.values():
            await window.gateway.aclose()

    async def _carry(self, window: _Window, question: Question, answer: _Answer, facts: PaymentFacts) -> None:
        """Ask once there is room, whoever still waits for it."""
        try:
            async with window.room:
                answer.tracked = await _measured(window.record.id, window.gateway, facts)
        except Exception as error:
            log.exception("check_raised", gateway=window.record.id, payee=facts.payee)
            answer.tracked = _not_sent("internal", type(error).__name__)
        finally:
            window.asked -= 1
            answer.until = self._clock() + self._settings.check_kept_s
            is_kept = answer.tracked is not None and answer.tracked.outcome.verdict in _CLEAR
            if not is_kept and self._answers.get(question) is answer:
                del self._answers[question]
            answer.came.set()
        if window.is_retired:
            await _retired(window)

    def _window(self, record: Gateway) -> _Window:
        """The gateway's, made on first use and made anew when its directory record changed."""
        window = self._windows.get(record.id)
        if window is not None and window.record == record:
            return window
        if window is not None:
            self._spawn(_retired(window))
        connections = min(self._settings.check_connections, record.connections)
        brief = record.model_copy(
            update={"connections": connections, "time_out_ms": min(record.time_out_ms, _LONGEST_MS)}
        )
        guard = Guard(brief, aside_of=self._guard_of(record))
        gateway = self._open(brief, self._http, self._settings.keys / "gateways", guard)
        fresh = self._windows[record.id] = _Window(record, gateway, asyncio.Semaphore(connections))
        return fresh

    def _forget(self) -> None:
        """The oldest answers, where there are too many; those under way stay."""
        while len(self._answers) > _KEPT:
            question, answer = next(iter(self._answers.items()))
            if not answer.until:
                return
            del self._answers[question]


async def _measured(gateway: str, asked: PaymentGateway, facts: PaymentFacts) -> Tracked:
    began = time.perf_counter()
    tracked = await track(asked, facts)
    metrics.GATEWAY_SECONDS.labels(gateway, "check").observe(time.perf_counter() - began)
    metrics.GATEWAY_REQUESTS.labels(gateway, "check", tracked.outcome.verdict.value).inc()
    return tracked


def _not_sent(code: str, comment: str) -> Tracked:
    return Tracked(GatewayOutcome("check", Verdict.NOT_SENT, code, comment=comment))


async def _retired(window: _Window) -> None:
    """Take no more questions; whoever is the last under way closes the connections."""
    window.is_retired = True
    if not window.asked:
        await window.gateway.aclose()
