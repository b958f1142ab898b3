"""Signed messages ready to be sent: the bytes, their topic and key, and whose reply answers them."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from schemas.command import DirectoryCommand, TreeCommand, book_of
from schemas.envelope import SigningKey
from schemas.ids import Wire
from schemas.keys import owner_of
from schemas.payment import PaymentOrder
from schemas.tracking import CheckRequest
from streams.topics import CHECKS, COMMANDS, PAYMENTS, Topic


@dataclass(frozen=True, slots=True)
class Request:
    """`owner` is the key of its replies (terminal's or operator's id), `id` what they answer."""

    topic: Topic
    key: str | bytes
    value: bytes
    owner: str
    id: str


def command_request(command: TreeCommand | DirectoryCommand, key: SigningKey) -> Request:
    """A command signed by an operator's key."""
    return Request(COMMANDS, book_of(command), key.sign(encoded(command)), owner_of(key.kid), command.id)


def payment_request(order: PaymentOrder, tree: str, key: SigningKey) -> Request:
    """A payment order signed by a terminal's key; `tree` is the terminal's root agent."""
    return Request(PAYMENTS, tree, key.sign(encoded(order)), order.terminal, order.id)


def check_request(check: CheckRequest, tree: str, key: SigningKey) -> Request:
    """A question signed by a terminal's key; `tree` is the terminal's root agent."""
    return Request(CHECKS, tree, key.sign(encoded(check)), check.terminal, check.id)


def encoded(order: Wire) -> bytes:
    """The payload as it is signed: JSON without what is not given."""
    return orjson.dumps(order.model_dump(mode="json", exclude_none=True))
