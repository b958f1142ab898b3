"""The doctor at the queues: what is on the topics and nobody has decided, or loaded, yet.

Judged by how long the oldest record waits and not by how many offsets there are: transaction markers take offsets that
nobody will ever read, and a thousand records are nothing for a worker that is at work on them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, TopicPartition

from console.doctor_findings import Deadline, Finding, fail, ok, warn
from streams.clients import SINKS, WORKERS, reader
from streams.compacted import SILENT
from streams.ends import Ends, Place
from streams.settings import Settings
from streams.topics import CHECKS, COMMANDS, DIRECTORY, LEDGER, PAYMENTS, REJECTS, Topic, partitions_of

# Workers commit every second, a sink that has nothing to do about every five.
_WARN_S, _FAIL_S = 15.0, 60.0
_ANSWER_S = 3.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Records of one partition that a group has not passed. offsets: how many at most; age_s: of the oldest."""

    place: Place
    offsets: int
    age_s: float


@dataclass(frozen=True, slots=True)
class Queue:
    """What one kind of part has to read. `verb`: what it does with it."""

    check: str
    group: str
    topics: tuple[Topic, ...]
    part: str
    verb: str


QUEUES = (
    Queue("lag.workers", WORKERS, (PAYMENTS, COMMANDS, CHECKS), "worker", "decided"),
    Queue("lag.sinks", SINKS, (LEDGER, REJECTS, *DIRECTORY), "sink", "loaded"),
)


def look_at_queues(settings: Settings, deadline: Deadline, unserved: Callable[[], set[str]]) -> list[Finding]:
    """`lag.workers` and `lag.sinks`. unserved: kinds of part of which none is alive (see doctor_parts). Raises
    KafkaException and EndsUnknown."""
    ends = Ends(settings)
    waiting = [_waiting(settings, queue, ends, deadline) for queue in QUEUES]
    lost = unserved()
    return [
        judge_queue(queue, found, served=queue.part not in lost) for queue, found in zip(QUEUES, waiting, strict=True)
    ]


def judge_queue(queue: Queue, waiting: Sequence[Waiting], *, served: bool) -> Finding:
    """served: as far as is known there is somebody to read this queue. If not, whatever waits, waits in vain."""
    if not waiting:
        return ok(queue.check, f"everything is {queue.verb}")
    oldest_s = max(one.age_s for one in waiting)
    places = ", ".join(_told(one) for one in sorted(waiting, key=lambda one: -one.age_s)[:5])
    says = f"not {queue.verb}, the oldest for {oldest_s:.0f} s: {places}" + (", …" if len(waiting) > 5 else "")
    if oldest_s >= _FAIL_S or not served:
        return fail(queue.check, says, f"start a {queue.part}, or look into its log: `kassa {queue.part}`")
    if oldest_s >= _WARN_S:
        return warn(queue.check, says, f"watch whether it shrinks; if not, start another {queue.part}")
    return ok(queue.check, f"at work: {says}")


def _told(one: Waiting) -> str:
    topic, partition = one.place
    return f"{topic}/{partition} ({one.offsets:,})"


def _waiting(settings: Settings, queue: Queue, ends: Ends, deadline: Deadline) -> list[Waiting]:
    places = [(topic.name, number) for topic in queue.topics for number in range(partitions_of(topic, settings))]
    consumer = reader(settings, group_id=queue.group, logger=SILENT)  # it asks only: a member is who subscribes
    try:
        committed = _committed(consumer, places, deadline.within(_ANSWER_S))
        behind = {
            place: end - committed[place]
            for place, end in ends.now(places, deadline.within(_ANSWER_S)).items()
            if end > committed[place]
        }
        return list(_first_of_each(consumer, behind, committed, deadline))
    finally:
        consumer.close()


def _committed(consumer: Consumer, places: Iterable[Place], time_out_s: float) -> dict[Place, int]:
    """Where the group goes on; 0 where it has not begun."""
    found = consumer.committed([TopicPartition(*place) for place in places], timeout=time_out_s)
    return {(at.topic, at.partition): max(0, at.offset) for at in found}


def _first_of_each(
    consumer: Consumer, behind: dict[Place, int], committed: dict[Place, int], deadline: Deadline
) -> Iterable[Waiting]:
    """The oldest committed record after where the group stands; a partition that only has markers there has none."""
    left = dict(behind)
    if left:
        consumer.assign([TopicPartition(*place, committed[place]) for place in left])
    within_s = deadline.within(_ANSWER_S)
    until = time.monotonic() + within_s
    while left and time.monotonic() < until:
        message = consumer.poll(0.1)
        if message is None:
            continue
        place = (str(message.topic()), message.partition() or 0)
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                left.pop(place, None)
        elif (offsets := left.pop(place, None)) is not None:
            yield Waiting(place, offsets, max(0.0, time.time() - message.timestamp()[1] / 1000))
    yield from (Waiting(place, offsets, 0.0) for place, offsets in left.items())  # not looked at in time
