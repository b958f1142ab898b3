"""Topic `deliveries` as notify's own memory: one writer, fenced by Kafka, and all it wrote read back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from pydantic import ValidationError

from agents.notify_book import Book
from schemas.alert import Alert
from schemas.delivery import Delivery
from streams.clients import reader
from streams.compacted import read_to_end
from streams.ends import Ends
from streams.fencing import fenced_producer
from streams.retired import retire
from streams.settings import Settings
from streams.topics import ALERTS, DELIVERIES

log = structlog.get_logger()

WRITER = "kassa-notify"
_ANSWER_S = 30.0
_READ_S = 300.0
_SILENCE_S = 2.0
_FENCED = (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH)


class Superseded(Exception):
    """Another notify has taken over: of two, the one that came last delivers."""


class DeliveryLog:
    """Waits for the broker: call it from a thread, one call at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ends = Ends(settings)
        self._writer: Producer | None = None
        self._looked_to = 0

    def open(self) -> Book:
        """Fence whoever wrote before, then fold what is there. Raises KafkaException, TopicUnreadable."""
        self.close()
        self._looked_to = 0
        self._writer = fenced_producer(self._settings, WRITER, _ANSWER_S)
        book = Book()
        for message in read_to_end(self._settings, DELIVERIES, time_out_s=_READ_S):
            try:
                book.take(Delivery.model_validate_json(message.value() or b""))
            except ValidationError:
                log.error("delivery_unreadable", offset=message.offset())
        return book

    def fresh(self, position: int, at_most: int = 500) -> list[tuple[int, Alert | None]]:
        """(offset, alert) of committed alerts from there on; None for what is no alert.

        Raises KafkaException, EndsUnknown.
        """
        end = self._ends.now([(ALERTS.name, 0)])[ALERTS.name, 0]
        if end <= max(position, self._looked_to):
            return []
        consumer = reader(self._settings)
        try:
            consumer.assign([TopicPartition(ALERTS.name, 0, position)])
            found = _alerts(consumer, at_most)
            # The end is behind a transaction's marker, at which no reader ever arrives.
            self._looked_to = end if len(found) < at_most else 0
            return found
        finally:
            consumer.close()

    def write(self, deliveries: Sequence[Delivery], alerts: Sequence[Alert]) -> None:
        """One transaction. Raises Superseded; KafkaException, after which only `open` says what was written."""
        assert self._writer is not None
        try:
            self._writer.begin_transaction()
            for one in deliveries:
                self._writer.produce(DELIVERIES.name, one.model_dump_json().encode(), one.id.encode())
            for alert in alerts:
                self._writer.produce(ALERTS.name, alert.model_dump_json().encode(), alert.agent.encode())
            self._writer.commit_transaction(_ANSWER_S)
        except KafkaException as error:
            cause = error.args[0]
            if isinstance(cause, KafkaError) and cause.code() in _FENCED:
                raise Superseded("another notify has taken over") from None
            with suppress(KafkaException):  # an open transaction would hold up who reads the topics
                self._writer.abort_transaction(_ANSWER_S)
            raise

    def close(self) -> None:
        if self._writer is not None:
            retire(self._writer)
        self._writer = None


def _alerts(consumer: Consumer, at_most: int) -> list[tuple[int, Alert | None]]:
    """What comes until the topic's end, or until nothing comes for a moment."""
    found: list[tuple[int, Alert | None]] = []
    while len(found) < at_most and (message := consumer.poll(_SILENCE_S)) is not None:
        error, offset = message.error(), message.offset() or 0
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                break
            raise KafkaException(error)
        try:
            found.append((offset, Alert.model_validate_json(message.value() or b"")))
        except ValidationError:
            found.append((offset, None))
    return found
