"""A simulated payee's own book: what it was really paid, to hold ours against."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson


@dataclass(slots=True)
class Paid:
    """One payment. sum: major units as asked. paid_at: ms UTC of the booking. asked: how often pay came so far.

    cancelled_at: when it was given back, ms UTC; 0: it was not.
    """

    account: str
    sum: str
    paid_at: int
    asked: int
    prv_txn: int
    cancelled_at: int = 0


@dataclass(slots=True)
class Refused:
    """One payment refused for good."""

    account: str
    sum: str
    result: int


@dataclass(slots=True)
class Created:
    """One payment the payee promised to take and was not told to. created_at: ms UTC; cancelled_at: 0: it is not."""

    account: str
    sum: str
    created_at: int
    cancelled_at: int = 0


Entry = Paid | Refused | Created
_KINDS: dict[str, type[Entry]] = {"paid": Paid, "refused": Refused, "created": Created}


@dataclass(slots=True)
class PayeeBook:
    """One payee's book in the order in which it was written, keyed by the asker's number of the payment.

    asked: how often each question came. inconsistencies: how often a number came again with another account or sum.
    """

    paid: dict[int, Paid] = field(default_factory=dict)
    refused: dict[int, Refused] = field(default_factory=dict)
    created: dict[int, Created] = field(default_factory=dict)
    asked: Counter[tuple[str, int]] = field(default_factory=Counter)
    inconsistencies: int = 0

    def ask(self, command: str, txn: int) -> int:
        """Count one asking and return how many there were, this one included."""
        asked = self.asked[command, txn] = self.asked[command, txn] + 1
        if command == "pay" and (paid := self.paid.get(txn)):
            paid.asked += 1
        return asked

    def stored(self, txn: int) -> Paid | Refused | None:
        """What this number was answered the first time."""
        return self.paid.get(txn) or self.refused.get(txn)

    def write(self, txn: int, entry: Entry) -> None:
        if isinstance(entry, Created):
            self.created[txn] = entry
            return
        self.created.pop(txn, None)
        if isinstance(entry, Paid):
            self.paid[txn] = entry
        else:
            self.refused[txn] = entry

    def booked(self, since: int, until: int) -> Iterator[tuple[int, Paid]]:
        """Payments booked from `since` until before `until`, ms UTC, also those given back since."""
        return ((txn, paid) for txn, paid in self.paid.items() if since <= paid.paid_at < until)

    def page(self, start: int, limit: int) -> list[dict[str, Any]]:
        """Payments from the start-th on, oldest first. Numbers are text: they have up to 20 digits."""
        return [
            {
                "txn": str(txn),
                "account": paid.account,
                "sum": paid.sum,
                "paid_at": paid.paid_at,
                "asked": paid.asked,
                "prv_txn": str(paid.prv_txn),
                "cancelled_at": paid.cancelled_at,
            }
            for txn, paid in islice(self.paid.items(), start, start + limit)
        ]


class Journal:
    """Appends every booking to a file before it is answered, so that the book survives a kill of the process.

    Lines are handed to the system, not forced to the disk: a simulator need not survive a power cut.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._fd)

    def write(self, payee: str, txn: int, entry: Entry) -> None:
        kind = type(entry).__name__.lower()
        os.write(self._fd, orjson.dumps({"payee": payee, "txn": str(txn), kind: entry}) + b"\n")

    def read(self) -> Iterator[tuple[str, int, Entry]]:
        """Everything written so far. A last line that a kill cut short was never answered and is taken off."""
        with os.fdopen(os.dup(self._fd), "rb") as file:
            file.seek(0)
            written = file.read()
        whole = written[: written.rfind(b"\n") + 1]
        os.ftruncate(self._fd, len(whole))
        for line in whole.splitlines():
            row = orjson.loads(line)
            kind = next(kind for kind in _KINDS if kind in row)
            yield row["payee"], int(row["txn"]), _KINDS[kind](**row[kind])
