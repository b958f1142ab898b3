"""The clock of statements: payments in doubt are looked for in what their payee has booked, before a person has to.

Only where the payee has a statement. It has no memory that matters: who is in doubt follows from the fold, and whoever
asks, the ledger settles a payment once. An operator's decision that comes first makes the statement's answer stale.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from mode import Service

from agents.bulkhead import Job
from agents.gateways.base import PaymentGateway, open_gateway
from agents.gateways.capabilities import StatementLine
from agents.gateways.guard import Guards
from agents.gateways.http import Http
from agents.statement_answers import Contradiction, Doubt, Window, answers, doubts, windows
from schemas.alert import Alert, AlertKind, Severity
from schemas.gateway import Gateway
from schemas.ids import ms_instant
from schemas.outcome import GatewayOutcome
from streams import metrics
from streams.arrival import Tell
from streams.clock import Clock
from streams.directory import Directory
from streams.ledger.commands import Settle
from streams.settings import Settings
from streams.shards import NotOurs, Shards

log = structlog.get_logger()

_LOOK_S = 5.0  # a look goes through all open payments, in the loop that decides
_LONGEST_WAIT_MS = 3_600_000
_DAY_MS = 86_400_000
_AT_ONCE = 1_000  # payments looked for in one go, the oldest first

# Hands an answer to whoever decides about payees' answers.
Told = Callable[[Job, Settle], None]


class StatementClock(Service):
    """A service of the Faust app. told, guards: dispatch's. It has a connection of its own to each payee it asks."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        shards: Shards,
        clock: Clock,
        told: Told,
        guards: Guards,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._every_ms = settings.statement_every_s * 1000
        self._back_ms = settings.statement_days * _DAY_MS
        self._secrets: Path = settings.keys / "gateways"
        self._directory = directory
        self._shards = shards
        self._clock = clock
        self._told = told
        self._guards = guards
        self._http = Http()
        self._asking: set[str] = set()
        self._having: dict[str, tuple[Gateway, bool]] = {}
        # By payment, and whether it is still asked about: how long it waits after a look in vain, and till when.
        self._waits: dict[tuple[str, bool], tuple[int, int]] = {}

    @Service.task
    async def _run(self) -> None:
        while not self.should_stop:
            now = self._clock.now_ms()
            for record, due in await self.due(now):
                self._asking.add(record.id)
                self.add_future(self._ask_once(record, due, now))
            await self.sleep(_LOOK_S)

    async def due(self, now: int) -> list[tuple[Gateway, list[Doubt]]]:
        """By gateway, the payments whose payee's statement is to be asked for now (ms UTC)."""
        found: dict[str, list[Doubt]] = defaultdict(list)
        having = {record.id for record in list(self._directory.gateways.values()) if await self._has_one(record)}
        for partition in self._shards.partitions() if having else ():
            state = self._shards.state(partition)
            for doubt in doubts(state, self._shards.tenure(partition), having) if state is not None else ():
                if now - doubt.received_at <= self._back_ms:
                    found[doubt.gateway].append(doubt)
        known = {doubt.payment for held in found.values() for doubt in held}
        self._waits = {key: wait for key, wait in self._waits.items() if key[0] in known}
        asked = []
        for gateway, held in found.items():
            record = self._directory.gateways.get(gateway)
            due = sorted((doubt for doubt in held if self._is_due(doubt, now)), key=lambda doubt: doubt.received_at)
            if due and record is not None and gateway not in self._asking:
                asked.append((record, due[:_AT_ONCE]))
        return asked

    async def ask(self, record: Gateway, due: Sequence[Doubt], now: int) -> int:
        """Ask for the payee's statement up to now (ms UTC); how many answers were handed on."""
        one_line = record.model_copy(update={"connections": 1})
        gateway = open_gateway(one_line, self._http, self._secrets, self._guards.of(record))
        complete_ms, told = record.statement_complete_ms, 0
        try:
            for window in windows(due, now, complete_ms):
                lines = await self._lines(record, gateway, window)
                for said in answers(window, lines, complete_ms) if lines is not None else ():
                    told += await self._hand_on(record, said)
        finally:
            await gateway.aclose()
            self._wait_longer(due, now)
        return told

    async def _has_one(self, record: Gateway) -> bool:
        """Can this payee be asked for a statement? Nothing is sent to find out, and each record is looked at once."""
        known = self._having.get(record.id)
        if known is None or known[0] != record:
            gateway = open_gateway(record, self._http, self._secrets)
            known = self._having[record.id] = record, gateway.capabilities.statement
            await gateway.aclose()
        return known[1]

    async def _ask_once(self, record: Gateway, due: list[Doubt], now: int) -> None:
        """One slow payee holds no other's statement up, and is not asked a second time meanwhile."""
        try:
            await self.ask(record, due, now)
        except Exception:
            log.exception("statement_failed", gateway=record.id)
        finally:
            self._asking.discard(record.id)

    async def _lines(self, record: Gateway, gateway: PaymentGateway, window: Window) -> Sequence[StatementLine] | None:
        began = time.perf_counter()
        said = await gateway.statement(window.since, window.until)
        came = said.verdict.value if isinstance(said, GatewayOutcome) else "READ"
        metrics.GATEWAY_SECONDS.labels(record.id, "statement").observe(time.perf_counter() - began)
        metrics.GATEWAY_REQUESTS.labels(record.id, "statement", came).inc()
        if isinstance(said, GatewayOutcome):
            log.warning("no_statement", gateway=record.id, code=said.code, comment=said.comment)
            return None
        log.info("statement_read", gateway=record.id, lines=len(said), in_doubt=len(window.doubts))
        return said

    async def _hand_on(self, record: Gateway, said: tuple[Doubt, GatewayOutcome] | Contradiction) -> int:
        if isinstance(said, Contradiction):
            await self._alert(record, said)
            return 0
        doubt, outcome = said
        settle = Settle(doubt.book, doubt.payment, outcome, record.retry, sent_before=False)
        self._told(Job(doubt.partition, doubt.tenure, doubt.payment), settle)
        log.info("settled_by_statement", gateway=record.id, payment=doubt.payment, verdict=outcome.verdict.value)
        return 1

    async def _alert(self, record: Gateway, found: Contradiction) -> None:
        """The payment stays what it is, for a person to look at."""
        doubt = found.doubt
        at = ms_instant(self._clock.now_ms())
        alert = Alert(
            kind=AlertKind.STATEMENT_DIFFERS,
            subject=doubt.payment,
            severity=Severity.CRITICAL,
            text=f"the statement of gateway {record.id}, in which payment {doubt.payment} was looked for, {found.text}",
            at=at,
            since=at,
            count=1,
        )
        with suppress(NotOurs):
            await self._shards.decide(doubt.partition, [Tell(alert)], tenure=doubt.tenure)

    def _is_due(self, doubt: Doubt, now: int) -> bool:
        """One that has come to MANUAL at once; one that is asked about still gets a while of that first."""
        first = doubt.received_at + self._every_ms if doubt.is_asked else 0
        _, until = self._waits.get((doubt.payment, doubt.is_asked), (0, first))
        return now >= until

    def _wait_longer(self, looked_for: Sequence[Doubt], now: int) -> None:
        for doubt in looked_for:
            key = doubt.payment, doubt.is_asked
            waited, _ = self._waits.get(key, (0, 0))
            wait = min(2 * waited or self._every_ms, max(_LONGEST_WAIT_MS, self._every_ms))
            self._waits[key] = wait, now + wait
