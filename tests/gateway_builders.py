"""Builders of what gateways are given: a payment's facts and a gateway's record."""

from __future__ import annotations

from typing import Any

from schemas.entry import PaymentFacts
from schemas.gateway import Gateway

SUBSCRIBER = "4957835959"
RECEIVED_AT = 1_124_107_293_000  # 2005-08-15 12:01:33 UTC


def a_payment(txn: int = 1234567, subscriber: str = SUBSCRIBER, amount: int = 20000, **changes: Any) -> PaymentFacts:
    """200.00 roubles for a phone. Amounts in minor units."""
    facts: dict[str, Any] = {
        "id": f"kiosk-1.{txn}",
        "number": txn,
        "terminal": "kiosk-1",
        "agent": "dealer",
        "payee": "phone",
        "gateway": "phone-osmp",
        "subscriber": {"phone": subscriber},
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
    return Gateway(**({"id": "phone-osmp", "protocol": "osmp", "url": url, "time_out_ms": 10_000} | changes))
