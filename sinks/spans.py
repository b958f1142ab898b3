"""Which offsets a partition has, asked of brokers that may be falling out meanwhile."""

from __future__ import annotations

import threading
import time

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from sinks.errors import KafkaRefused, Stopped

log = structlog.get_logger(__name__)

_ANSWERS_S = 30.0
_AWAY_S = 120.0
_REST_S = 0.1


def span(consumer: Consumer, place: TopicPartition, stop: threading.Event) -> tuple[int, int]:
    """(first, end): the offsets from `first` up to but without `end`.

    While leaders move the question itself may break off, with errors that are not all marked as passing: so it is asked
    again for two minutes. Raises KafkaRefused after them, Stopped.
    """
    deadline_s = time.monotonic() + _AWAY_S
    while True:
        try:
            return consumer.get_watermark_offsets(place, timeout=_ANSWERS_S)
        except KafkaException as error:
            why: KafkaError = error.args[0]
            if why.fatal() or time.monotonic() >= deadline_s:
                raise KafkaRefused(f"{place.topic} partition {place.partition}: {why.str()}") from error
            log.info("kafka", error=why.str())
        if stop.wait(_REST_S):
            raise Stopped("stopped while the broker was away")
