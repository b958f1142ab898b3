"""Sends a fleet's messages at a rate and listens to what comes back, until all is settled or time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO

import orjson
from confluent_kafka import KafkaError, Message

from console.client import Client
from console.fleet_messages import FleetMessage
from console.fleet_tally import Tally, Track
from console.rejects import RejectReader
from console.requests import Request
from streams.topics import PAYMENTS

_TURN_S = 0.02
_DRAIN = 200


def run(
    client: Client,
    rejects: RejectReader,
    fleet: Iterable[FleetMessage],
    *,
    rate: float,
    wait_s: float,
    record: TextIO | None = None,
) -> Tally:
    """`rate` messages a second, 0 as fast as possible; then listen until all is settled, or silent for `wait_s`.

    Each message that Kafka acknowledged is a line of JSON on `record`, written when the word of it comes.
    """
    tally = Tally()
    for message in paced(fleet, rate, lambda left_s: _listen(client, rejects, tally, left_s)):
        track = tally.sent(message, time.monotonic())
        client.send(_request(message), _on_delivery(tally, track, record))
    deadline = time.monotonic() + wait_s
    while not tally.is_settled and time.monotonic() < deadline:
        if _listen(client, rejects, tally, _TURN_S):
            deadline = time.monotonic() + wait_s
    client.flush(max(0.0, deadline - time.monotonic()))
    return tally


def paced(fleet: Iterable[FleetMessage], rate: float, listen: Callable[[float], object]) -> Iterator[FleetMessage]:
    """Each message when its time has come; until then `listen` gets the time that is left (seconds)."""
    start = time.monotonic()
    for count, message in enumerate(fleet):
        due = start + count / rate if rate else 0.0
        while (left_s := due - time.monotonic()) > 0:
            listen(min(left_s, _TURN_S))
        if not rate:
            listen(0)
        yield message


def _listen(client: Client, rejects: RejectReader, tally: Tally, time_out_s: float) -> bool:
    """One wait for a reply, then whatever else is there; was there anything?"""
    has_news = False
    for turn in range(_DRAIN):
        reply = client.poll(0 if turn else time_out_s)
        if reply is None:
            break
        tally.reply(reply, time.monotonic())
        has_news = True
    for _ in range(_DRAIN):
        rejected = rejects.poll(0)
        if rejected is None:
            break
        tally.rejected(rejected)
        has_news = True
    return has_news


def _request(message: FleetMessage) -> Request:
    return Request(PAYMENTS, message.key, message.value, message.terminal, message.id)


def _on_delivery(tally: Tally, track: Track, record: TextIO | None) -> Callable[[KafkaError | None, Message], None]:
    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            tally.failed(track)
            return
        topic, partition, offset = str(message.topic()), message.partition() or 0, message.offset()
        if offset is None:
            offset = -1  # it is there, and the broker did not say where: 0 is where another may be
        tally.acknowledged(track, topic, partition, offset)
        if record is not None:
            record.write(_line(track.message, topic, partition, offset))

    return delivered


def _line(message: FleetMessage, topic: str, partition: int, offset: int) -> str:
    facts = {
        "kind": message.kind.name,
        "id": message.id,
        "terminal": message.terminal,
        "expected": str(message.expected),
        "topic": topic,
        "partition": partition,
        "offset": offset,
    }
    return orjson.dumps(facts).decode() + "\n"
