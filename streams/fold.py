"""Reading a ledger partition to its end: how a worker comes to know what it must know before it decides."""

from __future__ import annotations

import time
from collections.abc import Iterator

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from pydantic import ValidationError

from schemas.entry import Entry
from streams.clients import reader
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.evolve import evolve
from streams.ledger.state import State
from streams.settings import Settings
from streams.topics import LEDGER


class LedgerUnreadable(LedgerCorrupt):
    """A record on the ledger is not an entry. The ledger is the truth: the worker must stop, not guess."""


def read_entries(settings: Settings, partition: int, stall_s: float = 30) -> Iterator[tuple[int, Entry]]:
    """(offset, entry) of every committed record of a ledger partition, oldest first, up to its present end.

    Raises TimeoutError when the broker is silent for `stall_s`, LedgerUnreadable on a record that is no entry.
    """
    place = TopicPartition(LEDGER.name, partition, 0)
    consumer = reader(settings)
    try:
        end = consumer.get_watermark_offsets(place, timeout=stall_s)[1]
        consumer.assign([place])
        silent_since = time.monotonic()
        while True:
            messages = consumer.consume(2000, timeout=0.2)
            if messages:
                silent_since = time.monotonic()
            elif time.monotonic() - silent_since > stall_s:
                raise TimeoutError(f"ledger partition {partition}: no answer from the broker for {stall_s:.0f} s")
            for message in messages:
                error, offset = message.error(), message.offset() or 0
                if error is None:
                    yield offset, _decode(partition, offset, message.value() or b"")
                elif error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                elif offset >= end:
                    return  # transaction markers take offsets too: only this event tells the end
    finally:
        consumer.close()


def fold(settings: Settings, partition: int) -> State:
    """The state of a ledger partition as it stands; raises LedgerCorrupt when a chain in it is broken."""
    state = State(partition)
    for offset, entry in read_entries(settings, partition):
        try:
            evolve(state, entry)
        except LedgerCorrupt as error:
            raise LedgerCorrupt(f"ledger partition {partition}, offset {offset}: {error}") from error
    return state


def _decode(partition: int, offset: int, value: bytes) -> Entry:
    try:
        return Entry.decode(value)
    except ValidationError as error:
        raise LedgerUnreadable(f"ledger partition {partition}, offset {offset} is not an entry: {error}") from error
