"""What arrived on a topic, and what the shard is asked to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.alert import Alert
from schemas.reject import RejectReason
from schemas.tracking import CheckRequest
from streams.ledger.commands import LedgerCommand


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message exactly as it came. received_at: the broker's append time, ms UTC."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    received_at: int


@dataclass(frozen=True, slots=True)
class Ask:
    """A command to decide at `at` (ms UTC); `arrival` is the message behind it, None for a gateway's outcome."""

    command: LedgerCommand
    at: int
    arrival: Arrival | None = None


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A message to keep on `rejects`. `signer` is the key id that provably signed it, "" when nobody did."""

    arrival: Arrival
    reason: RejectReason
    detail: str
    signer: str = ""
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Forward:
    """A good message under the wrong key: it goes to the same topic again under the right one."""

    arrival: Arrival
    key: str


@dataclass(frozen=True, slots=True)
class Look:
    """Nothing arrived: see what time has brought about that people should know; at: ms UTC."""

    at: int


@dataclass(frozen=True, slots=True)
class Tell:
    """Nothing arrived: people should know this of a payment of the partition; told once, whoever says it and how often,
    and over when the payment is final."""

    alert: Alert


@dataclass(frozen=True, slots=True)
class Check:
    """A terminal's question about a subscriber. Nothing is decided about it; tree: the terminal's."""

    request: CheckRequest
    tree: str
    arrival: Arrival


Item = Ask | Quarantine | Forward | Look | Tell | Check
