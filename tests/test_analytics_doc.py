"""docs/analytics.md says what every column is, and its queries run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from sinks.warehouse import rows

pytest_plugins = ["tests.sink_fixtures"]
pytestmark = pytest.mark.integration

PAGE = (Path(__file__).parent.parent / "docs" / "analytics.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
COMMON = "payments"  # whose columns other tables have with the same meaning


def sections() -> dict[str, set[str]]:
    """Table or view -> the columns its section explains."""
    found: dict[str, set[str]] = {}
    for title, text in re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE):
        cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
        for name in title.split(", "):
            found[name] = {column for cell in cells for column in re.findall(r"`(\w+)`", cell)}
    return found


def test_every_table_and_column_is_explained(shared_client: Client) -> None:
    explained = sections()
    stored: dict[str, set[str]] = {}
    for table, column in rows(
        shared_client, "SELECT table, name FROM system.columns WHERE database = currentDatabase() ORDER BY ALL"
    ):
        stored.setdefault(table, set()).add(column)
    assert set(explained) == set(stored)
    for table, columns in stored.items():
        if table in ("payment_states", "schema_migrations"):
            continue
        assert columns - explained[table] - explained[COMMON] - {"appended_at"} == set(), table
        if table in ("payments", "agent_statement", "trial_balance", "payee_day", "entries", "legs", "rejects"):
            assert explained[table] - columns == set(), table


@pytest.mark.parametrize("query", QUERIES)
def test_the_queries_run(shared_client: Client, query: str) -> None:
    assert rows(shared_client, query) == []


def test_there_are_five_of_them() -> None:
    assert len(QUERIES) == 5
