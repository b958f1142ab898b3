"""The process in which the suite's terminals live: sends at a rate, listens all the time, writes everything down."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from random import Random
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from console.fleet_kinds import Kind
from console.fleet_world import FleetPayee, FleetTerminal, World
from console.replies import ReplyReader
from console.requests import Request
from schemas.envelope import VerifyingKey
from streams.clients import producer
from streams.compacted import SILENT
from streams.keyring import ensure_sealing_key, load_operator_key, load_server_public, load_terminal_key
from streams.pin_keys import ensure_pin_key
from streams.settings import Settings
from streams.topics import COMMANDS, PAYMENTS
from tests.chaos.counter import Counter
from tests.chaos.history import History
from tests.chaos.orders import Operators
from tests.chaos.other_payees import HEATING, PIN_KEY
from tests.chaos.past import SOMEWHERE
from tests.chaos.questions import Questions
from tests.chaos.traffic import Traffic

_TURN_S = 0.02
_REPLIES_A_TURN = 1_000
_LONGEST_BURST_S = 2.0
_ORDER_EVERY_S = 1.0
_ASK_EVERY_S = 0.25
_LAST_QUESTIONS = 6
_GIVE_UP_MS = 60_000  # a message that Kafka's client could not deliver for so long has an unknown outcome
_SILENT_S, _LISTEN_S = 3.0, 30.0
_OPERATOR = "root"
_CASH_BPS = 2_000  # of a payment in five the cash is taken first: it waits for funds, and makes change


@dataclass(frozen=True)
class Enrolled:
    """A terminal as another process can be told of it: its key is on disk."""

    id: str
    agent: str
    tree: str
    currency: str
    first_number: int

    @classmethod
    def of(cls, terminal: FleetTerminal) -> Enrolled:
        return cls(terminal.id, terminal.agent, terminal.tree, terminal.currency, terminal.first_number)

    def with_key(self, settings: Settings) -> FleetTerminal:
        key = load_terminal_key(settings, self.id)
        return FleetTerminal(self.id, self.agent, self.tree, self.currency, key, self.first_number)


@dataclass(frozen=True)
class Controls:
    """Shared with the suite's own process. rate: messages a second."""

    rate: Synchronized[float]
    sent: Synchronized[int]
    acked: Synchronized[int]
    failed: Synchronized[int]
    told: Synchronized[int]
    listening: Event
    stop: Event


@dataclass(frozen=True)
class Plan:
    settings: Settings
    terminals: Sequence[Enrolled]
    payees: Sequence[FleetPayee]
    others: Sequence[FleetPayee]
    history: History
    seed: int
    bad_bps: int


def live(plan: Plan, controls: Controls) -> None:
    """Runs until told to stop, or until the suite's own process is gone."""
    with plan.history as history:
        Terminals(plan, controls, history).run()


