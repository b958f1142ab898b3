"""The second half of the broker contract: consumer groups with static members, offsets, and what a topic sheds."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_END, Consumer, KafkaError, TopicPartition

from tests.broker_clients import TIMEOUT_S, Settings, a_consumer, a_producer, a_topic, an_admin, read, send

SESSION_MS = 6000  # the least that a broker allows by default


@dataclass(slots=True)
class Member:
    """A static member of a group, with what it was told to own, time after time."""

    consumer: Consumer
    owned: set[int] = field(default_factory=set)
    rebalances: int = 0

    def subscribe(self, topic: str) -> None:
        self.consumer.subscribe([topic], on_assign=self._on_assign, on_revoke=self._on_revoke)

    def _on_assign(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.owned |= {partition.partition for partition in partitions}
        self.rebalances += 1

    def _on_revoke(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.owned -= {partition.partition for partition in partitions}


@contextmanager
def a_member(bootstrap: str, group: str, instance: str, topic: str) -> Iterator[Member]:
    """In and, on leaving the block, silent: a static member says no goodbye."""
    settings: Settings = {
        "group.instance.id": instance,
        "session.timeout.ms": SESSION_MS,
        "heartbeat.interval.ms": 500,
    }
    with a_consumer(bootstrap, group, settings) as consumer:
        member = Member(consumer)
        member.subscribe(topic)
        yield member


def poll_until(condition: Callable[[], bool], *members: Member, what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        for member in members:
            member.consumer.poll(0.05)
        assert time.monotonic() < deadline, f"not within {TIMEOUT_S:.0f} s: {what}"


def a_static_member_comes_back_to_its_partitions(bootstrap: str) -> None:
    topic, group = a_topic(bootstrap, partitions=4), f"group-{uuid.uuid4()}"
    with a_member(bootstrap, group, "stays", topic) as stays:
        with a_member(bootstrap, group, "restarts", topic) as restarts:
            both = (stays, restarts)
            poll_until(lambda: len(stays.owned) == len(restarts.owned) == 2, *both, what="two and two partitions")
            before, rebalances = set(restarts.owned), stays.rebalances
        with a_member(bootstrap, group, "restarts", topic) as back:
            poll_until(lambda: len(back.owned) == 2, stays, back, what="the member that came back owns partitions")
            assert back.owned == before
            assert stays.rebalances == rebalances, "the other member was disturbed"


def a_silent_member_loses_its_partitions(bootstrap: str) -> None:
    topic, group = a_topic(bootstrap, partitions=4), f"group-{uuid.uuid4()}"
    with a_member(bootstrap, group, "stays", topic) as stays:
        with a_member(bootstrap, group, "dies", topic) as dies:
            poll_until(lambda: len(stays.owned) == len(dies.owned) == 2, stays, dies, what="two and two partitions")
        poll_until(lambda: len(stays.owned) == 4, stays, what="the survivor owns all")


def two_members_cannot_share_an_instance_id(bootstrap: str) -> None:
    topic, group = a_topic(bootstrap, partitions=2), f"group-{uuid.uuid4()}"
    with ExitStack() as stack:
        first = stack.enter_context(a_member(bootstrap, group, "the same", topic))
        poll_until(lambda: len(first.owned) == 2, first, what="the first owns all")
        second = stack.enter_context(a_member(bootstrap, group, "the same", topic))
        poll_until(lambda: len(second.owned) == 2, second, what="the second owns all")
        assert fenced_error(first), "the first was not told that it is fenced"


def fenced_error(member: Member) -> bool:
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        message = member.consumer.poll(0.1)
        error = message.error() if message is not None else None
        if error is not None and error.code() in (KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID):
            return True
    return False


def committed_offsets_are_kept(bootstrap: str) -> None:
    topic, group = a_topic(bootstrap), f"group-{uuid.uuid4()}"
    with a_consumer(bootstrap, group) as consumer:
        consumer.commit(offsets=[TopicPartition(topic, 0, 41)], asynchronous=False)
    with a_consumer(bootstrap, group) as consumer:
        assert consumer.committed([TopicPartition(topic, 0)], timeout=TIMEOUT_S)[0].offset == 41


def offsets_are_found_by_end_and_by_time(bootstrap: str) -> None:
    topic = a_topic(bootstrap)
    producer = a_producer(bootstrap)
    for second in (1000, 2000, 3000):
        send(producer, topic, b"at %d" % second, timestamp=second * 1000)
    assert ends(bootstrap, topic) == (0, 3)
    with a_consumer(bootstrap, f"group-{uuid.uuid4()}") as consumer:
        asked = [TopicPartition(topic, 0, at_ms) for at_ms in (1_500_000, 3_000_001)]
        found = [consumer.offsets_for_times([one], timeout=TIMEOUT_S)[0].offset for one in asked]
    assert found == [1, OFFSET_END]


def deleted_records_are_gone_and_the_rest_keep_their_offsets(bootstrap: str) -> None:
    topic = a_topic(bootstrap)
    send(a_producer(bootstrap), topic, b"0", b"1", b"2")
    admin = an_admin(bootstrap)
    for deleted in admin.delete_records([TopicPartition(topic, 0, 2)]).values():
        assert deleted.result(TIMEOUT_S).low_watermark == 2
    assert ends(bootstrap, topic) == (2, 3)
    assert [(message.offset(), message.value()) for message in read(bootstrap, topic)] == [(2, b"2")]


def compaction_keeps_the_last_of_every_key(bootstrap: str) -> None:
    """Whatever it drops, and whenever: a table read from the topic is the table that was written."""
    topic = a_topic(
        bootstrap, config={"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"}
    )
    producer = a_producer(bootstrap)
    for version in range(20):
        for key in (b"a", b"b", b"c"):
            send(producer, topic, b"%s %d" % (key, version), key=key)
    table = {message.key(): message.value() for message in read(bootstrap, topic)}
    assert table == {b"a": b"a 19", b"b": b"b 19", b"c": b"c 19"}


def ends(bootstrap: str, topic: str) -> tuple[int, int]:
    """The offsets of a topic's first record and of the one to come, in partition 0."""
    with a_consumer(bootstrap, f"group-{uuid.uuid4()}") as consumer:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=TIMEOUT_S)
    return low, high
