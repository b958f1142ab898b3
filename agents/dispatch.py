"""Dispatch: ask payees about payments held or to be reversed, and hand what they say to the shard that decides.

Driven by the fold, not by offsets: what is open there is outstanding. A worker that dies between a request and its
record asks again with the same number when it is back (law 6), and tells the ledger that it cannot know whether the
payee was asked before.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from mode import Service

from agents.bulkhead import Bulkhead, Job
from agents.gateways.base import PaymentGateway, open_gateway
from agents.gateways.http import Http
from schemas.entry import Entry, EntryKind, PaymentFacts, holds
from schemas.gateway import Gateway, RetrySchedule
from schemas.outcome import GatewayOutcome, Step, Verdict
from schemas.payee import Payee
from streams import metrics
from streams.arrival import Ask
from streams.clock import Clock
from streams.directory import Directory
from streams.ledger.commands import Rouse, Settle
from streams.ledger.payments import PaymentState
from streams.ledger.state import State
from streams.ledger.waiting import ready
from streams.shards import NotOurs, Shards

log = structlog.get_logger()

_RETRY_LOOK_S = 0.1
# How often it is asked whether what waits for funds has them without any command having brought them.
_ROUSE_LOOK_S = 0.5
_NOT_CONFIGURED = "the payee's gateway is not configured"
_STILL_ASKED = frozenset({EntryKind.DEFERRED, EntryKind.UNKNOWN, EntryKind.REVERSING})


class Dispatch(Service):
    """A service of the Faust app. `shards` is set before the app starts (the two know each other).

    check_in_list: looks a subscriber up in its payee's uploaded list; set where lists are kept.
    """

    shards: Shards
    check_in_list: Callable[[Payee, PaymentFacts], GatewayOutcome]

    def __init__(self, directory: Directory, secrets: Path, clock: Clock, batch_max: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._batch_max = batch_max
        self._directory = directory
        self._secrets = secrets
        self._clock = clock
        self._http = Http()
        self._bulkheads: dict[str, Bulkhead] = {}
        self._gateways: dict[str, PaymentGateway] = {}
        # By partition: what is queued, asked, or waits for its answer to be decided …
        self._known: dict[int, set[str]] = defaultdict(set)
        # … and what was recovered from the ledger: an earlier worker may have asked.
        self._maybe_sent: dict[int, set[str]] = defaultdict(set)
        self._answers: list[tuple[Job, Settle]] = []
        self._answered = asyncio.Event()

    def put(self, partition: int, payments: list[str]) -> None:
        """Ask about these payments of a partition that is open here, each as soon as its gateway has room."""
        state = self.shards.state(partition)
        for payment in payments:
            found = state.open.get(payment) if state else None
            if found is not None and found.facts is not None and payment not in self._known[partition]:
                self._queue(partition, payment, found.facts.gateway)

    def recovered(self, state: State) -> None:
        """A fold was rebuilt: everything outstanding in it goes (again), unless it is on its way already."""
        now = self._clock.now_ms()
        news = [payment for payment in state.outstanding() if payment.id not in self._known[state.partition]]
        self._maybe_sent[state.partition].update(payment.id for payment in news)
        ready = [payment.id for payment in news if payment.due_at <= now]
        if news:
            log.info("recovered", partition=state.partition, outstanding=len(news), asked_now=len(ready))
        # The shard is announced as open only after this returns, so the queue is filled from the state itself.
        for payment in ready:
            facts = state.open[payment].facts
            if facts is not None:
                self._queue(state.partition, payment, facts.gateway)

    def closed(self, partition: int) -> None:
        """Our tenure of the partition ended. What is queued or asked for it is its next owner's to ask, perhaps ours.

        Answers still on their way are dropped when they come: meanwhile another worker may have asked the payee, and
        only an answer that says so (`sent_before`) is decided rightly.
        """
        self._known.pop(partition, None)
        self._maybe_sent.pop(partition, None)

    def waiting(self) -> dict[str, int]:
        """How many payments wait for a connection, by gateway. May be asked from any thread."""
        return {bulkhead.gateway.id: bulkhead.waiting for bulkhead in list(self._bulkheads.values())}

    @Service.task
    async def _retry(self) -> None:
        while not self.should_stop:
            for partition, payment in await self.shards.due(self._clock.now_ms()):
                self.put(partition, [payment])
            await self.sleep(_RETRY_LOOK_S)

    @Service.task
    async def _rouse(self) -> None:
        """Money that came is found at once, by the command that brought it; a timer finds the rest."""
        while not self.should_stop:
            for partition in self.shards.partitions():
                state = self.shards.state(partition)
                now = self._clock.now_ms()
                books = ready(state, now) if state is not None and state.waiting else []
                if books:
                    with suppress(NotOurs):
                        asks = [Ask(Rouse(book), now) for book in books]
                        self.put(partition, holds(await self.shards.decide(partition, asks)))
            await self.sleep(_ROUSE_LOOK_S)

    @Service.task
    async def _settle(self) -> None:
        while not self.should_stop:
            await self._answered.wait()
            self._answered.clear()
            # So many at once as the broker is slow, but no more than a batch: then it is the new payments' turn.
            answers, self._answers = self._answers[: self._batch_max], self._answers[self._batch_max :]
            if self._answers:
                self._answered.set()
            by_tenure: dict[tuple[int, int], list[Settle]] = defaultdict(list)
            for job, settle in answers:
                by_tenure[job.partition, job.tenure].append(settle)
            await asyncio.gather(*(self._decide(*tenure, settles) for tenure, settles in by_tenure.items()))

    async def on_stop(self) -> None:
        """Calls in flight are dropped: whoever holds the partition next asks again with the same number."""
        for gateway in self._gateways.values():
            await gateway.aclose()

    async def _decide(self, partition: int, tenure: int, settles: list[Settle]) -> None:
        now, entries = self._clock.now_ms(), list[Entry]()
        try:
            entries = await self.shards.decide(partition, [Ask(settle, now) for settle in settles], tenure=tenure)
        except NotOurs:
            log.info("answers_left", partition=partition, payments=len(settles))
        if tenure != self.shards.tenure(partition):
            return
        self._known[partition].difference_update(settle.payment for settle in settles)
        for entry in entries:
            if entry.payment is not None and entry.kind not in _STILL_ASKED:
                self._maybe_sent[partition].discard(entry.payment.id)
        self.put(partition, holds(entries))  # money that was given back may be what another payment waited for

    def _queue(self, partition: int, payment: str, gateway: str) -> None:
        self._known[partition].add(payment)
        self._bulkhead(gateway).put(Job(partition, self.shards.tenure(partition), payment))

    def _bulkhead(self, gateway: str) -> Bulkhead:
        """The gateway's bulkhead, made on first use and made anew when its directory record changed."""
        record = self._directory.gateways.get(gateway) or _unconfigured(gateway)
        bulkhead = self._bulkheads.get(gateway)
        if bulkhead is None or bulkhead.gateway != record:
            fresh = self._bulkheads[gateway] = Bulkhead(record, self._ask, self.add_future)
            if bulkhead is not None:
                for job in bulkhead.retire():
                    fresh.put(job)
                self.add_future(_wind_up(bulkhead, self._gateways.pop(gateway, None)))
        return self._bulkheads[gateway]

    async def _ask(self, job: Job) -> None:
        if job.tenure != self.shards.tenure(job.partition):
            return
        state = self.shards.state(job.partition)
        payment = state.open.get(job.payment) if state else None
        if payment is None or payment.facts is None:
            self._known[job.partition].discard(job.payment)  # final, or it comes again when its shard is open again
            return
        sent_before = payment.id in self._maybe_sent[job.partition]
        record = self._directory.gateways.get(payment.facts.gateway)
        if record is None:
            step: Step = "cancel" if payment.state is EntryKind.REVERSING else "check"
            outcome = GatewayOutcome(step, Verdict.NOT_SENT, "no-gateway", comment=_NOT_CONFIGURED)
            retry = RetrySchedule()
        else:
            outcome, retry = await self._outcome(record, payment, sent_before), record.retry
        self._answers.append((job, Settle(payment.book, payment.id, outcome, retry, sent_before)))
        self._answered.set()

    async def _outcome(self, record: Gateway, payment: PaymentState, sent_before: bool) -> GatewayOutcome:
        gateway = self._gateways.get(record.id)
        if gateway is None:
            gateway = self._gateways[record.id] = open_gateway(record, self._http, self._secrets)
        facts = payment.facts
        assert facts is not None
        is_reversal = payment.state is EntryKind.REVERSING
        try:
            if is_reversal:
                return await _measured(record.id, gateway.cancel(facts))
            if payment.tries == 0 and not sent_before and self._wants_check(facts):
                checked = await self._checked(record, gateway, facts)
                if checked.verdict is not Verdict.CHECKED:
                    return checked
            return await _measured(record.id, gateway.pay(facts))
        except Exception as error:
            # A gateway must not raise. If one does, the payee may have been paid, and no other payment may suffer.
            log.exception("gateway_raised", gateway=record.id, payment=facts.id)
            return GatewayOutcome(
                "cancel" if is_reversal else "pay", Verdict.UNCLEAR, "internal", comment=type(error).__name__
            )

    def _wants_check(self, facts: PaymentFacts) -> bool:
        payee = self._directory.payees.get(facts.payee)
        return payee is None or not payee.skip_check or payee.checked_at == "subscribers"

    async def _checked(self, record: Gateway, gateway: PaymentGateway, facts: PaymentFacts) -> GatewayOutcome:
        """By the payee, or by its list where that is where its subscribers are looked up."""
        payee = self._directory.payees.get(facts.payee)
        if payee is not None and payee.checked_at == "subscribers":
            return self.check_in_list(payee, facts)
        return await _measured(record.id, gateway.check(facts))


async def _measured(gateway: str, asking: Awaitable[GatewayOutcome]) -> GatewayOutcome:
    began = time.perf_counter()
    outcome = await asking
    metrics.GATEWAY_SECONDS.labels(gateway, outcome.step).observe(time.perf_counter() - began)
    metrics.GATEWAY_REQUESTS.labels(gateway, outcome.step, outcome.verdict.value).inc()
    return outcome


def _unconfigured(gateway: str) -> Gateway:
    return Gateway(id=gateway, protocol="osmp", url="http://unconfigured.invalid/", connections=1)


async def _wind_up(bulkhead: Bulkhead, gateway: PaymentGateway | None) -> None:
    await bulkhead.finished()
    if gateway is not None:
        await gateway.aclose()
