"""Kafka clients for tests: each call does one whole thing within a bound, and leaves nothing open."""

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

TIMEOUT_S = 30.0
LARGEST_MESSAGE_BYTES = 16 * 1024 * 1024

Settings: TypeAlias = Mapping[str, str | int | float | bool]


def a_topic(
    bootstrap: str,
    name: str = "",
    *,
    partitions: int = 1,
    copies: int = 1,
    config: Mapping[str, str] | None = None,
) -> str:
    """A new topic's name. Raises KafkaException when the broker refuses it."""
    name = name or f"contract-{uuid.uuid4().hex[:12]}"
    topic = NewTopic(name, partitions, copies, config=dict(config or {}))
    admin = an_admin(bootstrap)
    admin.create_topics([topic], operation_timeout=TIMEOUT_S)[name].result(TIMEOUT_S)
    return name


def a_producer(bootstrap: str, transactional_id: str | None = None, **settings: str | int) -> Producer:
    """A producer that waits for all copies; with a transactional id, one that has taken it over."""
    wanted = {"acks": "all", "message.max.bytes": LARGEST_MESSAGE_BYTES, "linger.ms": 5}
    if transactional_id is not None:
        wanted["transactional.id"] = transactional_id
    producer = Producer({**quiet(bootstrap), **wanted, **{k.replace("_", "."): v for k, v in settings.items()}})
    if transactional_id is not None:
        producer.init_transactions(TIMEOUT_S)
    return producer


def send(producer: Producer, topic: str, *values: bytes, **message: object) -> list[Message]:
    """Produce and wait until the broker has answered for each. Raises KafkaException when it refused one."""
    delivered: list[Message] = []
    refused: list[KafkaError] = []

    def note(error: KafkaError | None, message: Message) -> None:
        if error is None:
            delivered.append(message)
        else:
            refused.append(error)

    for value in values:
        producer.produce(topic, value=value, on_delivery=note, **message)  # type: ignore[arg-type]
    left = producer.flush(TIMEOUT_S)
    if refused:
        raise KafkaException(refused[0])
    assert left == 0, f"{left} records unanswered after {TIMEOUT_S:.0f} s"
    return delivered


def read(
    bootstrap: str,
    topic: str,
    *,
    partition: int | None = None,
    isolation: str = "read_committed",
    past_open: bool = True,
) -> list[Message]:
    """Every record that a reader of this isolation sees, partition after partition; or of one partition only.

    A committed transaction shows a moment after its commit was answered, when its markers are written. So what still
    looks open at the end is waited for, unless `past_open` is False.
    """
    settings: Settings = {"isolation.level": isolation, "enable.partition.eof": True, "enable.auto.commit": False}
    with a_consumer(bootstrap, f"reader-{uuid.uuid4().hex[:12]}", settings) as consumer:
        unread = set(consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions)
        if partition is not None:
            unread &= {partition}
        consumer.assign([TopicPartition(topic, number, 0) for number in unread])
        messages: list[Message] = []
        deadline = time.monotonic() + TIMEOUT_S
        while unread:
            message = consumer.poll(max(0.0, deadline - time.monotonic()))
            assert message is not None, f"partitions {unread} of {topic} have no end after {TIMEOUT_S:.0f} s"
            if (error := message.error()) is None:
                messages.append(message)
            elif error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            elif not past_open or _is_the_end(consumer, message):
                unread.discard(message.partition() or 0)
    return sorted(messages, key=lambda message: (message.partition() or 0, message.offset() or 0))


def _is_the_end(consumer: Consumer, reached: Message) -> bool:
    """Whether nothing, seen or unseen, lies behind the place that was reached."""
    partition = TopicPartition(reached.topic() or "", reached.partition() or 0)
    _low, high = consumer.get_watermark_offsets(partition, cached=True)
    return (reached.offset() or 0) >= high


def values(messages: list[Message]) -> list[bytes | None]:
    return [message.value() for message in messages]


@contextmanager
def a_consumer(bootstrap: str, group: str, settings: Settings | None = None) -> Iterator[Consumer]:
    consumer = Consumer({**quiet(bootstrap), "group.id": group, "auto.offset.reset": "earliest", **(settings or {})})
    try:
        yield consumer
    finally:
        consumer.close()


def an_admin(bootstrap: str) -> AdminClient:
    """Keep it in a name for as long as its answers are awaited: they are lost with it."""
    return AdminClient(quiet(bootstrap))


def quiet(bootstrap: str) -> dict[str, str | int | float | bool]:
    """Connection errors are waited out, or fail the check that meets them; they are not to be printed."""
    return {"bootstrap.servers": bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 500}
