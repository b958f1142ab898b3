"""In which order a payee is asked about a payment, and that it is never asked twice to pay where it would pay twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agents.asking import Answer, Asking
from agents.dispatch import Dispatch
from agents.gateways.capabilities import Capabilities, StatementLine
from agents.gateways.guard import Guard
from agents.gateways.guarded import GuardedGateway
from schemas.entry import Entry, EntryKind, PaymentFacts
from schemas.outcome import GatewayOutcome, Step, Verdict
from streams.arrival import Ask
from streams.clock import Clock
from streams.ledger.payments import PaymentState
from streams.ledger.perform import perform
from streams.ledger.state import State
from streams.shards import NotOurs
from tests.builders import a_place, a_retry, a_send, a_settle, a_tree, decided
from tests.builders_reversal import a_reversal
from tests.gateway_builders import a_gateway

PAID, CANCELLED, CHECKED, FATAL, ABSENT, UNCLEAR, NOT_SENT = Verdict
YES: dict[Step, Verdict] = {"check": CHECKED, "pay": PAID, "status": PAID, "cancel": CANCELLED}
PAYS_TWICE = Capabilities(idempotent=False)
PAYMENT = "kiosk-1.1"


class FakeGateway:
    """Answers yes, or what a test says; `asked` is every question that left."""

    def __init__(self, capabilities: Capabilities, *answers: tuple[Step, Verdict]) -> None:
        self.capabilities = capabilities
        self.asked: list[Step] = []
        self.before: Callable[[], None] = lambda: None
        self._answers = dict(answers)

    async def check(self, facts: PaymentFacts) -> GatewayOutcome:
        return self._answer("check")

    async def pay(self, facts: PaymentFacts) -> GatewayOutcome:
        return self._answer("pay")

    async def status(self, facts: PaymentFacts) -> GatewayOutcome:
        return self._answer("status")

    async def cancel(self, facts: PaymentFacts) -> GatewayOutcome:
        return self._answer("cancel")

    async def statement(self, since_ms: int, until_ms: int) -> Sequence[StatementLine] | GatewayOutcome:
        raise NotImplementedError

    async def aclose(self) -> None: ...

    def _answer(self, step: Step) -> GatewayOutcome:
        self.before()
        self.asked.append(step)
        return GatewayOutcome(step, self._answers.get(step, YES[step]))


def a_payment_in(*steps) -> PaymentState:
    state = a_tree()
    for command in (a_place(), *steps):
        decided(state, command)
    return state.open[PAYMENT]


async def answer_of(
    gateway: FakeGateway,
    payment: PaymentState,
    *,
    maybe_sent: bool = False,
    leaves: bool = True,
    wants_check: bool = True,
) -> Answer | None:
    async def leave() -> bool:
        gateway.asked.append("SENT")
        return leaves

    assert payment.facts is not None
    asking = Asking(gateway, payment, payment.facts, maybe_sent, leave, lambda: leaves)
    return await asking.answer(wants_check=wants_check)


HELD: list[object] = []
SENT = [a_send()]
UNKNOWN = [a_settle(verdict=UNCLEAR)]
STATUS = Capabilities(status=True)
STATUS_ONLY = Capabilities(status=True, idempotent=False)
NO_CHECK = Capabilities(check=False)


@pytest.mark.parametrize(
    ("can", "steps", "maybe_sent", "says", "asked"),
    [
        (Capabilities(), HELD, False, [], "check pay"),
        (NO_CHECK, HELD, False, [], "pay"),
        (Capabilities(), HELD, False, [("check", FATAL)], "check"),
        (Capabilities(), HELD, False, [("check", UNCLEAR)], "check"),
        (Capabilities(), HELD, True, [], "pay"),
        (Capabilities(), UNKNOWN, False, [], "pay"),
        (STATUS, HELD, False, [], "check pay"),
        (STATUS, HELD, True, [], "status"),
        (STATUS, HELD, True, [("status", ABSENT)], "status pay"),
        (STATUS, UNKNOWN, False, [], "status"),
        (STATUS, UNKNOWN, False, [("status", FATAL)], "status"),
        (STATUS, UNKNOWN, False, [("status", ABSENT)], "status pay"),
        (STATUS, UNKNOWN, False, [("status", UNCLEAR)], "status"),
        (STATUS, UNKNOWN, False, [("status", NOT_SENT)], "status"),
        (PAYS_TWICE, HELD, False, [], "check SENT pay"),
        (PAYS_TWICE, HELD, True, [], "check SENT pay"),  # no earlier worker can have asked: it would be SENT
        (PAYS_TWICE, HELD, False, [("check", FATAL)], "check"),
        (PAYS_TWICE, SENT, True, [], ""),
        (PAYS_TWICE, UNKNOWN, False, [], ""),
        (STATUS_ONLY, HELD, False, [], "check SENT pay"),
        (STATUS_ONLY, SENT, True, [], "status"),
        (STATUS_ONLY, SENT, True, [("status", ABSENT)], "status"),  # it may be on its way still
        (STATUS_ONLY, UNKNOWN, False, [("status", ABSENT)], "status"),
        (replace(STATUS, cancel=True), [a_settle(), a_reversal()], True, [], "cancel"),
    ],
)
async def test_who_is_asked_what(can, steps, maybe_sent, says, asked):
    gateway = FakeGateway(can, *says)
    answer = await answer_of(gateway, a_payment_in(*steps), maybe_sent=maybe_sent)
    assert " ".join(gateway.asked) == asked
    assert answer is not None
    questions = [step for step in gateway.asked if step != "SENT"] or ["status"]
    assert answer.outcome.step == questions[-1]
    assert answer.is_last == (not can.idempotent and not can.status)
    assert answer.sent_before == (maybe_sent and can.idempotent)


async def test_a_check_that_is_not_wanted_is_not_asked() -> None:
    gateway = FakeGateway(Capabilities())
    await answer_of(gateway, a_payment_in(), wants_check=False)
    assert gateway.asked == ["pay"]


async def test_without_its_entry_a_pay_does_not_leave() -> None:
    gateway = FakeGateway(PAYS_TWICE)
    assert await answer_of(gateway, a_payment_in(), leaves=False) is None
    assert gateway.asked == ["check", "SENT"]


@pytest.mark.parametrize("step", ["check", "pay"])
async def test_a_gateway_that_raises_is_an_unclear_answer_to_that_question(step: Step) -> None:
    gateway = FakeGateway(Capabilities())

    async def broken(facts: PaymentFacts) -> GatewayOutcome:
        raise RuntimeError(facts.subscriber)

    setattr(gateway, step, broken)
    answer = await answer_of(gateway, a_payment_in())
    assert answer is not None
    assert answer.outcome == GatewayOutcome(step, UNCLEAR, "internal", comment="RuntimeError")


# --- dispatch, its shard and a worker that dies ---------------------------------------------------------------------


class FakeShards:
    """One partition in memory. `lost`: how many commits go through whose word of it is lost, so the fold is rebuilt."""

    def __init__(self, state: State) -> None:
        self.fold, self.log = state, list[Entry]()
        self.lost, self.refused, self.number = 0, 0, 1

    def state(self, partition: int) -> State:
        return self.fold

    def tenure(self, partition: int) -> int:
        return self.number

    def partitions(self) -> list[int]:
        return [0]

    async def due(self, at: int) -> list[tuple[int, str]]:
        return []

    async def decide(self, partition: int, asks: list[Ask], *, tenure: int) -> list[Entry]:
        await asyncio.sleep(0)
        if tenure != self.number:
            self.refused += 1
            raise NotOurs
        while True:
            entries = []
            for ask in asks:
                decision = perform(self.fold, ask.command, ask.at)
                entries += decision if isinstance(decision, list) else []
            self.log += entries
            if not self.lost:
                return entries
            self.lost -= 1


class FakeDirectory:
    def __init__(self) -> None:
        self.gateways = {"osmp-1": a_gateway("http://payee.invalid/", id="osmp-1", retry=a_retry(budget=1))}
        self.payees: dict[str, object] = {}


def a_dispatch(shards: FakeShards, gateway: FakeGateway) -> Dispatch:
    dispatch = Dispatch(FakeDirectory(), Path("/nonexistent"), Clock(), 100)  # type: ignore[arg-type]
    dispatch.shards = shards  # type: ignore[assignment]
    dispatch._gateways["osmp-1"] = GuardedGateway(gateway, Guard(dispatch._directory.gateways["osmp-1"]))
    return dispatch


async def run(shards: FakeShards, gateway: FakeGateway, until: Callable[[], bool], *, recovered: bool) -> None:
    dispatch = a_dispatch(shards, gateway)
    if recovered:
        dispatch.recovered(shards.fold)
    else:
        dispatch.put(0, [PAYMENT])
    async with dispatch:
        for _ in range(2_000):
            if until():
                break
            await asyncio.sleep(0.002)
        assert until(), [entry.kind for entry in shards.log]
        for _ in range(10):  # what wrongly follows at once would have its turn here
            await asyncio.sleep(0)


def a_fold(*steps) -> State:
    state = a_tree()
    for command in (a_place(), *steps):
        decided(state, command)
    return state


@pytest.mark.parametrize("lost", [0, 1, 3])
async def test_a_pay_leaves_once_its_entry_is_committed_however_often_that_takes(lost: int) -> None:
    shards, gateway = FakeShards(a_fold()), FakeGateway(PAYS_TWICE)
    shards.lost = lost
    seen: list[str] = []
    gateway.before = lambda: seen.append(shards.fold.open[PAYMENT].state)
    await run(shards, gateway, lambda: PAYMENT not in shards.fold.open, recovered=False)
    assert seen == ["HELD", "SENT"]  # at the check, and at the pay
    assert gateway.asked == ["check", "pay"]
    assert [entry.kind for entry in shards.log] == [EntryKind.SENT, EntryKind.POSTED]


@pytest.mark.parametrize(
    ("can", "says", "asked", "ends"),
    [
        (PAYS_TWICE, [], [], "MANUAL"),
        (STATUS_ONLY, [], ["status"], "POSTED"),
        (STATUS_ONLY, [("status", FATAL)], ["status"], "VOIDED"),
        (STATUS_ONLY, [("status", ABSENT)], ["status"], "MANUAL"),  # the retry budget is 1 here
        (STATUS_ONLY, [("status", NOT_SENT)], ["status"], "MANUAL"),
    ],
)
async def test_what_a_dead_worker_had_sent_is_never_paid_again(can, says, asked, ends) -> None:
    shards, gateway = FakeShards(a_fold(a_send())), FakeGateway(can, *says)
    await run(shards, gateway, lambda: bool(shards.log), recovered=True)
    assert gateway.asked == asked
    assert [entry.kind for entry in shards.log] == [ends]


@pytest.mark.parametrize(
    ("can", "steps", "asked"),
    [(PAYS_TWICE, [], "check"), (Capabilities(), [], "check"), (STATUS, UNKNOWN, "status")],
)
async def test_a_pay_whose_partition_went_to_another_worker_does_not_leave(can, steps, asked) -> None:
    shards, gateway = FakeShards(a_fold(*steps)), FakeGateway(can, ("status", ABSENT))

    def give_up() -> None:
        shards.number += 1

    gateway.before = give_up
    await run(shards, gateway, lambda: shards.number > 1, recovered=False)
    assert gateway.asked == [asked]
    assert shards.log == []
