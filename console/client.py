"""What talks to Kafka for people and simulated terminals: send a signed request, wait for the signed reply."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, Message

from console.errors import NoAnswer, NotDelivered
from console.replies import ReplyReader
from console.requests import Request
from schemas.envelope import VerifyingKey
from schemas.reply import Reply
from streams.clients import producer
from streams.compacted import SILENT
from streams.keyring import load_server_public
from streams.settings import Settings

Delivered = Callable[[KafkaError | None, Message], None]

_TURN_S = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply and how long after sending it was read."""

    reply: Reply
    elapsed_s: float


class Client:
    """Synchronous and for one thread. `owners` are the terminals and operators whose replies it will read.

    One request: `ask`. Many in flight: `send` and `poll`, matched by `Reply.id`.
    """

    def __init__(self, settings: Settings, owners: Iterable[str], *, many: bool = False) -> None:
        """Raises KeyFileError without the server's public key, KafkaException or NoBroker without a broker.

        Kafka gives an idempotent producer its id only half a second after it starts, and a single request sent twice
        by a retry is decided once: so only a client for many is one.
        """
        self._settings = settings
        server = VerifyingKey.load(load_server_public(settings))
        self._producer = producer(settings, logger=SILENT, enable_idempotence=many, linger_ms=5 if many else 0)
        self._replies = ReplyReader(settings, server, owners)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Forget what was not delivered yet; whoever must know calls `flush` before."""
        self._replies.close()
        self._producer.purge()
        self._producer.flush(1)

    def send(self, request: Request, on_delivery: Delivered | None = None) -> None:
        """Hand the request to Kafka's client; waits when its buffer is full. `on_delivery` is called from `poll`."""
        while True:
            try:
                self._producer.produce(request.topic.name, request.value, request.key, on_delivery=on_delivery)
                return
            except BufferError:
                self._producer.poll(_TURN_S)

    def poll(self, time_out_s: float) -> Reply | None:
        """The next verified reply to any of the owners, or None when none came in time."""
        self._producer.poll(0)
        return self._replies.poll(time_out_s)

    def flush(self, time_out_s: float) -> int:
        """Wait until Kafka has answered for everything sent; how many it has not."""
        return int(self._producer.flush(time_out_s))

    def ask(self, request: Request, time_out_s: float = 10, final_s: float = 0) -> Iterator[Answer]:
        """Send, and yield the replies to this request: the first within `time_out_s` (raises NoAnswer, NotDelivered).

        With `final_s` further ones follow until a final one, or until that many seconds after the first; when the
        last one yielded is not final, time was up.
        """
        sent_at = time.monotonic()
        failures: list[KafkaError] = []
        self.send(request, lambda error, _: failures.append(error) if error is not None else None)
        deadline, has_answer = sent_at + time_out_s, False
        while (left := deadline - time.monotonic()) > 0:
            reply = self.poll(min(left, _TURN_S))
            if failures:
                raise NotDelivered(f"Kafka at {self._settings.kafka} did not take {request.id}: {failures[0].str()}")
            if reply is None or reply.id != request.id:
                continue
            yield Answer(reply, time.monotonic() - sent_at)
            if reply.final:
                return
            if not has_answer:
                has_answer, deadline = True, time.monotonic() + final_s
        if not has_answer:
            raise NoAnswer(self._silence(request, time_out_s))

    def _silence(self, request: Request, time_out_s: float) -> str:
        if self._replies.unverified:
            return (
                f"{self._replies.unverified} replies were not signed by the key in server.pub.json: "
                "copy it from the worker's machine"
            )
        return (
            f"no worker answered {request.id} in {time_out_s:g} s: is `kassa up` or `kassa worker` running "
            f"against {self._settings.kafka}? (a message whose key is not known is quarantined without an answer)"
        )
