"""What the ledger says of registries: numbered lists of one payee's payments, and how the payee answered them.

A registry is a part of the book `registries/<payee>`: one writer, so numbers have no gaps. Amounts in minor units,
times in ms UTC.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import orjson

from schemas.record import record

REGISTRIES = "registries/"


def registry_book(payee: str) -> str:
    """The book that has this payee's registries."""
    return f"{REGISTRIES}{payee}"


@record
class RegistryLine:
    """One payment that is queued: all that its line in the file needs.

    txn: our number of it at the payee. tree: whose book it is in. subscriber: the payer's fields in the payee's order.
    paid_at: when it was received.
    """

    txn: int
    payment: str
    tree: str
    subscriber: dict[str, str]
    amount: int
    currency: str
    paid_at: int


@dataclass(frozen=True, slots=True)
class RegistryCut:
    """A registry that has its last line. The file follows from this and the lines, to the last byte.

    since, until: when the one before it was cut and when this one was, 0 for the first; it has the lines that came in
    between. due_at: the moment of the cut-off, 0 when an operator or a full registry cut it. digest: of all lines, in
    order; 32 hex digits. form, time_zone: of the file. currency: of the lines; the payee's when there are none.
    """

    lines: int
    total: int
    currency: str
    digest: str
    since: int
    until: int
    due_at: int
    form: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class RegistryDelivery:
    """It was handed over. how: "file water/water_000012.tsv", "mail to …", "http 201", or what an operator says.

    size, sha256: of the file as it was delivered; 0 and "" when an operator delivered it.
    """

    how: str
    size: int = 0
    sha256: str = ""


@record
class LineAnswer:
    """The payee's word about one line: it takes the payment, or rejects it for this reason."""

    txn: int
    payment: str
    tree: str
    amount: int
    accepted: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RegistryNote:
    """What an entry of a registries' book says: exactly one of line, cut, delivery; or the answers that are new.

    number: 1, 2, 3, … for each payee.
    """

    payee: str
    number: int
    line: RegistryLine | None = None
    cut: RegistryCut | None = None
    delivery: RegistryDelivery | None = None
    answers: tuple[LineAnswer, ...] = ()


def chained(digest: str, line: RegistryLine) -> str:
    """The digest of a registry with one line more; "" is that of one without any."""
    content = orjson.dumps(
        (line.txn, line.payment, line.tree, line.subscriber, line.amount, line.currency, line.paid_at)
    )
    return hashlib.blake2b(digest.encode() + content, digest_size=16).hexdigest()


def registry_name(payee: str, number: int, form: str) -> str:
    """The file's name; the same at each delivery: "water_000012.tsv"."""
    return f"{payee}_{number:06d}.{form}"
