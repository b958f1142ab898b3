"""Vouchers: batches of PINs in stock, and what an entry about them says. Amounts in minor units, times in ms UTC.

A PIN is never in here: what travels is its ciphertext, under a key that is in files of the workers and of whoever loads
batches, and nowhere else (schemas/pin_seal.py).
"""

from __future__ import annotations

import hashlib
from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.ids import PayeeId, PaymentId, Wire
from schemas.record import record

VOUCHERS = "vouchers"  # how such a payee is served (schemas.payee.Served), and the table in its stock's book
STOCK = "voucher-stock:"
SUPPLIER = "supplier:"

BatchId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,19}$")]
Serial = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,39}$")]
# A key of PINs: the file keys/vouchers/<kid>.jwk.
PinKeyId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,19}$")]
SealedPin = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{39,200}$"), Field(description="nonce and AES-256-GCM ciphertext")
]


@record
class BatchTerms:
    """A batch as its operator describes it, the same in each of its chunks.

    cost: of one PIN. expires_at: from then on none is sold, 0: never. kid: what its PINs are sealed under. count: how
    many PINs it has, in so many `chunks`.
    """

    batch: str
    denomination: int
    currency: str
    cost: int
    supplier: str
    expires_at: int
    kid: str
    count: int
    chunks: int

    def is_worth(self, denomination: int, currency: str) -> bool:
        return (self.denomination, self.currency) == (denomination, currency)


@record
class VoucherNote:
    """What an entry says of vouchers. payee: the product.

    serial, kid, pin: of one PIN, `pin` its ciphertext. payment: for which it is reserved or was sold; tree: that
    payment's. until: when a reservation lapses. terms, chunk, pins: of what was loaded, (serial, ciphertext) each.
    lapsed: the payments whose reservations have.
    """

    payee: str
    batch: str = ""
    serial: str = ""
    kid: str = ""
    pin: str = ""
    denomination: int = 0
    currency: str = ""
    cost: int = 0
    payment: str = ""
    tree: str = ""
    until: int = 0
    terms: BatchTerms | None = None
    chunk: int = 0
    pins: tuple[tuple[str, str], ...] = ()
    lapsed: tuple[str, ...] = ()


class Secret(Wire):
    """What a terminal finds in a reply's `secret` once it has opened it: all that belongs on the payer's receipt."""

    payment: PaymentId
    payee: PayeeId
    serial: Serial
    pin: Annotated[str, StringConstraints(min_length=1, max_length=100)]


def account_stock(payee: str, batch: str) -> str:
    """A batch at cost: a debit in its product's book, and in a tree's what of it was sold there, as a credit.

    Two products may have a batch of one name, so the account has both; no id has a dot in it.
    """
    return f"{STOCK}{payee}.{batch}"


def account_supplier(supplier: str) -> str:
    """What is owed to whoever sold us vouchers."""
    return f"{SUPPLIER}{supplier}"


def stock_book(payee: str) -> str:
    """The one-writer key of a product's stock."""
    return f"{VOUCHERS}/{payee}"


def serial_mark(serial: str) -> int:
    """64 bits by which a serial is remembered for ever: of a million, two are alike once in 37 million times."""
    return int.from_bytes(hashlib.blake2b(serial.encode(), digest_size=8).digest(), "big")


def no_sealing_key(terminal: str) -> str:
    """Why a terminal is sold no vouchers."""
    return f"terminal {terminal} has no sealing key on file, so no PIN could be sent to it: enroll it with one"
