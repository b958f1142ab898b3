"""A compacted topic is read to where it ends, whatever stands at its end."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaException, Producer

from streams.clients import producer
from streams.compacted import TopicUnreadable, read_all, read_to_end
from streams.embedded import EmbeddedBroker
from streams.partitioner import partition_of
from streams.settings import Settings
from streams.topics import BALANCES, TERMINALS, Topic, create_or_verify

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker.start(tmp_path_factory.mktemp("broker")) as started:
        yield started


@pytest.fixture(scope="module")
def settings(broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(dir=tmp_path_factory.mktemp("kassa"), kafka=broker.bootstrap)


@pytest.fixture
def topic(settings: Settings, request: pytest.FixtureRequest) -> Topic:
    """An empty compacted topic of its own for each test, with the settings' partitions."""
    made = Topic(request.node.name, "any", "any", sharded=True, config={"cleanup.policy": "compact"})
    create_or_verify(settings, [made])
    return made


def transaction(settings: Settings, topic: Topic, records: dict[str, bytes | None], *, commit: bool = True) -> None:
    writer = producer(settings, transactional_id=f"test-{topic.name}")
    writer.init_transactions(10)
    writer.begin_transaction()
    for key, value in records.items():
        writer.produce(topic.name, value, key)
    writer.flush(10)
    if commit:
        writer.commit_transaction(10)
    else:
        writer.abort_transaction(10)


def test_the_newest_value_of_each_key_is_what_the_table_holds(settings: Settings, topic: Topic) -> None:
    transaction(settings, topic, {"A/S": b"1", "A/T": b"1"})
    transaction(settings, topic, {"A/S": b"2", "B/B": b"1"})
    assert read_all(settings, topic) == {"A/S": b"2", "A/T": b"1", "B/B": b"1"}


def test_an_empty_topic_is_an_empty_table(settings: Settings, topic: Topic) -> None:
    assert read_all(settings, topic) == {}


def test_a_deleted_key_is_gone(settings: Settings, topic: Topic) -> None:
    transaction(settings, topic, {"kiosk-7": b"1", "kiosk-8": b"1"})
    transaction(settings, topic, {"kiosk-7": None})
    assert read_all(settings, topic) == {"kiosk-8": b"1"}


def test_what_was_aborted_is_neither_read_nor_waited_for(settings: Settings, topic: Topic) -> None:
    """The last offsets of the partitions are then an aborted batch and its marker: no record is ever seen there."""
    transaction(settings, topic, {f"A/{n}": b"1" for n in range(20)})
    transaction(settings, topic, {f"A/{n}": b"2" for n in range(20)}, commit=False)
    started = time.monotonic()
    assert read_all(settings, topic) == {f"A/{n}": b"1" for n in range(20)}
    assert time.monotonic() - started < 5


def test_a_transaction_that_is_still_open_is_not_waited_for(settings: Settings, topic: Topic) -> None:
    transaction(settings, topic, {"A/S": b"1"})
    writer = producer(settings, transactional_id="test-open")
    writer.init_transactions(10)
    writer.begin_transaction()
    writer.produce(topic.name, b"2", "A/S")
    writer.flush(10)
    assert read_all(settings, topic) == {"A/S": b"1"}
    writer.abort_transaction(10)


def test_a_topic_that_grows_while_it_is_read_ends_where_it_ended_at_the_start(settings: Settings, topic: Topic) -> None:
    transaction(settings, topic, {f"A/{n}": b"1" for n in range(50)})
    seen = []
    for message in read_to_end(settings, topic):
        seen.append(message)
        if len(seen) < 100:
            _send(settings, topic, {f"A/{n}": b"2" for n in range(50)})
    assert len(seen) == 50


def test_one_partition_can_be_read_alone(settings: Settings, topic: Topic) -> None:
    transaction(settings, topic, dict.fromkeys("ABCDEFGH", b"1"))
    wanted = partition_of("A", settings.partitions)
    keys = {str(message.key(), "ascii") for message in read_to_end(settings, topic, partition=wanted)}
    assert keys == {key for key in "ABCDEFGH" if partition_of(key, settings.partitions) == wanted}
    assert "A" in keys


def test_a_missing_topic_is_named_and_not_made(settings: Settings) -> None:
    for _ in range(2):  # asking for a topic by its name would make it on many brokers
        with pytest.raises(TopicUnreadable, match=r"no topic 'terminals' at .*: run `kassa init`"):
            read_all(settings, TERMINALS)


def test_a_broker_that_is_not_there_is_not_waited_for_longer_than_asked() -> None:
    started = time.monotonic()
    with pytest.raises(KafkaException):
        read_all(Settings(kafka="127.0.0.1:1"), BALANCES, time_out_s=0.5)
    assert time.monotonic() - started < 5


def _send(settings: Settings, topic: Topic, records: dict[str, bytes]) -> None:
    writer: Producer = producer(settings, enable_idempotence=False)
    for key, value in records.items():
        writer.produce(topic.name, value, key)
    assert writer.flush(10) == 0
