"""What whoever builds a terminal must be told about it: ids, key, where to produce, an order to start from."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import orjson

from schemas.payment import PaymentOrder
from schemas.terminal import Terminal
from streams.settings import Settings
from streams.topics import PAYMENTS, REPLIES


def card(settings: Settings, terminal: Terminal, currency: str, key_file: Path | None) -> dict[str, object]:
    """Name -> value, to be printed. Of the private key only its file is named."""
    key = terminal.keys[0]
    return {
        "terminal": terminal.id,
        "agent": terminal.agent,
        "tree": terminal.tree,
        "kid": key.kid,
        "algorithm": key.algorithm,
        "private key": key_file or "with the terminal",
        "broker": settings.kafka,
        "topic, key": f"{PAYMENTS.name}, {terminal.tree!r} (partitioner murmur2)",
        "replies": f"{REPLIES.name}, key {terminal.id!r}, signed by server.pub.json",
        "an order": orjson.dumps(example(terminal, currency).model_dump(mode="json")).decode(),
    }


def example(terminal: Terminal, currency: str) -> PaymentOrder:
    """A valid order of this terminal: what it signs, with a payee of no meaning."""
    return PaymentOrder(
        id=f"{terminal.id}.1",
        terminal=terminal.id,
        number=1,
        agent=terminal.agent,
        payee="mobile",
        subscriber={"phone": "9161234567"},
        amount=95_000,
        fee=0,
        currency=currency,
        made_at=datetime.now(UTC).replace(microsecond=0),
    )
