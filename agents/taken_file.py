"""What was paid since lists were made, in a file of this worker: sums by subscriber, and how far the ledger is read.

Each write holds the payments and the positions they were read up to, so a worker that was killed goes on from there.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from streams.taken import Paid, Standing, Taking

_TABLES = """
CREATE TABLE IF NOT EXISTS taken (
    upload TEXT, payment TEXT, number TEXT, amount INTEGER, standing INTEGER, seq INTEGER, PRIMARY KEY (upload, payment)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_number ON taken (upload, number);
CREATE TABLE IF NOT EXISTS positions (
    upload TEXT, partition INTEGER, offset INTEGER, PRIMARY KEY (upload, partition)
) WITHOUT ROWID;
"""
# A payment's entries may be read again, from earlier on: the latest one counts.
_TAKE = """
INSERT INTO taken VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (upload, payment) DO UPDATE
SET standing = excluded.standing, seq = excluded.seq WHERE excluded.seq > taken.seq
"""
_MOVE = """
INSERT INTO positions VALUES (?, ?, ?) ON CONFLICT (upload, partition) DO UPDATE
SET offset = max(offset, excluded.offset)
"""
_SUM = "SELECT standing, sum(amount) FROM taken WHERE upload = ? AND number = ? AND standing <> 0 GROUP BY standing"

Positions = Mapping[int, int]  # by ledger partition, the offset to read next


class TakenFile:
    """One connection writes, another reads; each for one thread at a time. Raises sqlite3.Error, OSError."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))  # sqlite makes its other files with the same mode
        self._writer = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._writer.execute("PRAGMA journal_mode=WAL")
        self._writer.execute("PRAGMA synchronous=NORMAL")
        self._writer.executescript(_TABLES)
        self._reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    def positions(self, upload: str) -> dict[int, int]:
        """Empty for a list that is not followed yet."""
        found = self._writer.execute("SELECT partition, offset FROM positions WHERE upload = ?", (upload,))
        return dict(found.fetchall())

    def uploads(self) -> set[str]:
        """The lists it follows."""
        return {upload for (upload,) in self._writer.execute("SELECT DISTINCT upload FROM positions")}

    def write(self, takings: Iterable[tuple[str, Taking]], uploads: Iterable[str], positions: Positions) -> None:
        """Keep these (upload, payment) and that the ledger is read up to there for these lists, in one step."""
        rows = [(upload, one.payment, one.number, one.amount, int(one.standing), one.seq) for upload, one in takings]
        self._writer.execute("BEGIN")
        try:
            self._writer.executemany(_TAKE, rows)
            moved = [(upload, partition, offset) for upload in uploads for partition, offset in positions.items()]
            self._writer.executemany(_MOVE, moved)
            self._writer.execute("COMMIT")
        except BaseException:
            self._writer.execute("ROLLBACK")
            raise

    def forget(self, upload: str) -> None:
        self._writer.execute("BEGIN")
        self._writer.execute("DELETE FROM taken WHERE upload = ?", (upload,))
        self._writer.execute("DELETE FROM positions WHERE upload = ?", (upload,))
        self._writer.execute("COMMIT")

    def paid(self, upload: str, number: str) -> Paid:
        """Of one subscriber since the list; minor units."""
        sums = dict(self._reader.execute(_SUM, (upload, number)).fetchall())
        return Paid(sums.get(int(Standing.PAID), 0), sums.get(int(Standing.UNDER_WAY), 0))

    def close(self) -> None:
        self._reader.close()
        self._writer.close()
