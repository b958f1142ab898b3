"""What terminals are told about subscribers: signed, and on the way at once, outside of any transaction.

A reply that is lost is asked for again: nothing was decided, so nothing can be decided twice.
"""

from __future__ import annotations

import orjson
import structlog
from confluent_kafka import Producer

from schemas.envelope import SigningKey
from schemas.tracking import CheckReply
from streams.clients import producer
from streams.settings import Settings
from streams.topics import CHECK_REPLIES

log = structlog.get_logger()

_LAST_S = 2.0


class CheckReplies:
    """For one thread. Nothing is connected before the first reply."""

    def __init__(self, settings: Settings, key: SigningKey) -> None:
        self._settings = settings
        self._key = key
        self._producer: Producer | None = None

    def tell(self, terminal: str, reply: CheckReply) -> None:
        """Hand the reply to Kafka's client. Where its buffer is full the reply is dropped: the terminal asks again."""
        if self._producer is None:  # without an id, which Kafka gives only half a second later
            self._producer = producer(self._settings, enable_idempotence=False, linger_ms=0)
        value = self._key.sign(orjson.dumps(reply.model_dump(mode="json", exclude_none=True)))
        try:
            self._producer.produce(CHECK_REPLIES.name, value, terminal.encode())
        except BufferError:
            log.warning("check_reply_dropped", terminal=terminal)
        self._producer.poll(0)

    def close(self) -> None:
        if self._producer is not None:
            self._producer.flush(_LAST_S)
