"""What Kassa relies on from a Kafka broker, as checks that any broker can be held to.

Each check takes the bootstrap servers of a broker that serves, makes topics of its own and raises AssertionError (or
the client's KafkaException) where the broker does not keep it. Real Apache Kafka keeps all of them.
"""

import random
import time
import uuid
from collections.abc import Callable

import pytest
from aiokafka.partitioner import murmur2
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import ConfigResource, ResourceType  # type: ignore[attr-defined]

from tests import broker_contract_groups as groups
from tests.broker_clients import TIMEOUT_S, a_consumer, a_producer, a_topic, an_admin, read, send, values

TEN_MEGABYTES = 10 * 1024 * 1024


def a_committed_transaction_is_read_whole_and_an_aborted_one_not_at_all(bootstrap: str) -> None:
    ledger, replies = a_topic(bootstrap), a_topic(bootstrap)
    producer = a_producer(bootstrap, f"writer-{uuid.uuid4()}")
    for step, ends in enumerate([producer.commit_transaction, producer.abort_transaction, producer.commit_transaction]):
        producer.begin_transaction()
        send(producer, ledger, b"entry %d" % step, b"entry %d again" % step)
        send(producer, replies, b"reply %d" % step)
        ends(TIMEOUT_S)
    assert values(read(bootstrap, ledger)) == [b"entry 0", b"entry 0 again", b"entry 2", b"entry 2 again"]
    assert values(read(bootstrap, replies)) == [b"reply 0", b"reply 2"]
    assert len(read(bootstrap, replies, isolation="read_uncommitted")) == 3


def an_open_transaction_is_not_read(bootstrap: str) -> None:
    topic = a_topic(bootstrap)
    producer = a_producer(bootstrap, f"writer-{uuid.uuid4()}")
    producer.begin_transaction()
    send(producer, topic, b"not yet")
    assert read(bootstrap, topic, past_open=False) == []
    producer.commit_transaction(TIMEOUT_S)
    assert values(read(bootstrap, topic)) == [b"not yet"]


def a_second_writer_fences_the_first(bootstrap: str) -> None:
    topic, writer = a_topic(bootstrap), f"writer-{uuid.uuid4()}"
    zombie = a_producer(bootstrap, writer)
    zombie.begin_transaction()
    send(zombie, topic, b"the zombie's")
    successor = a_producer(bootstrap, writer)
    with pytest.raises(KafkaException) as refused:
        zombie.commit_transaction(TIMEOUT_S)
    assert refused.value.args[0].fatal(), f"{refused.value}: the zombie may go on"
    successor.begin_transaction()
    send(successor, topic, b"the successor's")
    successor.commit_transaction(TIMEOUT_S)
    assert values(read(bootstrap, topic)) == [b"the successor's"]


def a_fenced_writer_can_write_no_more(bootstrap: str) -> None:
    topic, writer = a_topic(bootstrap), f"writer-{uuid.uuid4()}"
    zombie = a_producer(bootstrap, writer)
    zombie.begin_transaction()
    send(zombie, topic, b"before")
    a_producer(bootstrap, writer)
    with pytest.raises(KafkaException):
        send(zombie, topic, b"after")
    assert read(bootstrap, topic) == []


def a_successor_reads_at_once_all_that_was_committed(bootstrap: str) -> None:
    """A commit is answered before its markers are on every partition; taking the writer over waits for them."""
    topic, writer = a_topic(bootstrap, partitions=48), f"writer-{uuid.uuid4()}"
    predecessor = a_producer(bootstrap, writer)
    for round_ in range(3):
        predecessor.begin_transaction()
        for partition in range(48):
            predecessor.produce(topic, b"%d" % round_, partition=partition)
        predecessor.commit_transaction(TIMEOUT_S)
    a_producer(bootstrap, writer)
    assert len(read(bootstrap, topic, past_open=False)) == 3 * 48


def a_forgotten_transaction_is_aborted(bootstrap: str) -> None:
    """By the broker, once its time is over: until then it holds up every reader behind it."""
    topic = a_topic(bootstrap)
    forgotten = a_producer(bootstrap, f"writer-{uuid.uuid4()}", transaction_timeout_ms=1000)
    forgotten.begin_transaction()
    send(forgotten, topic, b"forgotten")
    send(a_producer(bootstrap), topic, b"behind it")
    with a_consumer(bootstrap, f"reader-{uuid.uuid4()}") as consumer:
        consumer.assign([TopicPartition(topic, 0, 0)])
        message = consumer.poll(TIMEOUT_S)
    assert message is not None, f"it still holds up readers after {TIMEOUT_S:.0f} s"
    assert message.value() == b"behind it"


def append_time_is_the_brokers(bootstrap: str) -> None:
    topic = a_topic(bootstrap, config={"message.timestamp.type": "LogAppendTime"})
    before = time.time()
    send(a_producer(bootstrap), topic, b"dated by the terminal", timestamp=1_000_000_000_000)
    producer = a_producer(bootstrap, f"writer-{uuid.uuid4()}")
    producer.begin_transaction()
    send(producer, topic, b"the same in a transaction", timestamp=1_000_000_000_000)
    producer.commit_transaction(TIMEOUT_S)
    for message in read(bootstrap, topic):
        kind, at_ms = message.timestamp()
        assert kind == TIMESTAMP_LOG_APPEND_TIME, f"timestamp type {kind}: the terminal's word"
        assert before - 1 <= at_ms / 1000 <= time.time() + 1


