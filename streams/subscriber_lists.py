"""Payees' lists on topic `subscribers`: put there whole or not at all, and read back only as what was put there.

The rows and the order that puts them in force are one Kafka transaction: there is no moment in which one is there
without the other.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from schemas.subscribers import MAX_CHUNK_BYTES, SubscriberList, chunk_key
from streams.clients import arrived, producer, reader
from streams.settings import Settings
from streams.topics import COMMANDS, SUBSCRIBERS

_ANSWER_S = 60.0
_TRANSACTION_MS = 900_000  # Kafka's longest by default: a million rows take one
_SILENCE_S = 30.0


class ListDiffers(Exception):
    """What is on the topic is not the list that was signed."""


def writer_id(payee: str) -> str:
    """The transactional id of a payee's uploads: of two at a time the later shuts the earlier out."""
    return f"kassa-subscribers-{payee}"


class Upload:
    """A list on its way. Rows are encoded lines without a line break. Left without `put_in_force`, nothing was sent.

    Raises KafkaException, BufferError.
    """

    def __init__(self, settings: Settings, payee: str, upload: str) -> None:
        self.rows = 0
        self._payee, self._upload = payee, upload
        self._digest = hashlib.blake2b(digest_size=16)
        self._lines: list[bytes] = []
        self._size = 0
        self._chunks = 0
        self._offsets: list[int] = []
        self._errors: list[KafkaError] = []
        self._is_open = True
        self._producer: Producer = producer(
            settings, transactional_id=writer_id(payee), transaction_timeout_ms=_TRANSACTION_MS, compression_type="zstd"
        )
        self._producer.init_transactions(_ANSWER_S)
        self._producer.begin_transaction()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._is_open:
            self._is_open = False
            self._producer.purge()
            self._producer.abort_transaction(_ANSWER_S)

    def add(self, line: bytes) -> None:
        if self._size + len(line) >= MAX_CHUNK_BYTES and self._lines:
            self._send()
        self._lines.append(line)
        self._size += len(line) + 1
        self.rows += 1

    def finished(self, file: str) -> SubscriberList:
        """The record of everything added; it is in Kafka and nobody sees it yet. file: its name, for people."""
        self._send()
        self._producer.flush(_ANSWER_S)
        if self._errors:
            raise KafkaException(self._errors[0])
        return SubscriberList(
            payee=self._payee,
            upload=self._upload,
            chunks=self._chunks,
            rows=self.rows,
            digest=self._digest.hexdigest(),
            first_offset=min(self._offsets, default=0),
            file=file,
        )

    def put_in_force(self, key: str, command: bytes) -> None:
        """Commit it together with the signed order about it."""
        self._producer.produce(COMMANDS.name, command, key, on_delivery=self._delivered)
        self._producer.commit_transaction(_ANSWER_S)
        self._is_open = False

    def _send(self) -> None:
        if not self._lines:
            return
        value = b"\n".join(self._lines)
        self._digest.update(value)
        key = chunk_key(self._payee, self._upload, self._chunks)
        while True:
            try:
                self._producer.produce(SUBSCRIBERS.name, value, key, on_delivery=self._delivered)
                break
            except BufferError:
                self._producer.poll(0.1)
        self._producer.poll(0)
        self._chunks += 1
        self._lines, self._size = [], 0

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._errors.append(error)
        elif message.topic() == SUBSCRIBERS.name:
            self._offsets.append(message.offset() or 0)  # not told where: it is looked for from the beginning


def forget(settings: Settings, old: SubscriberList) -> None:
    """Take the rows of a list that is not in force off the topic. Raises KafkaException."""
    taking = producer(settings)
    for number in range(old.chunks):
        taking.produce(SUBSCRIBERS.name, None, chunk_key(old.payee, old.upload, number))
        taking.poll(0)
    if taking.flush(_ANSWER_S):
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))


def read_lines(settings: Settings, wanted: SubscriberList) -> Iterator[list[bytes]]:
    """The rows of a list, some hundred or thousand lines at a time, in order.

    Raises ListDiffers (also after the last one: believe none before the end), KafkaException, TimeoutError.
    """
    digest, rows, count = hashlib.blake2b(digest_size=16), 0, 0
    prefix = chunk_key(wanted.payee, wanted.upload, 0)[:-1].encode()
    for start in dict.fromkeys((wanted.first_offset, 0)):  # a copy of the topic has other offsets
        for key, value in _from(settings, start):
            if not key.startswith(prefix) or count == wanted.chunks or int(key[len(prefix) :]) != count:
                continue
            digest.update(value)
            lines = value.split(b"\n")
            rows, count = rows + len(lines), count + 1
            yield lines
            if count == wanted.chunks:
                break
        if count:
            break
    if (count, rows, digest.hexdigest()) != (wanted.chunks, wanted.rows, wanted.digest):
        raise ListDiffers(
            f"of the list of payee {wanted.payee}, upload {wanted.upload}, {count} of {wanted.chunks} records and "
            f"{rows} of {wanted.rows} rows are on topic {SUBSCRIBERS.name}, or they are not those that were signed"
        )


def _from(settings: Settings, start: int) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of every committed record from that offset to the present end; those taken off are passed over."""
    place = TopicPartition(SUBSCRIBERS.name, 0, start)
    consumer = reader(settings, queued_max_messages_kbytes=8_192)
    try:
        low, end = consumer.get_watermark_offsets(place, timeout=_SILENCE_S)
        if max(start, low) >= end:
            return
        place.offset = max(start, low)
        consumer.assign([place])
        silent_since = time.monotonic()
        while time.monotonic() - silent_since < _SILENCE_S:
            for message in arrived(consumer, 20, 0.2):
                silent_since = time.monotonic()
                error, offset = message.error(), message.offset() or 0
                if error is None:
                    key, value = message.key(), message.value()
                    if key is not None and value is not None:
                        yield bytes(key), value
                elif error.code() == KafkaError._PARTITION_EOF and offset >= end:
                    return
                elif error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
        raise TimeoutError(f"topic {SUBSCRIBERS.name}: no answer from the broker for {_SILENCE_S:.0f} s")
    finally:
        consumer.close()
