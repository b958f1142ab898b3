"""Where topics end: asking is cheaper than waiting there.

The embedded broker answers an empty fetch at once instead of holding it, so a consumer that waits at the end of a
topic asks 2,000 times a second. Readers that live long ask here for news instead, and read only when there is some.
"""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from streams.reach import reach
from streams.settings import Settings

Place = tuple[str, int]  # topic, partition


class EndsUnknown(Exception):
    """The broker did not say where its topics end."""


class Ends:
    """Asks one question over one connection; keep it as long as you ask."""

    def __init__(self, settings: Settings) -> None:
        self._admin = AdminClient({**reach(settings), "log_level": 2})

    def now(self, places: Iterable[Place], time_out_s: float = 10) -> dict[Place, int]:
        """The offset after the last committed record (or transaction marker) of each. Raises EndsUnknown."""
        places = list(places)
        try:
            try:
                return self._ask(places, time_out_s)
            except KafkaException:
                # The client goes on asking the leaders it knew, minutes after they changed, unless it is made to look.
                self._admin.list_topics(timeout=time_out_s)
                return self._ask(places, time_out_s)
        except (KafkaException, TimeoutError) as error:
            raise EndsUnknown(str(error)) from error

    def _ask(self, places: list[Place], time_out_s: float) -> dict[Place, int]:
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = {TopicPartition(*place): latest for place in places}
        found = self._admin.list_offsets(
            asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=time_out_s
        )
        return {(at.topic, at.partition): future.result(time_out_s).offset for at, future in found.items()}
