"""Replies as they come, believed only when the server signed them; no consumer group, so nobody else misses any."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Generic, TypeVar

from confluent_kafka import KafkaException, Message, TopicPartition
from pydantic import ValidationError

from console.errors import NoBroker
from schemas.envelope import EnvelopeError, VerifyingKey, open_envelope
from schemas.ids import Wire
from schemas.reply import Reply
from streams.clients import reader
from streams.compacted import SILENT
from streams.partitioner import partition_of
from streams.settings import Settings
from streams.topics import REPLIES, Topic

_TIME_OUT_S = 5.0
_PASSED_OVER = 1_000

Said = TypeVar("Said", bound=Wire)


class SignedReader(Generic[Said]):
    """Reads what the given owners are answered on a topic, from where it ends at the start.

    Others are answered on the same partitions, and some of them choose the ids they are answered under: what is under
    another's key is passed over. said: the payload of what the server signs there.
    """

    def __init__(
        self, settings: Settings, server: VerifyingKey, owners: Iterable[str], topic: Topic, said: type[Said]
    ) -> None:
        """Raises KafkaException when no broker answers, NoBroker when it has no such topic."""
        self.unverified = 0
        self._topic = topic
        self._said = said
        self._server = server
        self._settings = settings
        self._owners = frozenset(owner.encode() for owner in owners)
        self._consumer = reader(settings, logger=SILENT, enable_partition_eof=False)
        try:
            self._start()
        except BaseException:
            self._consumer.close()
            raise

    def poll(self, time_out_s: float) -> Said | None:
        """The next reply within the time, or None. A reply the server did not sign is counted and not returned."""
        message = self._next(time_out_s)
        if message is None:
            return None
        error = message.error()
        if error is None:
            return self._believed(message)
        if error.code() > 0 and not error.retriable():
            raise KafkaException(error)
        return None  # a connection lost and found again: the caller's time runs on

    def close(self) -> None:
        self._consumer.close()

    def _next(self, time_out_s: float) -> Message | None:
        """What is others' is passed over, some of it at a time: where many are answered the caller has a turn too."""
        deadline = time.monotonic() + time_out_s
        for _ in range(_PASSED_OVER):
            message = self._consumer.poll(max(0.0, deadline - time.monotonic()))
            if message is None or message.error() is not None or message.key() in self._owners:
                return message
        return None

    def _start(self) -> None:
        partitions = self._partitions()
        wanted = sorted({partition_of(owner.decode(), partitions) for owner in self._owners})
        self._consumer.assign([TopicPartition(self._topic.name, one, self._end(one)) for one in wanted])

    def _partitions(self) -> int:
        topics = self._consumer.list_topics(timeout=_TIME_OUT_S).topics
        if self._topic.name not in topics:
            raise NoBroker(f"there is no topic {self._topic.name!r} at {self._settings.kafka}: run `kassa init` first")
        return len(topics[self._topic.name].partitions)

    def _end(self, partition: int) -> int:
        """An offset asked for now: a position "at the end" would only be looked up later, past our own reply."""
        _, high = self._consumer.get_watermark_offsets(TopicPartition(self._topic.name, partition), timeout=_TIME_OUT_S)
        return int(high)

    def _believed(self, message: Message) -> Said | None:
        try:
            envelope = open_envelope(message.value() or b"")
            self._server.verify(envelope)
            return self._said.model_validate_json(envelope.payload)
        except (EnvelopeError, ValidationError):
            self.unverified += 1
            return None


class ReplyReader(SignedReader[Reply]):
    """Of topic `replies`: what payments and commands are answered."""

    def __init__(self, settings: Settings, server: VerifyingKey, owners: Iterable[str]) -> None:
        super().__init__(settings, server, owners, REPLIES, Reply)
