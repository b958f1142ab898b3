"""A delivery: one alert on its way to one recipient. Topic `deliveries`, compacted; key: the delivery's id."""

from __future__ import annotations

from enum import StrEnum
from hashlib import blake2b
from typing import Annotated, Literal

from pydantic import Field

from schemas.alert import Alert
from schemas.contact import ContactId
from schemas.ids import Instant, Wire, instant_ms

Channel = Literal["mail", "webhook", ""]


class DeliveryState(StrEnum):
    PENDING = "PENDING"  # to be tried at `due_at`
    DELIVERED = "DELIVERED"  # the mail server, or the webhook, has taken it
    DEAD = "DEAD"  # given up: refused for good, or tried too often
    EXPIRED = "EXPIRED"  # it was too old when it was read: nobody was told
    NOBODY = "NOBODY"  # there was nobody to tell


class Delivery(Wire):
    """Where it stands. The record names no address: `recipient` is a hash of it."""

    id: Annotated[str, Field(description="the same at each try: part of Message-ID, and webhook-id")]
    alert: Alert
    alert_offset: Annotated[int, Field(ge=0, description="where the alert is on topic alerts")]
    contact: Annotated[ContactId | Literal[""], Field(description="whose contact record; empty: nobody's")] = ""
    channel: Channel = ""
    recipient: Annotated[str, Field(description="hash of the address")] = ""
    state: DeliveryState = DeliveryState.PENDING
    tries: Annotated[int, Field(ge=0)] = 0
    due_at: Instant
    at: Annotated[Instant, Field(description="when it came to this state")]
    why: Annotated[str, Field(max_length=200, description="why the last try failed; names no address")] = ""


def recipient_of(address: str) -> str:
    """The hash by which a delivery names an address: 16 hex digits."""
    return blake2b(address.encode(), digest_size=8).hexdigest()


def delivery_id(alert: Alert, contact: str, channel: Channel, recipient: str) -> str:
    """The same for the same begin or end of an occurrence and the same recipient, whoever works it out and when."""
    told = "over" if alert.over else "begin"
    parts = (alert.kind.value, alert.subject, str(instant_ms(alert.since)), told, contact, channel, recipient)
    return "alert_" + blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
