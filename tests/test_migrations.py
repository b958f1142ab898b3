"""The warehouse's schema: applied once, in order, and never edited afterwards."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from clickhouse_connect.driver.client import Client

from sinks.columns import ALL
from sinks.errors import MigrationError, WarehouseRefused
from sinks.migrations import Migration, migrate, migrations_in
from sinks.warehouse import open_warehouse, rows
from streams.settings import Settings

pytest_plugins = ["tests.sink_fixtures"]
pytestmark = pytest.mark.integration


def written(directory: Path, **files: str) -> list[Migration]:
    """Migrations from files given as _0001_name="SQL"."""
    for name, text in files.items():
        (directory / f"{name.lstrip('_')}.sql").write_text(text)
    return migrations_in(directory)


@pytest.fixture
def sink_database() -> str:
    """Another for every test: they change the schema."""
    return f"kassa_{uuid4().hex}"


@pytest.fixture
def bare(sink_settings: Settings) -> Client:
    """A database with nothing in it."""
    return open_warehouse(sink_settings)


def test_all_are_applied_in_order_and_then_none(bare: Client, sink_settings: Settings) -> None:
    names = [migration.name for migration in migrations_in()]
    assert names == sorted(names)
    assert migrate(bare, sink_settings.database) == names
    assert migrate(bare, sink_settings.database) == []
    recorded = rows(bare, "SELECT name FROM schema_migrations FINAL ORDER BY number")
    assert [name for (name,) in recorded] == names


def test_an_edited_migration_is_named(bare: Client, sink_settings: Settings, tmp_path: Path) -> None:
    before = written(tmp_path, _0001_one="SELECT 1;", _0002_two="SELECT 2;")
    migrate(bare, sink_settings.database, before)
    after = written(tmp_path, _0001_one="SELECT 1 + 0;")
    with pytest.raises(MigrationError, match=r"0001_one\.sql was edited"):
        migrate(bare, sink_settings.database, after)


def test_a_migration_that_was_cut_short_is_run_again(bare: Client, sink_settings: Settings, tmp_path: Path) -> None:
    table = "CREATE TABLE IF NOT EXISTS {database}.%s (x UInt8) ENGINE = MergeTree ORDER BY x;\n"
    broken = written(tmp_path, _0001_one=table % "a" + "CREATE NONSENSE;\n" + table % "b")
    with pytest.raises(WarehouseRefused):
        migrate(bare, sink_settings.database, broken)
    assert rows(bare, "SELECT number FROM schema_migrations") == []
    mended = written(tmp_path, _0001_one=table % "a" + table % "b")
    assert migrate(bare, sink_settings.database, mended) == ["0001_one.sql"]
    rows(bare, "SELECT count() FROM b")


def test_a_warehouse_newer_than_the_release_is_refused(bare: Client, sink_settings: Settings, tmp_path: Path) -> None:
    both = written(tmp_path, _0001_one="SELECT 1;", _0002_two="SELECT 2;")
    migrate(bare, sink_settings.database, both)
    with pytest.raises(MigrationError, match=r"0002_two\.sql is in the warehouse and not in this release"):
        migrate(bare, sink_settings.database, both[:1])


def test_a_late_migration_may_not_slip_in_before_applied_ones(
    bare: Client, sink_settings: Settings, tmp_path: Path
) -> None:
    migrate(bare, sink_settings.database, written(tmp_path, _0002_two="SELECT 2;"))
    with pytest.raises(MigrationError, match=r"0001_one\.sql comes before 0002_two\.sql"):
        migrate(bare, sink_settings.database, written(tmp_path, _0001_one="SELECT 1;"))


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (("_0001_a", "_0001_b"), "same number"),
        (("_1_a",), "a migration is called"),
        (("_0001-a",), "a migration is called"),
    ],
)
def test_misnamed_files_are_refused(tmp_path: Path, names: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(MigrationError, match=complaint):
        written(tmp_path, **dict.fromkeys(names, "SELECT 1;"))


def test_a_statement_ends_with_a_semicolon_at_a_line_end() -> None:
    text = "-- first; not a statement\nSELECT ';' AS a;\n\nSELECT '{database}'\n;\n-- the end;\n"
    assert Migration(1, "m", "", text).statements("kassa") == [
        "-- first; not a statement\nSELECT ';' AS a",
        "SELECT 'kassa'",
    ]


def test_the_loaders_columns_are_the_tables_columns(client: Client, sink_settings: Settings) -> None:
    found = rows(
        client,
        "SELECT table, name, type, default_kind FROM system.columns WHERE database = {database:String}",
        {"database": sink_settings.database},
    )
    for table in ALL:
        given = {
            name: type_
            for of, name, type_, default in found
            if of == table.name and (not default or name in table.names)  # a later column has one for earlier rows
        }
        assert dict(table.columns) == given, table.name
