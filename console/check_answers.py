"""Answers to questions about subscribers as they come; what is sealed to a terminal of this machine is opened."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import Message
from pydantic import ValidationError

from console.replies import SignedReader
from schemas.envelope import VerifyingKey
from schemas.sealing import NotSealed
from schemas.tracking import CheckReply
from streams.keyring import KeyFileError, load_sealing_key
from streams.settings import Settings
from streams.topics import CHECK_REPLIES


class CheckReader(SignedReader[CheckReply]):
    """Of topic `check_replies`. One that does not open here is given as it came: its code counts all the same."""

    def __init__(self, settings: Settings, server: VerifyingKey, terminals: Iterable[str]) -> None:
        """Raises as SignedReader does."""
        super().__init__(settings, server, terminals, CHECK_REPLIES, CheckReply)

    def _believed(self, message: Message) -> CheckReply | None:
        reply, key = super()._believed(message), message.key()
        if reply is None or reply.secret is None or not isinstance(key, bytes):
            return reply
        return opened(self._settings, key.decode(), reply)


def opened(settings: Settings, terminal: str, reply: CheckReply) -> CheckReply:
    """With the terminal's key on this machine; as it is, when there is none or it does not open."""
    try:
        return reply.opened(load_sealing_key(settings, terminal))
    except (KeyFileError, NotSealed, ValidationError):
        return reply
