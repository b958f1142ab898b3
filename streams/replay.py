"""Quarantined messages sent again to the topic they had arrived on, once each.

A message and the record on `replays` that tells of it are written in one transaction by one fenced producer, which
reads `replays` only after it has fenced the others: so no crash, repeat or second operator can send one twice.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.ids import ms_instant
from schemas.reject import RejectReason
from schemas.replay import Replay
from streams.fencing import fenced_producer
from streams.quarantine import Origin, Quarantined, quarantined, sent_again
from streams.retired import retire
from streams.settings import Settings
from streams.topics import REPLAYS

WRITER = "kassa-replay-rejects"
CHUNK = 500  # messages in one transaction
_CHUNK_BYTES = 8 * 1024 * 1024
_ANSWER_S = 30.0
_FENCED = {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}

Place = tuple[int, int]  # partition, offset


class ReplayCut(Exception):
    """Replaying ended before its end; the text says how far it came. Running it again goes on from there."""


class Fate(StrEnum):
    """What becomes of a quarantined message; the values are words for people."""

    REPLAYED = "replayed"
    BEFORE = "replayed before"
    INELIGIBLE = "not eligible"
    LEFT = "left"  # above the limit


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages: of these reasons and origin topics, between these offsets of `rejects` (both included)."""

    reasons: frozenset[RejectReason]
    topics: frozenset[str]
    first: int = 0
    last: int | None = None
    limit: int | None = None

    def concerns(self, message: Quarantined) -> bool:
        last = message.offset if self.last is None else self.last
        return message.origin[0] in self.topics and self.first <= message.offset <= last


@dataclass(slots=True)
class Tally:
    """How many messages of each reason had which fate."""

    of: dict[RejectReason, Counter[Fate]] = field(default_factory=lambda: defaultdict(Counter))

    def count(self, fate: Fate) -> int:
        return sum(counted[fate] for counted in self.of.values())


def survey(settings: Settings, wanted: Wanted) -> Tally:
    """What `replay` would do now. Raises TopicUnreadable, KafkaException."""
    tally = Tally()
    for message in _due(settings, wanted, sent_again(settings), tally):
        tally.of[message.reason][Fate.REPLAYED] += 1
    return tally


def replay(settings: Settings, wanted: Wanted) -> Tally:
    """Send the wanted messages again. Raises ReplayCut, TopicUnreadable, and KafkaException when no broker answers."""
    writer = fenced_producer(settings, WRITER, _ANSWER_S)
    tally = Tally()
    for chunk in _chunks(_due(settings, wanted, sent_again(settings), tally)):
        try:
            _send(writer, chunk)
        except KafkaException as error:
            retire(writer)
            raise ReplayCut(_why(error, tally.count(Fate.REPLAYED))) from error
        for message in chunk:
            tally.of[message.reason][Fate.REPLAYED] += 1
    return tally


def _due(settings: Settings, wanted: Wanted, before: set[Origin], tally: Tally) -> Iterator[Quarantined]:
    """The messages to send; all others are told to the tally."""
    due = 0
    for message in quarantined(settings):
        if not wanted.concerns(message):
            continue
        if message.origin in before:
            fate = Fate.BEFORE
        elif message.reason not in wanted.reasons:
            fate = Fate.INELIGIBLE
        elif due == wanted.limit:
            fate = Fate.LEFT
        else:
            due += 1
            before.add(message.origin)
            yield message
            continue
        tally.of[message.reason][fate] += 1


def _chunks(messages: Iterator[Quarantined]) -> Iterator[list[Quarantined]]:
    chunk: list[Quarantined] = []
    weight = 0
    for message in messages:
        if chunk and (len(chunk) == CHUNK or weight + len(message.value) > _CHUNK_BYTES):
            yield chunk
            chunk, weight = [], 0
        chunk.append(message)
        weight += len(message.value)
    if chunk:
        yield chunk


def _send(writer: Producer, chunk: Sequence[Quarantined]) -> None:
    """One transaction: all of the chunk is sent and told of, or nothing. Raises KafkaException."""
    writer.begin_transaction()
    try:
        for message, (partition, offset) in zip(chunk, _placed(writer, chunk), strict=True):
            topic, origin_partition, origin_offset = message.origin
            told = Replay(
                topic=topic,  # type: ignore[arg-type]  # one of the two, or it would not be Quarantined
                partition=partition,
                offset=offset,
                origin_partition=origin_partition,
                origin_offset=origin_offset,
                reason=message.reason,
                at=ms_instant(time.time_ns() // 1_000_000),
            )
            writer.produce(REPLAYS.name, told.model_dump_json().encode(), str(message.offset).encode())
        writer.commit_transaction(_ANSWER_S)
    except KafkaException:
        with suppress(KafkaException):  # an open transaction would hold up who reads the topics; a fenced one is over
            writer.abort_transaction(_ANSWER_S)
        raise


def _placed(writer: Producer, chunk: Sequence[Quarantined]) -> list[Place]:
    """Send each message under its own key; where each now is, in their order. Raises KafkaException."""
    places: dict[int, Place] = {}
    refused: list[KafkaError] = []

    for message in chunk:

        def delivered(error: KafkaError | None, at: Message, number: int = message.offset) -> None:
            offset = at.offset()
            if error is not None:
                refused.append(error)
            elif offset is not None:  # None: a new leader had it already, and does not say where
                places[number] = at.partition() or 0, offset

        writer.produce(message.origin[0], message.value, message.key, on_delivery=delivered)
    writer.flush(_ANSWER_S)
    if refused or len(places) < len(chunk):
        raise KafkaException(refused[0] if refused else KafkaError(KafkaError._TIMED_OUT))
    return [places[message.offset] for message in chunk]


def _why(error: KafkaException, count: int) -> str:
    cause = error.args[0]
    done = f"{count} messages were replayed before that"
    if isinstance(cause, KafkaError) and cause.code() in _FENCED:
        return f"another replay has taken over, and does the rest; {done}"
    said = cause.str() if isinstance(cause, KafkaError) else error
    return f"Kafka did not take a chunk of messages: {said}; {done}: run it again for the rest"
