"""Cash in the warehouse: its views say what the fold says, whatever happened."""

from __future__ import annotations

import os
from itertools import islice
from random import Random

import pytest
from clickhouse_connect.driver.client import Client

from sinks.settlement.cash import collections, expected
from tests.builders import folded
from tests.chaos_histories import Story
from tests.sink_loading import load_entries

pytest_plugins = ["tests.sink_fixtures"]
pytestmark = pytest.mark.integration


def test_what_is_expected_and_what_was_collected_is_what_the_ledger_says(client: Client) -> None:
    seed = int(os.environ.get("TEST_SEED", "0")) or Random().randrange(1, 10**6)
    print(f"seed {seed}: TEST_SEED={seed} repeats it")
    entries = [entry for _, entry in islice(Story(seed).steps(), 2_000)]
    load_entries(client, entries)
    books = folded(entries).books
    tills = {(book.id, *key): till.expected for book in books.values() for key, till in book.tills.items()}
    assert {(one.tree, one.terminal, one.agent, one.currency): one.expected for one in expected(client)} == tills
    fixed = [entry for entry in entries if entry.cash is not None]
    found = collections(client)
    assert [(one.tree, one.terminal, one.number, one.shortage, tuple(one.denominations), one.bag) for one in found] == [
        (entry.book, one.terminal, one.number, one.shortage, one.denominations, entry.document)
        for entry in fixed
        if (one := entry.cash) is not None
    ]
    assert len(collections(client, short=True)) == sum(one.shortage > 0 for one in found)
    assert {one.tree for one in expected(client, "A")} == {"A"}
    never = {(book.id, *key) for book in books.values() for key, till in book.tills.items() if not till.collections}
    found_never = {
        (one.tree, one.terminal, one.agent, one.currency) for one in expected(client) if not one.collected_at
    }
    assert found_never == never
