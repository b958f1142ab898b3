"""Is there a broker, and is it ours? Asked first, so that nothing starts that would only fail in the background."""

from __future__ import annotations

from confluent_kafka.admin import AdminClient

from console.errors import NoBroker
from streams.compacted import SILENT
from streams.reach import reach
from streams.settings import Settings
from streams.topics import ALL

_TIME_OUT_S = 5.0


def topics_there(settings: Settings) -> set[str]:
    """Names of the topics at the broker. Raises KafkaException when none answers."""
    return set(AdminClient(reach(settings), logger=SILENT).list_topics(timeout=_TIME_OUT_S).topics)


def require_topics(settings: Settings) -> None:
    """Raises NoBroker when topics of ours are missing."""
    there = topics_there(settings)
    missing = [topic.name for topic in ALL if topic.name not in there]
    if missing:
        raise NoBroker(f"at {settings.kafka} there is no topic {', '.join(missing)}: run `kassa init` first")
