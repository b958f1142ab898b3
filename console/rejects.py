"""The quarantine as it grows: which messages were kept there, and why."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import KafkaException, Message, TopicPartition

from schemas.reject import HEADER_OFFSET, HEADER_PARTITION, HEADER_REASON, HEADER_TOPIC
from streams.clients import reader
from streams.compacted import SILENT
from streams.settings import Settings
from streams.topics import REJECTS

_TIME_OUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Rejected:
    """Where the message had arrived, and the reason's name."""

    topic: str
    partition: int
    offset: int
    reason: str


class RejectReader:
    """Reads `rejects` from its end at the start."""

    def __init__(self, settings: Settings) -> None:
        """Raises KafkaException when no broker answers."""
        self._consumer = reader(settings, logger=SILENT, enable_partition_eof=False)
        place = TopicPartition(REJECTS.name, 0)
        _, high = self._consumer.get_watermark_offsets(place, timeout=_TIME_OUT_S)
        place.offset = high
        self._consumer.assign([place])

    def poll(self, time_out_s: float) -> Rejected | None:
        """The next quarantined message within the time, or None."""
        message = self._consumer.poll(time_out_s)
        if message is None:
            return None
        error = message.error()
        if error is not None:
            if error.code() > 0 and not error.retriable():
                raise KafkaException(error)
            return None
        story = _story(message)
        return Rejected(
            story.get(HEADER_TOPIC, ""),
            int(story.get(HEADER_PARTITION, "-1")),
            int(story.get(HEADER_OFFSET, "-1")),
            story.get(HEADER_REASON, ""),
        )

    def close(self) -> None:
        self._consumer.close()


def _story(message: Message) -> dict[str, str]:
    headers = message.headers() or []
    return {name: _text(value) for name, value in (headers.items() if isinstance(headers, dict) else headers)}


def _text(value: bytes | str | None) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""
