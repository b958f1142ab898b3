"""The warehouse's schema: numbered SQL files, applied in order, each once.

ClickHouse has no transactions for DDL, so every statement in a migration must bear being run twice (IF NOT EXISTS,
OR REPLACE): one that was cut short is run again from its beginning.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import structlog
from clickhouse_connect.driver.client import Client

from sinks.errors import MigrationError
from sinks.warehouse import rows, translated

log = structlog.get_logger(__name__)

DIRECTORY = Path(__file__).with_name("migrations")

_FILE = re.compile(r"(?P<number>\d{4})_(?P<title>[a-z0-9_]+)\.sql")
_END_OF_STATEMENT = re.compile(r";[ \t]*$", re.MULTILINE)
_COMMENT = re.compile(r"--[^\n]*")
_BOOK = """
CREATE TABLE IF NOT EXISTS {database}.schema_migrations
(
    number UInt32,
    name String,
    checksum String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """`checksum`: SHA-256 of the file's text, 64 hex digits."""

    number: int
    name: str
    checksum: str
    text: str

    def statements(self, database: str) -> list[str]:
        """The statements in order; a semicolon at the end of a line ends one."""
        pieces = _END_OF_STATEMENT.split(self.text.replace("{database}", database))
        return [piece.strip() for piece in pieces if _COMMENT.sub("", piece).strip()]


def migrations_in(directory: Path = DIRECTORY) -> list[Migration]:
    """All migrations in order. Raises MigrationError for a misnamed file or a number used twice."""
    found = []
    for path in sorted(directory.glob("*.sql")):
        match = _FILE.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name}: a migration is called 0001_what_it_does.sql")
        text = path.read_text(encoding="utf-8")
        checksum = hashlib.sha256(text.encode()).hexdigest()
        found.append(Migration(int(match["number"]), path.name, checksum, text))
    for earlier, later in pairwise(found):
        if earlier.number == later.number:
            raise MigrationError(f"{earlier.name} and {later.name} have the same number")
    return found


def migrate(client: Client, database: str, migrations: Sequence[Migration] | None = None) -> list[str]:
    """Bring the schema up to date; returns the names of the migrations applied now.

    Raises MigrationError when an applied migration was edited since, is not among ours, or stands after a new one;
    WarehouseAway and WarehouseRefused as the warehouse has it. Two at once do no harm.
    """
    ours = migrations_in() if migrations is None else list(migrations)
    with translated():
        client.command(_BOOK.replace("{database}", database))
    fresh = unapplied(client, database, ours)
    for migration in fresh:
        _apply(client, database, migration)
    return [migration.name for migration in fresh]


def unapplied(client: Client, database: str, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """What `migrate` would apply; changes nothing. Raises the same."""
    ours = migrations_in() if migrations is None else list(migrations)
    if not rows(client, f"EXISTS TABLE {database}.schema_migrations")[0][0]:
        return ours
    applied = {
        int(number): (name, checksum)
        for number, name, checksum in rows(
            client, f"SELECT number, name, checksum FROM {database}.schema_migrations FINAL ORDER BY number"
        )
    }
    _verify(ours, applied)
    return [migration for migration in ours if migration.number not in applied]


def _verify(ours: Sequence[Migration], applied: dict[int, tuple[str, str]]) -> None:
    known = {migration.number: migration for migration in ours}
    for number, (name, checksum) in applied.items():
        if number not in known:
            raise MigrationError(f"{name} is in the warehouse and not in this release: is the release older?")
        if known[number].checksum != checksum:
            raise MigrationError(f"{known[number].name} was edited after it was applied: write a new migration instead")
    last = max(applied, default=0)
    for migration in ours:
        if migration.number not in applied and migration.number < last:
            raise MigrationError(f"{migration.name} comes before {applied[last][0]}, which is applied already")


def _apply(client: Client, database: str, migration: Migration) -> None:
    for statement in migration.statements(database):
        with translated():
            client.command(statement)
    with translated():
        client.insert(
            "schema_migrations",
            [[migration.number, migration.name, migration.checksum]],
            database=database,
            column_names=["number", "name", "checksum"],
            column_type_names=["UInt32", "String", "String"],
        )
    log.info("migrated", migration=migration.name)
