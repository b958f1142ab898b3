"""Terminals ask about subscribers, as they may before a payment, and write down what they are told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

from confluent_kafka import KafkaException

from console.fleet_world import FleetPayee, FleetTerminal
from console.replies import SignedReader
from console.requests import Request, check_request
from schemas.envelope import VerifyingKey
from schemas.tracking import CheckReply, CheckRequest
from streams.settings import Settings
from streams.topics import CHECK_REPLIES
from tests.chaos.history import History

_AT_ONCE = 1_000


class Questions:
    """awaited: of those that were asked last, the ids that nobody has answered. Ids are unique by `name`."""

    def __init__(
        self,
        settings: Settings,
        server: VerifyingKey,
        fleet: Sequence[FleetTerminal],
        payees: Sequence[FleetPayee],
        history: History,
        rng: Random,
        name: str,
    ) -> None:
        self.awaited: set[str] = set()
        self._answers = SignedReader(settings, server, [one.id for one in fleet], CHECK_REPLIES, CheckReply)
        self._fleet = fleet
        self._payees = payees
        self._history = history
        self._rng = rng
        self._name = name
        self._asked = 0

    def next(self, *, is_last: bool = False) -> Request:
        """About a subscriber of some payee. is_last: all is calm, so it must be answered."""
        terminal, to = self._rng.choice(self._fleet), self._rng.choice(self._payees)
        self._asked += 1
        check = CheckRequest(
            id=f"check.{self._name}.{self._asked}", terminal=terminal.id, agent=terminal.agent, payee=to.payee.id,
            subscriber={name: self._rng.choice(values) for name, values in to.values.items()},
            made_at=datetime.now(UTC),
        )  # fmt: skip
        self._history.asked(check, is_last=is_last)
        if is_last:
            self.awaited.add(check.id)
        return check_request(check, terminal.tree, terminal.key)

    def listen(self) -> None:
        """Take in the answers that are there."""
        for _ in range(_AT_ONCE):
            try:
                answer = self._answers.poll(0)
            except KafkaException as error:
                self._history.noted(f"reader of answers: {error.args[0].name()}")
                return
            if answer is None:
                return
            self._history.answered(answer)
            self.awaited.discard(answer.id)

    def close(self) -> None:
        self._answers.close()
