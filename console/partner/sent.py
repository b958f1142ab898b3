"""The orders sent from here, so that a question repeated is the same order again, to the last byte.

Time and fee are part of an order and not of a question: a partner may write another `txn_date` into its repeat, and a
tariff may change between the two. Other parameters under a number that was used are told from the first ones by this
file. Should it be lost, a repeat with another time is told 215 instead of the outcome.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from schemas.payment import PaymentOrder

# Workers take no older order than that (setting clock_behind_s, by default).
_KEPT_S = 40 * 86_400
_BETWEEN = 10_000  # orders between two looks at what is too old


class Sent:
    """An SQLite file of its own; for one thread. A machine that dies may forget the last moments of it."""

    def __init__(self, path: Path) -> None:
        """Raises sqlite3.Error."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(0o600)
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=NORMAL")
        self._file.execute(
            "CREATE TABLE IF NOT EXISTS sent (id TEXT PRIMARY KEY, at INTEGER, content BLOB) WITHOUT ROWID"
        )
        self._file.execute("CREATE INDEX IF NOT EXISTS sent_at ON sent (at)")
        self._kept = 0
        self._forget()

    def kept(self, order: PaymentOrder) -> PaymentOrder:
        """The order, kept before it is sent; the one kept under its id already, if there is one."""
        before = self.find(order.id)
        if before is not None:
            return before
        content = order.model_dump_json(exclude_none=True).encode()
        self._file.execute("INSERT INTO sent VALUES (?, ?, ?)", (order.id, int(time.time()), content))
        self._kept += 1
        if self._kept % _BETWEEN == 0:
            self._forget()
        return order

    def find(self, payment: str) -> PaymentOrder | None:
        row = self._file.execute("SELECT content FROM sent WHERE id = ?", (payment,)).fetchone()
        return PaymentOrder.model_validate_json(row[0]) if row is not None else None

    def _forget(self) -> None:
        """What is too old to be repeated."""
        self._file.execute("DELETE FROM sent WHERE at < ?", (int(time.time()) - _KEPT_S,))

    def close(self) -> None:
        self._file.close()
