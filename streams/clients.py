"""confluent-kafka clients with the settings every part of Kassa must share."""

from __future__ import annotations

from typing import Any

from confluent_kafka import Consumer, Message, Producer

from streams.reach import reach
from streams.settings import Settings
from streams.topics import MAX_MESSAGE_BYTES

# The consumer groups: of workers, of sinks, and of those who read without one (the library wants a name all the same).
WORKERS, SINKS, READERS = "kassa", "kassa-sink", "kassa-reader"

SOCKET_TIME_OUT_MS = 10_000  # how long a frozen broker may hold us before we look for the new leader

# murmur2 is what Java clients and aiokafka hash keys with; librdkafka's own default would split a tree in two.
_PRODUCER: dict[str, Any] = {
    "partitioner": "murmur2_random",
    "acks": "all",
    "enable.idempotence": True,
    "message.max.bytes": MAX_MESSAGE_BYTES,
    "linger.ms": 2,
    "socket.timeout.ms": SOCKET_TIME_OUT_MS,
    "log_level": 2,  # what goes wrong is told by our own errors; librdkafka would repeat it on stderr at every try
}


def producer(settings: Settings, **overrides: Any) -> Producer:
    """A producer whose acknowledged messages are on every in-sync replica. Overrides use "_" for "."."""
    return Producer({**reach(settings), **_PRODUCER, **_dotted(overrides)})


def reader(settings: Settings, **overrides: Any) -> Consumer:
    """A read_committed consumer that commits nothing and is told its partitions by assign()."""
    return Consumer(
        {
            **reach(settings),
            "group.id": READERS,  # nothing is subscribed or committed
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.message.max.bytes": MAX_MESSAGE_BYTES,
            # The embedded broker answers a fetch with all it has; a reader with a lower bound would never get on.
            "receive.message.max.bytes": 2**31 - 1,
            "fetch.wait.max.ms": 50,
            "fetch.queue.backoff.ms": 10,  # its second by default is what a reader waits each time it read ahead enough
            "socket.timeout.ms": SOCKET_TIME_OUT_MS,
            "log_level": 2,  # our own errors tell what goes wrong; librdkafka would repeat it at every try
            **_dotted(overrides),
        }
    )


def arrived(consumer: Consumer, at_most: int, within_s: float) -> list[Message]:
    """What has arrived, waiting up to `within_s` seconds for the first of it alone: consume() waits so for the last."""
    first = consumer.poll(within_s)
    return [] if first is None else [first, *consumer.consume(at_most - 1, timeout=0)]


def _dotted(overrides: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "."): value for name, value in overrides.items()}
