"""Read a compacted topic to its end, once: what the table holds now, without a consumer group or a worker."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import TopicMetadata  # type: ignore[attr-defined]

from streams.clients import reader
from streams.settings import Settings
from streams.topics import Topic

# librdkafka says "connection refused" on stderr again and again; the exception that follows says it once.
SILENT = logging.getLogger("kassa.librdkafka")
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False


class TopicUnreadable(Exception):
    """The topic is not there or could not be read to its end in time; the text says which and what to do."""


def read_all(settings: Settings, topic: Topic, time_out_s: float = 10) -> dict[str, bytes]:
    """Key -> newest committed value of every key that was not deleted.

    Raises TopicUnreadable, and KafkaException when no broker answers.
    """
    table: dict[str, bytes] = {}
    for message in read_to_end(settings, topic, time_out_s=time_out_s):
        key, value = message.key(), message.value()
        if key is None:
            continue
        if value is None:
            table.pop(key.decode(), None)
        else:
            table[key.decode()] = value
    return table


def read_to_end(
    settings: Settings, topic: Topic, *, partition: int | None = None, time_out_s: float = 10
) -> Iterator[Message]:
    """Every committed record up to where the topic ends now, of all partitions or of one, each in its order.

    Raises TopicUnreadable, and KafkaException when no broker answers.
    """
    deadline = time.monotonic() + time_out_s
    consumer = reader(settings, logger=SILENT)
    try:
        there = _partitions(consumer, settings, topic, time_out_s)
        wanted = there if partition is None else [partition]
        ends = {one: _end(consumer, topic, one, time_out_s) for one in wanted}
        consumer.assign([TopicPartition(topic.name, one, OFFSET_BEGINNING) for one, end in ends.items() if end > 0])
        yield from _until(consumer, {one: end for one, end in ends.items() if end > 0}, topic, deadline)
    finally:
        consumer.close()


def _partitions(consumer: Consumer, settings: Settings, topic: Topic, time_out_s: float) -> list[int]:
    """Asks for all topics: a broker may create a topic that is asked for by name."""
    known: dict[str, TopicMetadata] = consumer.list_topics(timeout=time_out_s).topics
    if topic.name not in known:
        raise TopicUnreadable(f"there is no topic {topic.name!r} at {settings.kafka}: run `kassa init` first")
    return sorted(known[topic.name].partitions)


def _end(consumer: Consumer, topic: Topic, partition: int, time_out_s: float) -> int:
    _, high = consumer.get_watermark_offsets(TopicPartition(topic.name, partition), timeout=time_out_s)
    return int(high)


def _until(consumer: Consumer, ends: dict[int, int], topic: Topic, deadline: float) -> Iterator[Message]:
    """A partition has ended at the first record from its end on, or at the broker's word that nothing follows:

    the last offsets may be transaction markers or an aborted batch, of which a reader sees nothing.
    """
    while ends:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TopicUnreadable(f"topic {topic.name!r} did not end in time: partitions {sorted(ends)} are unread")
        message = consumer.poll(min(left, 1.0))
        if message is None:
            continue
        partition, offset, error = message.partition() or 0, message.offset() or 0, message.error()
        if error is not None:
            if error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            ends.pop(partition, None)
            continue
        if offset < ends.get(partition, 0):
            yield message
        if offset + 1 >= ends.get(partition, 0):
            ends.pop(partition, None)