class Terminals:
    def __init__(self, plan: Plan, controls: Controls, history: History) -> None:
        self._controls = controls
        self._history = history
        self._settings = plan.settings
        fleet = [one.with_key(plan.settings) for one in plan.terminals]
        self._trees = {one.id: one.tree for one in fleet}
        server = VerifyingKey.load(load_server_public(plan.settings))
        self._replies = ReplyReader(plan.settings, server, [*(one.id for one in fleet), _OPERATOR])
        self._producer = self._new_producer()
        world = World(fleet, plan.payees, datetime.now(UTC), _CASH_BPS)
        self._traffic = iter(Traffic(world, plan.seed, plan.bad_bps, plan.others))
        key, began = load_operator_key(plan.settings, _OPERATOR), _now()
        pin_key, registries = ensure_pin_key(plan.settings, PIN_KEY), plan.settings.registries / HEATING
        self._operators = Operators(key, plan.seed, began, pin_key, registries, history.brought)
        sealing = {one.id: ensure_sealing_key(plan.settings, one.id) for one in fleet}
        name = f"{plan.seed}.{began}"
        self._counter = Counter(fleet, sealing, history, Random(plan.seed + 4), name)
        self._questions = Questions(
            plan.settings, server, fleet, [*plan.payees, *plan.others], history, Random(plan.seed + 5), name
        )

    def run(self) -> None:
        """Open loop: what is due is sent, whatever became of what was sent before."""
        self._controls.listening.set()
        last = ordered = asked = time.monotonic()
        due = 0.0
        while not self._is_over():
            now, rate = time.monotonic(), self._controls.rate.value
            due = min(due + (now - last) * rate, rate * _LONGEST_BURST_S)
            last = now
            while due >= 1:
                due -= 1
                self._pay()
            if rate and now - ordered >= _ORDER_EVERY_S:
                self._order(rate, now - ordered)
                ordered = now
            if now - asked >= _ASK_EVERY_S:  # and a payee answers, also when nobody sells any more
                self._ask(self._questions.next())
                for kind, request in self._operators.answers():
                    self._command(kind, request)
                asked = now
            self._listen(_TURN_S)
            self._history.flush()
        self._end()

    def _is_over(self) -> bool:
        parent = multiprocessing.parent_process()
        return self._controls.stop.is_set() or (parent is not None and not parent.is_alive())

    def _end(self) -> None:
        """Nothing more is sent. Wait for Kafka's word of everything, then for the last replies."""
        deadline = time.monotonic() + _GIVE_UP_MS / 1_000 + _LISTEN_S
        while len(self._producer) and time.monotonic() < deadline:
            self._listen(_TURN_S)
        for _ in range(_LAST_QUESTIONS):
            self._ask(self._questions.next(is_last=True))
        silent_since, deadline = time.monotonic(), time.monotonic() + _LISTEN_S
        while (now := time.monotonic()) < deadline and (self._questions.awaited or now < silent_since + _SILENT_S):
            if self._listen(_TURN_S):
                silent_since = time.monotonic()
        self._history.ended(_now())
        self._replies.close()
        self._questions.close()

    def _pay(self) -> None:
        kind, message = sending = next(self._traffic)
        for request in self._counter.before(sending):
            self._command(Kind.GOOD.name, request)
        self._produce(PAYMENTS.name, kind, message.terminal, message.id, message.value, message.key)

    def _order(self, rate: float, elapsed_s: float) -> None:
        for kind, request in self._operators.orders(rate, elapsed_s):
            self._command(kind, request)
        for request in self._counter.prints_again():
            self._command(Kind.GOOD.name, request)

    def _command(self, kind: str, request: Request) -> None:
        self._produce(COMMANDS.name, kind, request.owner, request.id, request.value, request.key)

    def _ask(self, request: Request) -> None:
        """Whether it arrives nobody promises."""
        with contextlib.suppress(BufferError, KafkaException):
            self._producer.produce(request.topic.name, request.value, request.key)

    def _produce(self, topic: str, kind: str, owner: str, id: str, value: bytes, key: bytes | str) -> None:
        number = self._history.sent(topic, kind, owner, id, value, _now())
        self._controls.sent.value += 1
        try:
            self._producer.produce(topic, value, key, on_delivery=self._delivered(number))
        except BufferError:
            self._fail(number, "buffer full")
        except KafkaException as error:  # a producer that is broken for good refuses everything: take a new one
            self._fail(number, error.args[0].name())
            self._producer = self._new_producer()

    def _delivered(self, number: int) -> Callable[[KafkaError | None, Message], None]:
        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._fail(number, error.name())
                return
            offset = message.offset()
            self._history.acked(number, message.partition() or 0, SOMEWHERE if offset is None else offset)
            self._controls.acked.value += 1

        return delivered

    def _fail(self, number: int, error: str) -> None:
        self._history.failed(number, error)
        self._controls.failed.value += 1

    def _listen(self, time_out_s: float) -> bool:
        """One wait for a reply, then all that are there; was there one?"""
        self._producer.poll(0)
        self._questions.listen()
        for turn in range(_REPLIES_A_TURN):
            try:
                reply = self._replies.poll(0 if turn else time_out_s)
            except KafkaException as error:  # the reader stays where it is and goes on when the broker is back
                self._history.noted(f"reader: {error.args[0].name()}")
                return False
            if reply is None:
                return turn > 0
            self._history.told(reply)
            self._counter.told(reply)
            self._operators.told(reply)
            if reply.state == "POSTED" and not reply.again:
                self._operators.posted(self._trees[reply.id.partition(".")[0]], reply.id)
            self._controls.told.value += 1
        return True

    def _new_producer(self) -> Producer:
        more: dict[str, Any] = {"message_timeout_ms": _GIVE_UP_MS, "linger_ms": 10}
        return producer(self._settings, logger=SILENT, **more)


def _now() -> int:
    return time.time_ns() // 1_000_000
