"""Sends the rows of a register as payments, some at a time, and tells what became of each.

Nothing is kept between two uploads: a row's number is its payment's, so a row sent again is answered with what became
of it. An upload that broke off is finished by doing it again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from confluent_kafka import KafkaError, Message

from console.client import Client
from console.register_rows import OrderedRow
from console.requests import payment_request
from schemas.envelope import SigningKey
from schemas.payment import PaymentOrder
from schemas.reply import Reply

_TURN_S = 0.05
# Further replies come when people or money do something, and that is not waited for.
_SETTLED_FOR_NOW = frozenset({"MANUAL", "WAITING_FUNDS", "QUEUED", "REJECTED"})


class Outcome(NamedTuple):
    """What became of a row. state: the payment's, NO_ANSWER, or NOT_SENT when Kafka did not take it."""

    line: int
    payment: str
    state: str
    code: int = 0
    reason: str = ""
    txn: int = 0
    is_clear: bool = False


@dataclass(slots=True)
class _Waiting:
    row: OrderedRow
    sent_at: float
    reply: Reply | None = None


@dataclass(slots=True)
class Upload:
    """in_flight: rows without a final answer at once. wait_s: how long one is waited for before it is told as it is.

    held_will_do: the payment is as far as it comes now when it is held. told: gets each outcome, in the order they
    come.
    """

    client: Client
    tree: str
    key: SigningKey
    in_flight: int
    wait_s: float
    held_will_do: Callable[[PaymentOrder], bool]
    told: Callable[[Outcome], None]
    states: Counter[str] = field(default_factory=Counter)
    unclear: int = 0
    refused: int = 0
    _waiting: dict[str, _Waiting] = field(default_factory=dict)

    def run(self, rows: Iterable[OrderedRow]) -> None:
        """Until every row has an outcome."""
        for row in rows:
            while len(self._waiting) >= self.in_flight:
                self._listen(_TURN_S)
            self._send(row)
            self._listen(0)
        while self._waiting:
            self._listen(_TURN_S)

    def _send(self, row: OrderedRow) -> None:
        payment = row.order.id
        self._waiting[payment] = _Waiting(row, time.monotonic())

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None and payment in self._waiting:
                self._tell(payment, Outcome(row.line, payment, "NOT_SENT", reason=error.str()))

        self.client.send(payment_request(row.order, self.tree, self.key), delivered)

    def _listen(self, time_out_s: float) -> None:
        """One wait for a reply, then all that are there; then those whose time is up."""
        while (reply := self.client.poll(time_out_s)) is not None:
            time_out_s = 0
            self._heard(reply)
        late = time.monotonic() - self.wait_s
        while self._waiting:
            payment, first = next(iter(self._waiting.items()))
            if first.sent_at > late:
                return
            if first.reply is not None:
                self._tell(payment, _outcome(first.row.line, first.reply))
            else:
                self._tell(payment, Outcome(first.row.line, payment, "NO_ANSWER", reason="no worker answered in time"))

    def _heard(self, reply: Reply) -> None:
        waiting = self._waiting.get(reply.id)
        if waiting is None:
            return
        waiting.reply = reply
        is_enough = reply.state == "HELD" and self.held_will_do(waiting.row.order)
        if reply.final or is_enough or reply.state in _SETTLED_FOR_NOW:
            self._tell(reply.id, _outcome(waiting.row.line, reply, is_enough))

    def _tell(self, payment: str, outcome: Outcome) -> None:
        del self._waiting[payment]
        self.states[outcome.state] += 1
        self.unclear += not outcome.is_clear
        self.refused += outcome.state in ("DECLINED", "VOIDED", "REJECTED")
        self.told(outcome)


def _outcome(line: int, reply: Reply, is_enough: bool = False) -> Outcome:
    is_clear = reply.final or is_enough or reply.state == "REJECTED"
    return Outcome(line, reply.id, reply.state, reply.code, reply.reason, reply.txn, is_clear)
