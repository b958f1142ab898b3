"""What terminals are told about subscribers: sealed, signed, and on the way at once, outside of any transaction.

Every terminal can read the topic, so what is told of a subscriber is sealed to the terminal that asked, where it has a
key for that. A reply that is lost is asked for again: nothing was decided, so nothing can be decided twice.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import structlog
from confluent_kafka import Producer

from schemas.envelope import SigningKey
from schemas.refusal import Refusal
from schemas.sealing import SealingKey
from schemas.terminal import Terminal
from schemas.tracking import CheckReply
from streams.clients import producer
from streams.settings import Settings
from streams.topics import CHECK_REPLIES

log = structlog.get_logger()

_LAST_S = 2.0
# So much of a subscriber fits into a message when it is sealed and signed, which makes sixteen bytes of nine.
_MOST_BYTES = 8_500


class CheckReplies:
    """For one thread. Nothing is connected before the first reply."""

    def __init__(self, settings: Settings, key: SigningKey, terminals: Mapping[str, Terminal]) -> None:
        """terminals: by id, kept up to date by whoever gives it."""
        self._settings = settings
        self._key = key
        self._terminals = terminals
        self._producer: Producer | None = None

    def tell(self, terminal: str, reply: CheckReply) -> None:
        """Hand the reply to Kafka's client. Where its buffer is full the reply is dropped: the terminal asks again."""
        if self._producer is None:  # without an id, which Kafka gives only half a second later
            self._producer = producer(self._settings, enable_idempotence=False, linger_ms=0)
        try:
            self._producer.produce(CHECK_REPLIES.name, self.message(terminal, reply), terminal.encode())
        except BufferError:
            log.warning("check_reply_dropped", terminal=terminal)
        self._producer.poll(0)

    def message(self, terminal: str, reply: CheckReply) -> bytes:
        """The reply as it travels. Shown fields that do not fit are left out, the last ones first."""
        while reply.shown and len(orjson.dumps(reply.facts().model_dump(mode="json"))) > _MOST_BYTES:
            reply = reply.model_copy(update={"shown": reply.shown[:-1]})
        on_file = self._terminals.get(terminal)
        if on_file is not None and on_file.sealing is not None:
            reply = _sealed(reply, terminal, on_file.sealing)
        return self._key.sign(orjson.dumps(reply.model_dump(mode="json", exclude_none=True)))

    def close(self) -> None:
        if self._producer is not None:
            self._producer.flush(_LAST_S)


def _sealed(reply: CheckReply, terminal: str, key: SealingKey) -> CheckReply:
    """With a key that is none it is told that nothing can be told; in clear it is not."""
    try:
        return reply.sealed(key)
    except ValueError:
        log.error("check_reply_not_sealed", terminal=terminal, kid=key.kid)
        told = {"code": Refusal.TEMPORARY.code, "retryable": True, "fee": None}
        return reply.without_facts().model_copy(update={**told, "reason": f"nothing can be sealed to key {key.kid}"})
