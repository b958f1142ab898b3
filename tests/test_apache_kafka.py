"""What Kassa relies on, held against real Apache Kafka, and against a cluster that loses brokers."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, Producer

from streams.apache_kafka import ApacheKafka
from streams.ends import Ends, EndsUnknown
from streams.settings import Settings
from tests.broker_clients import TIMEOUT_S, a_producer, a_topic, an_admin, read, send, values
from tests.broker_contract import CONTRACT
from tests.network import until

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    with ApacheKafka.start(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    with ApacheKafka.start(tmp_path_factory.mktemp("cluster"), brokers=3) as brokers:
        yield brokers


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
def test_the_contract(kafka: ApacheKafka, check: Callable[[str], None]) -> None:
    check(kafka.bootstrap)


def test_records_outlive_the_broker(tmp_path: Path) -> None:
    with ApacheKafka.start(tmp_path) as first:
        topic = a_topic(first.bootstrap)
        send(a_producer(first.bootstrap), topic, b"acknowledged")
        first.kill(1)
    with ApacheKafka.start(tmp_path) as second:
        assert values(read(second.bootstrap, topic)) == [b"acknowledged"]


def test_clients_at_a_door_are_told_its_port(tmp_path: Path) -> None:
    ports: list[int] = []

    def advertise(port: int) -> int:
        ports.append(port)
        return port

    with ApacheKafka.start(tmp_path, doors={"SIDE": advertise}) as broker:
        assert broker.bootstrap_at("SIDE") == f"127.0.0.1:{ports[0]}" != broker.bootstrap
        topic = a_topic(broker.bootstrap_at("SIDE"))
        send(a_producer(broker.bootstrap_at("SIDE")), topic, b"through the door")
        for there in (broker.bootstrap_at("SIDE"), broker.bootstrap):
            assert values(read(there, topic)) == [b"through the door"]
            assert [
                f"127.0.0.1:{one.port}" for one in an_admin(there).list_topics(timeout=TIMEOUT_S).brokers.values()
            ] == [there]


def test_a_cluster_keeps_three_copies_and_wants_two(cluster: ApacheKafka) -> None:
    topic = a_topic(cluster.bootstrap, copies=3)
    send(a_producer(cluster.bootstrap, "first-of-all"), topic)
    topics = an_admin(cluster.bootstrap).list_topics(timeout=TIMEOUT_S).topics
    for name in (topic, "__transaction_state"):
        assert {len(partition.replicas) for partition in topics[name].partitions.values()} == {3}, name


def test_a_transaction_whose_leader_dies_is_there_wholly_or_not_at_all(cluster: ApacheKafka) -> None:
    topic = a_topic(cluster.bootstrap, copies=3)
    producer = a_producer(cluster.bootstrap, "survivor")
    assert transact(producer, topic, [b"1.1", b"1.2"])

    leader = leader_of(cluster, topic)
    torn = [b"2.%d" % number for number in range(100)]
    committed = transact(producer, topic, torn, half_way=lambda: cluster.kill(leader))
    while not transact(producer, topic, [b"3.1", b"3.2"]):
        pass  # each round is bounded by its commit

    expected = [b"1.1", b"1.2", *(torn if committed else []), b"3.1", b"3.2"]
    assert values(read(cluster.bootstrap, topic)) == expected
    assert leader_of(cluster, topic) != leader
    cluster.restart(leader)
    assert values(read(cluster.bootstrap, topic)) == expected


def test_a_frozen_leader_is_replaced_and_loses_nothing_acknowledged(cluster: ApacheKafka) -> None:
    topic = a_topic(cluster.bootstrap, copies=3)
    # The client waits out a frozen broker: by default a minute.
    producer = a_producer(cluster.bootstrap, enable_idempotence="true", socket_timeout_ms=2000)
    send(producer, topic, b"before")
    leader = leader_of(cluster, topic)
    cluster.pause(leader)
    send(producer, topic, b"while it is frozen")
    cluster.resume(leader)
    send(producer, topic, b"after")
    assert values(read(cluster.bootstrap, topic)) == [b"before", b"while it is frozen", b"after"]


def test_where_topics_end_is_known_again_at_once_after_a_broker_was_away(kafka: ApacheKafka) -> None:
    """The directory is read by it: a worker that is left without it quarantines terminals enrolled since."""
    topic = a_topic(kafka.bootstrap)
    ends = Ends(Settings(kafka=kafka.bootstrap))
    until("the new topic has a leader", lambda: known_end(ends, topic) == 0)
    kafka.restart(1)
    send(a_producer(kafka.bootstrap), topic, b"news")
    until("the end is known", lambda: known_end(ends, topic) == 1, 30)


def known_end(ends: Ends, topic: str) -> int | None:
    try:
        return ends.now([(topic, 0)])[topic, 0]
    except EndsUnknown:
        return None


def test_fenced_writers_leave_their_process_in_one_piece(kafka: ApacheKafka) -> None:
    topic = a_topic(kafka.bootstrap, partitions=4)
    line = [sys.executable, "-m", "tests.fenced_writers", kafka.bootstrap, topic]
    done = subprocess.run(line, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


def transact(producer: Producer, topic: str, texts: list[bytes], half_way: Callable[[], None] = lambda: None) -> bool:
    """Write all in one transaction; whether it was committed. Something may happen when half is on the broker."""
    producer.begin_transaction()
    middle = len(texts) // 2
    try:
        send(producer, topic, *texts[:middle])
        half_way()
        send(producer, topic, *texts[middle:])
    except KafkaException as error:
        if not error.args[0].txn_requires_abort():
            raise
        producer.abort_transaction(TIMEOUT_S)
        return False
    return committed(producer)


def committed(producer: Producer) -> bool:
    deadline = time.monotonic() + 2 * TIMEOUT_S
    while True:
        try:
            producer.commit_transaction(TIMEOUT_S)
            return True
        except KafkaException as error:
            if error.args[0].txn_requires_abort():
                producer.abort_transaction(TIMEOUT_S)
                return False
            if not error.args[0].retriable() or time.monotonic() > deadline:
                raise


def leader_of(cluster: ApacheKafka, topic: str) -> int:
    return int(an_admin(cluster.bootstrap).list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions[0].leader)
