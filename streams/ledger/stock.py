"""The vouchers of a product that a fold knows: what is for sale, what is reserved, and what there ever was.

Of a PIN in stock there is one `bytes` with its serial and ciphertext, of a sold one the eight bytes of its mark.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.voucher import BatchTerms
from streams.ledger.serials import Serials

_NEVER = 1 << 62


@dataclass(slots=True)
class Batch:
    """A batch that is being loaded, or has PINs that are not sold.

    loaded, marks: of one that is not open, its chunks so far and the marks of their serials. free: those that are
    neither reserved nor sold, in the order in which they will be. sold: how many were.
    """

    terms: BatchTerms
    is_open: bool = False
    is_blocked: bool = False
    sold: int = 0
    free: deque[bytes] = field(default_factory=deque)
    loaded: set[int] = field(default_factory=set)
    marks: set[int] = field(default_factory=set)

    def is_for_sale(self, at: int) -> bool:
        """Whole, not blocked, and not expired at that time (ms UTC)?"""
        return self.is_open and not self.is_blocked and not 0 < self.terms.expires_at <= at


@dataclass(frozen=True, slots=True)
class Reservation:
    """A PIN that is kept for a payment; packed as in Batch.free. until: ms UTC. tree: the payment's."""

    batch: str
    packed: bytes
    until: int
    tree: str


@dataclass(slots=True)
class Stock:
    """One product's. reserved: by payment. ended: ids of batches that are sold out or were dropped."""

    batches: dict[str, Batch] = field(default_factory=dict)
    reserved: dict[str, Reservation] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    serials: Serials = field(default_factory=Serials)

    def best(self, denomination: int, currency: str, at: int) -> Batch | None:
        """The batch to sell from: of those with something left, the one that expires first, then the oldest."""
        there = [
            batch
            for batch in self.batches.values()
            if batch.free and batch.terms.is_worth(denomination, currency) and batch.is_for_sale(at)
        ]
        return min(there, key=lambda batch: batch.terms.expires_at or _NEVER, default=None)

    def left(self, denomination: int, at: int) -> int:
        """How many are for sale at that time (ms UTC)."""
        batches = self.batches.values()
        return sum(len(one.free) for one in batches if one.terms.denomination == denomination and one.is_for_sale(at))

    def has(self, mark: int) -> bool:
        """Was a serial with this mark ever loaded? Of what is being loaded too."""
        return mark in self.serials or any(mark in batch.marks for batch in self.batches.values())

    def lapsed(self, at: int) -> Iterator[str]:
        """The payments whose reservations are over at that time (ms UTC)."""
        return (payment for payment, one in self.reserved.items() if one.until <= at)

    def reservations_of(self, terminal: str) -> int:
        return sum(payment.rpartition(".")[0] == terminal for payment in self.reserved)


def pack_pin(serial: str, pin: str) -> bytes:
    """As a batch has it; neither has a line break."""
    return f"{serial}\n{pin}".encode()


def unpack_pin(packed: bytes) -> tuple[str, str]:
    """Serial and ciphertext."""
    serial, _, pin = packed.decode().partition("\n")
    return serial, pin
