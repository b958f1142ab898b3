"""Topic `rejects` read back: which message each record is, and which of them were sent again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import Message

from schemas.reject import HEADER_OFFSET, HEADER_PARTITION, HEADER_REASON, HEADER_TOPIC, RejectReason
from schemas.replay import Replay
from streams.compacted import read_to_end
from streams.settings import Settings
from streams.topics import COMMANDS, PAYMENTS, REJECTS, REPLAYS

Origin = tuple[str, int, int]  # topic, partition, offset at which a message had arrived

# `rejects` keeps everything for ever, so reading it may take a while.
_TIME_OUT_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message in quarantine. `offset` is its record's on `rejects`; key and value are as they came."""

    offset: int
    origin: Origin
    reason: RejectReason
    key: bytes | None
    value: bytes

    @classmethod
    def of(cls, message: Message) -> Quarantined:
        """Raises ValueError for a record whose headers do not tell a story that could be ours."""
        headers = message.headers() or []
        found = dict(headers.items() if isinstance(headers, dict) else headers)
        story = {name: value.decode() if isinstance(value, bytes) else value or "" for name, value in found.items()}
        topic = story.get(HEADER_TOPIC, "")
        if topic not in (PAYMENTS.name, COMMANDS.name):
            raise ValueError(f"no message arrives on {topic!r}")
        origin = topic, int(story.get(HEADER_PARTITION, "")), int(story.get(HEADER_OFFSET, ""))
        reason = RejectReason(story.get(HEADER_REASON, ""))
        return cls(message.offset() or 0, origin, reason, message.key(), message.value() or b"")


def quarantined(settings: Settings) -> Iterator[Quarantined]:
    """Every message in quarantine, oldest first. What is on `rejects` and cannot be one is passed over.

    Raises TopicUnreadable, KafkaException.
    """
    for message in read_to_end(settings, REJECTS, time_out_s=_TIME_OUT_S):
        try:
            yield Quarantined.of(message)
        except ValueError:
            continue


def sent_again(settings: Settings) -> set[Origin]:
    """The origins of all messages that were sent again. Raises ValidationError, TopicUnreadable, KafkaException.

    Origins, since a message that was quarantined twice after a crash is one message.
    """
    found: set[Origin] = set()
    for message in read_to_end(settings, REPLAYS, time_out_s=_TIME_OUT_S):
        replay = Replay.model_validate_json(message.value() or b"")
        found.add((replay.topic, replay.origin_partition, replay.origin_offset))
    return found
