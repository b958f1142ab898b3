"""Reading a ledger partition from Kafka, from some offset to its present end."""

from __future__ import annotations

import time
from collections.abc import Iterator

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streams.clients import arrived, reader
from streams.settings import Settings
from streams.topics import LEDGER

_AT_ONCE = 2000
_STALL_S = 30


def read_records(settings: Settings, partition: int, start: int = 0) -> Iterator[list[tuple[int, bytes]]]:
    """(offset, value) of every committed record from `start` on, oldest first, some thousand at a time, up to its end.

    Raises TimeoutError when the broker is silent for half a minute, KafkaException for what it says.
    """
    place = TopicPartition(LEDGER.name, partition, start)
    consumer = reader(settings)
    try:
        end = consumer.get_watermark_offsets(place, timeout=_STALL_S)[1]
        consumer.assign([place])
        silent_since = time.monotonic()
        while True:
            messages = arrived(consumer, _AT_ONCE, 0.2)
            if messages:
                silent_since = time.monotonic()
            elif time.monotonic() - silent_since > _STALL_S:
                raise TimeoutError(f"ledger partition {partition}: no answer from the broker for {_STALL_S} s")
            records, at_end = [], False
            for message in messages:
                error, offset = message.error(), message.offset() or 0
                if error is None:
                    records.append((offset, message.value() or b""))
                elif error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                else:
                    # Transaction markers take offsets too: only this event tells the end.
                    at_end = at_end or offset >= end
            if records:
                yield records
            if at_end:
                return
    finally:
        consumer.close()
