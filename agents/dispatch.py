"""Dispatch: ask payees about payments held or to be reversed, and hand what they say to the shard that decides.

Driven by the fold, not by offsets: what is open there is outstanding. A worker that dies between a request and its
record asks again with the same number when it is back (law 6), and tells the ledger that it cannot know whether the
payee was asked before. Where a payee would pay again, the ledger has it that a pay is leaving before it leaves.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from mode import Service

from agents.asking import Asking
from agents.breaker import OPEN_CODE, Circuit
from agents.bulkhead import Bulkhead, Job
from agents.gateway_silence import GatewaySilence
from agents.gateways.base import open_gateway
from agents.gateways.guard import Guards, Health
from agents.gateways.guarded import GuardedGateway
from agents.gateways.http import Http
from agents.gateways.seam import PaymentGateway
from agents.listed import NO_LIST, Listed
from schemas.entry import Entry, EntryKind, PaymentFacts, holds
from schemas.gateway import Gateway, RetrySchedule
from schemas.outcome import GatewayOutcome, Step, Verdict
from schemas.payee import Payee
from streams.arrival import Ask
from streams.clock import Clock
from streams.directory import Directory
from streams.ledger.commands import Rouse, Send, Settle
from streams.ledger.payments import PaymentState
from streams.ledger.state import State
from streams.ledger.waiting import ready
from streams.shards import NotOurs, Shards

log = structlog.get_logger()

_RETRY_LOOK_S = 0.1
# How often it is asked whether what waits for funds has them without any command having brought them.
_ROUSE_LOOK_S = 0.5
_NOT_CONFIGURED = "the payee's gateway is not configured"
_STILL_ASKED = frozenset(
    {EntryKind.DEFERRED, EntryKind.REROUTED, EntryKind.SENT, EntryKind.UNKNOWN, EntryKind.REVERSING}
)


class Dispatch(Service):
    """A service of the Faust app. `shards` is set before the app starts (the two know each other).

    guards: shared with whoever else asks these payees. check_in_list: looks a subscriber up in its payee's uploaded
    list; set where lists are kept.
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
        self.guards = Guards()
        self._silence = GatewaySilence()
        self._bulkheads: dict[str, Bulkhead] = {}
        self._gateways: dict[str, GuardedGateway] = {}
        # By partition: what is queued, asked, or waits for its answer to be decided …
        self._known: dict[int, set[str]] = defaultdict(set)
        # … and what was recovered from the ledger: an earlier worker may have asked.
        self._maybe_sent: dict[int, set[str]] = defaultdict(set)
        self._to_decide: list[tuple[Job, Settle | Send]] = []
        self._has_to_decide = asyncio.Event()
        self._leaving: dict[Job, asyncio.Future[bool]] = {}  # pays that wait for their SENT

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

    def told(self, job: Job, settle: Settle) -> None:
        """An answer about a payment that came otherwise than by asking about it, to be decided as ours are."""
        self._decided_soon(job, settle)

    def waiting(self) -> dict[str, int]:
        """How many payments wait for a connection, by gateway. May be asked from any thread."""
        return {bulkhead.gateway.id: bulkhead.waiting for bulkhead in list(self._bulkheads.values())}

    def unwell(self) -> frozenset[str]:
        """Gateways that do not work at the moment. May be asked from any thread."""
        left_alone = {gateway for gateway, health in self.health().items() if health.circuit is Circuit.OPEN}
        return self._silence.unwell(self._clock.now_ms()) | left_alone

    def health(self) -> dict[str, Health]:
        """Of the gateways asked here so far, by id. May be asked from any thread."""
        return {gateway: guarded.health for gateway, guarded in list(self._gateways.items())}

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
    async def _decide(self) -> None:
        while not self.should_stop:
            await self._has_to_decide.wait()
            self._has_to_decide.clear()
            # So many at once as the broker is slow, but no more than a batch: then it is the new payments' turn.
            batch, self._to_decide = self._to_decide[: self._batch_max], self._to_decide[self._batch_max :]
            if self._to_decide:
                self._has_to_decide.set()
            by_tenure: dict[tuple[int, int], list[tuple[Job, Settle | Send]]] = defaultdict(list)
            for job, command in batch:
                by_tenure[job.partition, job.tenure].append((job, command))
            await asyncio.gather(*(self._decide_all(*tenure, commands) for tenure, commands in by_tenure.items()))

    async def on_stop(self) -> None:
        """Calls in flight are dropped: whoever holds the partition next asks again with the same number."""
        for gateway in self._gateways.values():
            await gateway.aclose()

    async def _decide_all(self, partition: int, tenure: int, commands: list[tuple[Job, Settle | Send]]) -> None:
        now, entries = self._clock.now_ms(), list[Entry]()
        try:
            entries = await self.shards.decide(partition, [Ask(command, now) for _, command in commands], tenure=tenure)
        except NotOurs:
            log.info("answers_left", partition=partition, payments=len(commands))
        is_ours = tenure == self.shards.tenure(partition)
        for job, command in commands:
            if isinstance(command, Send):
                self._leaving.pop(job).set_result(is_ours and self._is_sent(job))
            elif is_ours:
                self._known[partition].discard(command.payment)
        if not is_ours:
            return
        for entry in entries:
            if entry.payment is not None and entry.kind not in _STILL_ASKED:
                self._maybe_sent[partition].discard(entry.payment.id)
        self.put(partition, holds(entries))  # money that was given back may be what another payment waited for

    def _is_ours(self, job: Job) -> bool:
        return job.tenure == self.shards.tenure(job.partition)

    def _is_sent(self, job: Job) -> bool:
        """Is it on the ledger that its pay is about to leave?

        Asked of the fold and not of the batch's entries: they are another batch's where a first commit was in doubt. In
        one tenure a payment has one job at a time, so nobody else has said so.
        """
        state = self.shards.state(job.partition)
        payment = state.open.get(job.payment) if state else None
        return payment is not None and payment.state is EntryKind.SENT

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
        if not self._is_ours(job):
            return
        state = self.shards.state(job.partition)
        payment = state.open.get(job.payment) if state else None
        if payment is None or payment.facts is None:
            self._known[job.partition].discard(job.payment)  # final, or it comes again when its shard is open again
            return
        settle = await self._asked(job, payment, payment.facts)
        if settle is not None:  # else it was given up meanwhile, and what is known now is of another tenure
            self._decided_soon(job, settle)

    async def _asked(self, job: Job, payment: PaymentState, facts: PaymentFacts) -> Settle | None:
        """Ask the payee; None: it is not ours to ask any more."""
        maybe_sent, technical = payment.id in self._maybe_sent[job.partition], self._technical(facts)
        record = self._directory.gateways.get(facts.gateway)
        if record is None:
            nobody = _nobody_to_ask(payment)
            return Settle(payment.book, payment.id, nobody, RetrySchedule(), maybe_sent, technical=technical)
        gateway = self._gateway(record)
        leave, is_ours = partial(self._leave, job, payment), partial(self._is_ours, job)
        asking = Asking(self._as_asked(gateway, facts), payment, facts, maybe_sent, leave, is_ours)
        answer = await asking.answer(wants_check=self._wants_check(facts))
        if answer is None:
            return None
        outcome = answer.outcome
        if outcome.code != NO_LIST:  # which says nothing of the gateway
            self._silence.answered(record.id, outcome, self._clock.now_ms())
        not_before = self._clock.now_ms() + gateway.health.open_for_ms if outcome.code == OPEN_CODE else 0
        sent_before, is_last = answer.sent_before, answer.is_last
        return Settle(payment.book, payment.id, outcome, record.retry, sent_before, is_last, technical, not_before)

    def _technical(self, facts: PaymentFacts) -> frozenset[str]:
        """By which codes of a check this gateway speaks of itself, not of the subscriber."""
        payee = self._directory.payees.get(facts.payee)
        routes = payee.routes if payee is not None and facts.routes else ()
        return frozenset(code for route in routes if route.gateway == facts.gateway for code in route.technical)

    async def _leave(self, job: Job, payment: PaymentState) -> bool:
        """Have it on the ledger that a pay is about to leave; False: it must not."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._leaving[job] = future
        self._decided_soon(job, Send(payment.book, payment.id))
        return await future

    def _decided_soon(self, job: Job, command: Settle | Send) -> None:
        self._to_decide.append((job, command))
        self._has_to_decide.set()

    def _gateway(self, record: Gateway) -> GuardedGateway:
        gateway = self._gateways.get(record.id)
        if gateway is None:
            guard = self.guards.of(record)
            gateway = self._gateways[record.id] = open_gateway(record, self._http, self._secrets, guard)
        return gateway

    def _wants_check(self, facts: PaymentFacts) -> bool:
        payee = self._directory.payees.get(facts.payee)
        return payee is None or not payee.skip_check or payee.checked_at == "subscribers"

    def _as_asked(self, gateway: GuardedGateway, facts: PaymentFacts) -> PaymentGateway:
        """The gateway; where the payee's subscribers are in its list, with the list's word for the payee's check."""
        payee = self._directory.payees.get(facts.payee)
        if payee is None or payee.checked_at != "subscribers":
            return gateway
        return Listed(gateway, partial(self.check_in_list, payee))


def _nobody_to_ask(payment: PaymentState) -> GatewayOutcome:
    step: Step = "cancel" if payment.state is EntryKind.REVERSING else "check"
    return GatewayOutcome(step, Verdict.NOT_SENT, "no-gateway", comment=_NOT_CONFIGURED)


def _unconfigured(gateway: str) -> Gateway:
    return Gateway(id=gateway, protocol="osmp", url="http://unconfigured.invalid/", connections=1)


async def _wind_up(bulkhead: Bulkhead, gateway: GuardedGateway | None) -> None:
    await bulkhead.finished()
    if gateway is not None:
        await gateway.aclose()
