"""Reading topics for an audit: from the first record that is there up to where the topic ends now."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import TopicMetadata  # type: ignore[attr-defined]

from streams.clients import arrived, reader
from streams.compacted import SILENT, TopicUnreadable
from streams.settings import Settings
from streams.topics import Topic

# The consumer group of the workers: how far they have passed what arrived.
WORKERS = "kassa"
SILENCE_S = 30.0
_AT_ONCE = 2_000
# A client that has read ahead to the end asks for more again and again, which the embedded broker answers at once.
_AHEAD_KB = 2_048
_TURN_S = 0.02  # it waits that long for the last messages, however few they are


Headers = Sequence[tuple[str, str | bytes | None]]


class Record(NamedTuple):
    """One committed record."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Span(NamedTuple):
    """The offsets a partition has: from `first`, up to but without `end`."""

    first: int
    end: int


def spans(settings: Settings, topic: Topic) -> dict[int, Span]:
    """The offsets of every partition. Raises KafkaException when no broker answers, TopicUnreadable."""
    consumer = reader(settings, logger=SILENT)
    try:
        return {partition: _span(consumer, topic, partition) for partition in _partitions(consumer, topic)}
    finally:
        consumer.close()


def committed(settings: Settings, topic: Topic) -> dict[int, int]:
    """How far the workers' group has passed each partition: everything below that offset is decided."""
    consumer = reader(settings, logger=SILENT, group_id=WORKERS)  # asks, and joins nothing
    try:
        places = [TopicPartition(topic.name, partition) for partition in _partitions(consumer, topic)]
        found = consumer.committed(places, timeout=SILENCE_S)
    finally:
        consumer.close()
    return {place.partition: max(place.offset, 0) for place in found}


def read(settings: Settings, topic: Topic, partition: int) -> Iterator[Record]:
    """Every committed record of a partition, oldest first, up to its present end.

    It ends also where an open transaction begins: what follows is not committed, and may never be. Raises
    TopicUnreadable when the broker is silent, KafkaException when it refuses.
    """
    consumer = reader(settings, logger=SILENT, queued_max_messages_kbytes=_AHEAD_KB)
    try:
        span = _span(consumer, topic, partition)
        if span.first < span.end:
            consumer.assign([TopicPartition(topic.name, partition, span.first)])
            yield from _until(consumer, topic, partition, span.end)
    finally:
        consumer.close()


def _partitions(consumer: Consumer, topic: Topic) -> list[int]:
    """Those there are, whatever this machine's settings say. Asks for all topics: by name, one could be created."""
    known: dict[str, TopicMetadata] = consumer.list_topics(timeout=SILENCE_S).topics
    if topic.name not in known:
        raise TopicUnreadable(f"there is no topic {topic.name!r}: run `kassa init` first")
    return sorted(known[topic.name].partitions)


def _span(consumer: Consumer, topic: Topic, partition: int) -> Span:
    low, high = consumer.get_watermark_offsets(TopicPartition(topic.name, partition), timeout=SILENCE_S)
    return Span(low, high)


def _until(consumer: Consumer, topic: Topic, partition: int, end: int) -> Iterator[Record]:
    silent_since = time.monotonic()
    while True:
        messages = arrived(consumer, _AT_ONCE, _TURN_S)
        if messages:
            silent_since = time.monotonic()
        elif time.monotonic() - silent_since > SILENCE_S:
            raise TopicUnreadable(f"topic {topic.name!r} partition {partition}: no answer for {SILENCE_S:.0f} s")
        for message in messages:
            error, offset = message.error(), message.offset() or 0
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    return
                raise KafkaException(error)
            if offset >= end:
                return
            headers = cast(Headers, message.headers() or ())  # a producer may be given a dict; a consumer gives a list
            yield Record(partition, offset, message.key(), message.value(), headers)
            if offset + 1 >= end:
                return
