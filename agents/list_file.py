"""A payee's list as a file of this worker's machine, to be asked about one subscriber at a time.

Built under a name of its own and renamed when it is whole, so a file that is there is a list that was signed. Payers'
names and debts: nobody but its owner may read it.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

import orjson

from schemas.subscribers import SubscriberList, SubscriberRow

_NAME = "{payee}.{upload}.sqlite"


class ListFile:
    """An open list. For one thread at a time."""

    def __init__(self, path: Path, record: SubscriberList) -> None:
        self.record = record
        self.path = path
        self._rows = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True, check_same_thread=False)

    def find(self, number: str) -> SubscriberRow | None:
        """The subscriber with this number."""
        found = self._rows.execute("SELECT line FROM rows WHERE number = ?", (number,)).fetchone()
        return SubscriberRow.model_validate_json(found[0]) if found is not None else None

    def close(self) -> None:
        self._rows.close()


def path_of(directory: Path, record: SubscriberList) -> Path:
    return directory / _NAME.format(payee=record.payee, upload=record.upload)


def open_list(directory: Path, record: SubscriberList) -> ListFile | None:
    """The file of this list, if it is there from before. One that is no such list is removed."""
    path = path_of(directory, record)
    if not path.exists():
        return None
    made: ListFile | None = None
    with suppress(sqlite3.Error):
        made = ListFile(path, record)
        digest, rows = made._rows.execute("SELECT digest, rows FROM about").fetchone()
        if (digest, rows) == (record.digest, record.rows):
            return made
    if made is not None:
        made.close()
    path.unlink(missing_ok=True)
    return None


def build(directory: Path, record: SubscriberList, chunks: Iterable[Iterable[bytes]]) -> ListFile:
    """Make the file from the rows' lines. When `chunks` raises, or a number is there twice, nothing is left behind.

    Raises ValueError for a number that is there twice, OSError, sqlite3.Error.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = path_of(directory, record)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with closing(sqlite3.connect(part, isolation_level=None)) as rows:
            _fill(rows, record, chunks)
        _sync(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return ListFile(path, record)


def remove_others(directory: Path, in_force: Iterable[SubscriberList]) -> None:
    """Remove the files of lists that are not in force. Who has one open still reads it."""
    kept = {path_of(directory, record).name for record in in_force}
    for path in directory.glob(_NAME.format(payee="*", upload="*")):
        if path.name not in kept:
            path.unlink(missing_ok=True)


def _fill(rows: sqlite3.Connection, record: SubscriberList, chunks: Iterable[Iterable[bytes]]) -> None:
    for line in ("PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", "PRAGMA cache_size=-65536", "BEGIN"):
        rows.execute(line)
    rows.execute("CREATE TABLE rows (number TEXT NOT NULL, line BLOB NOT NULL)")
    for lines in chunks:
        rows.executemany("INSERT INTO rows VALUES (?, ?)", [(orjson.loads(line)["number"], line) for line in lines])
    try:
        # After the rows: a million numbers in no order are sorted once, not one by one.
        rows.execute("CREATE UNIQUE INDEX by_number ON rows (number)")
    except sqlite3.IntegrityError:
        raise ValueError(f"the list of payee {record.payee} has a number twice") from None
    rows.execute("CREATE TABLE about (digest TEXT NOT NULL, rows INTEGER NOT NULL)")
    rows.execute("INSERT INTO about VALUES (?, ?)", (record.digest, record.rows))
    rows.execute("COMMIT")


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
