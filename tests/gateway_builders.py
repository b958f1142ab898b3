"""Builders of gateways and of what they are given: a payment's facts, a gateway's record."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agents.gateways.base import open_gateway
from agents.gateways.guarded import GuardedGateway
from agents.gateways.http import Http, Line
from schemas.entry import PaymentFacts
from schemas.gateway import Gateway

SUBSCRIBER = "4957835959"
NO_SECRETS = Path("/nonexistent")
GOLDEN = Path(__file__).parent / "golden"
GOLDEN_OSMP = GOLDEN / "osmp"
HTTP = Http()
RECEIVED_AT = 1_124_107_293_000  # 2005-08-15 12:01:33 UTC


def a_payment(
    txn: int = 1234567, subscriber: str | dict[str, str] = SUBSCRIBER, amount: int = 20000, **changes: Any
) -> PaymentFacts:
    """200.00 roubles for a phone. Amounts in minor units."""
    facts: dict[str, Any] = {
        "id": f"kiosk-1.{txn}",
        "number": txn,
        "terminal": "kiosk-1",
        "agent": "dealer",
        "payee": "phone",
        "gateway": "phone-osmp",
        "subscriber": {"phone": subscriber} if isinstance(subscriber, str) else subscriber,
        "amount": amount,
        "fee": 0,
        "processing": 0,
        "collected": 0,
        "currency": "RUB",
        "txn": txn,
        "tariff_version": 1,
        "payer_agent": "dealer",
        "held": amount,
        "rewards": (),
        "made_at": RECEIVED_AT,
        "received_at": RECEIVED_AT,
    }
    return PaymentFacts(**(facts | changes))


def a_gateway(url: str, **changes: Any) -> Gateway:
    """A record that waits long enough for a busy machine, and no longer than a test can."""
    fields: dict[str, Any] = {"id": "phone-osmp", "protocol": "osmp", "url": url, "time_out_ms": 10_000}
    return Gateway(**(fields | changes))


@asynccontextmanager
async def a_line(
    url: str, secrets_dir: Path = NO_SECRETS, tls: ssl.SSLContext | None = None, **record: Any
) -> AsyncIterator[Line]:
    """Connections to a gateway of this address, closed afterwards."""
    line = (Http(lambda: tls) if tls else HTTP).line(a_gateway(url, **record), secrets_dir)
    try:
        yield line
    finally:
        await line.aclose()


@asynccontextmanager
async def a_gateway_to(record: Gateway, secrets_dir: Path = NO_SECRETS) -> AsyncIterator[GuardedGateway]:
    """The gateway of this record, closed afterwards."""
    gateway = open_gateway(record, HTTP, secrets_dir)
    try:
        yield gateway
    finally:
        await gateway.aclose()


def golden_osmp(name: str) -> bytes:
    """An OSMP reply kept as a file."""
    return (GOLDEN_OSMP / f"{name}.xml").read_bytes()