def ten_megabytes_pass_where_permitted(bootstrap: str) -> None:
    topic = a_topic(bootstrap, config={"max.message.bytes": str(TEN_MEGABYTES + 1024)})
    large = random.Random(1).randbytes(TEN_MEGABYTES)
    send(a_producer(bootstrap), topic, large)
    assert values(read(bootstrap, topic)) == [large]


def a_message_larger_than_the_topic_permits_is_refused(bootstrap: str) -> None:
    topic = a_topic(bootstrap, config={"max.message.bytes": "100000"})
    with pytest.raises(KafkaException) as refused:
        send(a_producer(bootstrap), topic, bytes(200_000))
    assert refused.value.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE
    assert read(bootstrap, topic) == []


def every_client_puts_a_key_on_the_same_partition(bootstrap: str) -> None:
    """librdkafka's murmur2_random against aiokafka's murmur2, which is Java's."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    keys = {chance.randbytes(chance.randint(1, 40)) for _ in range(1000)}
    topic = a_topic(bootstrap, partitions=12)
    producer = a_producer(bootstrap, partitioner="murmur2_random")
    for key in keys:
        producer.produce(topic, key=key, value=key)
    assert producer.flush(TIMEOUT_S) == 0
    landed = {message.key(): message.partition() for message in read(bootstrap, topic)}
    assert landed == {key: (murmur2(key) & 0x7FFFFFFF) % 12 for key in keys}, f"seed {seed}"


def records_come_back_as_they_went(bootstrap: str) -> None:
    topic = a_topic(bootstrap)
    headers = [("reason", b"\xff\x00"), ("reason", b"again"), ("empty", b"")]
    producer = a_producer(bootstrap, compression_type="zstd")
    send(producer, topic, b"\x00\xff", key=b"\x00key", headers=headers, timestamp=1_000_000_000_123)
    producer.produce(topic, key=b"gone", value=None)
    producer.flush(TIMEOUT_S)
    first, tombstone = read(bootstrap, topic)
    assert (first.key(), first.value(), first.headers()) == (b"\x00key", b"\x00\xff", headers)
    assert first.timestamp()[1] == 1_000_000_000_123
    assert (tombstone.key(), tombstone.value()) == (b"gone", None)


def a_topic_keeps_the_settings_it_was_made_with(bootstrap: str) -> None:
    config = {"cleanup.policy": "compact", "retention.ms": "-1", "max.message.bytes": "123456"}
    topic = a_topic(bootstrap, config=config)
    resource = ConfigResource(ResourceType.TOPIC, topic)
    admin = an_admin(bootstrap)
    answer = admin.describe_configs([resource])[resource].result(TIMEOUT_S)
    assert {name: answer[name].value for name in config} == config


def an_undeclared_topic_is_not_made(bootstrap: str) -> None:
    unknown = f"undeclared-{uuid.uuid4()}"
    with pytest.raises(KafkaException) as refused:
        send(a_producer(bootstrap, message_timeout_ms=1000), unknown, b"lost")
    assert refused.value.args[0].code() in (
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._MSG_TIMED_OUT,
    )
    assert unknown not in an_admin(bootstrap).list_topics(timeout=TIMEOUT_S).topics


def a_topic_is_made_once(bootstrap: str) -> None:
    topic = a_topic(bootstrap, partitions=3)
    with pytest.raises(KafkaException) as refused:
        a_topic(bootstrap, topic, partitions=5)
    assert refused.value.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS


CONTRACT: tuple[Callable[[str], None], ...] = (
    a_committed_transaction_is_read_whole_and_an_aborted_one_not_at_all,
    an_open_transaction_is_not_read,
    a_second_writer_fences_the_first,
    a_fenced_writer_can_write_no_more,
    a_successor_reads_at_once_all_that_was_committed,
    a_forgotten_transaction_is_aborted,
    append_time_is_the_brokers,
    ten_megabytes_pass_where_permitted,
    a_message_larger_than_the_topic_permits_is_refused,
    every_client_puts_a_key_on_the_same_partition,
    records_come_back_as_they_went,
    a_topic_keeps_the_settings_it_was_made_with,
    an_undeclared_topic_is_not_made,
    a_topic_is_made_once,
    groups.a_static_member_comes_back_to_its_partitions,
    groups.a_silent_member_loses_its_partitions,
    groups.two_members_cannot_share_an_instance_id,
    groups.committed_offsets_are_kept,
    groups.offsets_are_found_by_end_and_by_time,
    groups.deleted_records_are_gone_and_the_rest_keep_their_offsets,
    groups.compaction_keeps_the_last_of_every_key,
)

# What the embedded broker does not keep, so Kassa must not lean on it there: topics are all made before anybody writes,
# and a worker that died comes back under its own static membership and transactional ids.
EMBEDDED_BROKER_LACKS = frozenset(
    {
        a_forgotten_transaction_is_aborted,
        an_undeclared_topic_is_not_made,
        groups.a_silent_member_loses_its_partitions,
    }
)
