"""Asking about subscribers as a terminal does: a signed question out, its signed answer back."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError

from console.check_answers import CheckReader
from console.errors import NoAnswer, NotDelivered
from console.requests import Request
from schemas.envelope import VerifyingKey
from schemas.tracking import CheckReply
from streams.clients import producer
from streams.compacted import SILENT
from streams.keyring import load_server_public
from streams.settings import Settings

_TURN_S = 0.05


class CheckClient:
    """Synchronous and for one thread. `terminals` are those whose answers it will read.

    One question: `ask`. Many in flight: `send` and `poll`, matched by `CheckReply.id`.
    """

    def __init__(self, settings: Settings, terminals: Iterable[str]) -> None:
        """Raises KeyFileError without the server's public key, KafkaException or NoBroker without a broker."""
        self._settings = settings
        server = VerifyingKey.load(load_server_public(settings))
        self._producer = producer(settings, logger=SILENT, enable_idempotence=False, linger_ms=0)
        self._answers = CheckReader(settings, server, terminals)
        self._failures: list[KafkaError] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._answers.close()
        self._producer.purge()
        self._producer.flush(1)

    def send(self, request: Request) -> None:
        """Hand the question to Kafka's client. Raises BufferError where thousands wait for a broker."""
        self._producer.produce(request.topic.name, request.value, request.key, on_delivery=self._delivered)

    def poll(self, time_out_s: float) -> CheckReply | None:
        """The next verified answer to any of the terminals, or None when none came in time. Raises NotDelivered."""
        self._producer.poll(0)
        if self._failures:
            raise NotDelivered(f"Kafka at {self._settings.kafka} did not take it: {self._failures[0].str()}")
        return self._answers.poll(time_out_s)

    def ask(self, request: Request, time_out_s: float = 10) -> tuple[CheckReply, float]:
        """The answer, and how many seconds it took. Raises NoAnswer, NotDelivered."""
        sent_at = time.monotonic()
        self.send(request)
        while (left := sent_at + time_out_s - time.monotonic()) > 0:
            reply = self.poll(min(left, _TURN_S))
            if reply is not None and reply.id == request.id:
                return reply, time.monotonic() - sent_at
        raise NoAnswer(
            f"no worker answered {request.id} in {time_out_s:g} s: is `kassa up` or `kassa worker` running against "
            f"{self._settings.kafka}? (a message whose key is not known is quarantined without an answer)"
        )

    def _delivered(self, error: KafkaError | None, _: object) -> None:
        if error is not None:
            self._failures.append(error)
