"""Where a payment stands, as `kassa payment show` tells it: as the ledger has it, whichever entry was the last."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from clickhouse_connect.driver.client import Client

from console.story import Step, Story
from console.story_warehouse import from_warehouse
from sinks import rows as row_of
from sinks.columns import ENTRIES
from sinks.rows import Place
from streams.settings import Settings
from tests.sink_builders import NOON, Bookkeeper, facts
from tests.sink_loading import insert, load_entries

pytest_plugins = ["tests.sink_fixtures"]


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        ("HELD", "HELD"),
        ("HELD DEFERRED", "HELD"),
        ("HELD SENT DEFERRED", "HELD"),
        ("HELD REROUTED POSTED", "POSTED"),
        ("HELD POSTED REVERSING", "REVERSING"),
        ("HELD POSTED REVERSING REVERSAL_REFUSED", "POSTED"),
    ],
)
def test_a_payment_stands_where_its_last_entry_left_it(kinds: str, state: str) -> None:
    steps = [Step(datetime.now(UTC), kind, "dispatch", 0, "", 0, None, "", ()) for kind in kinds.split()]
    assert Story("kiosk-1.1", {}, tuple(steps)).state == state


@pytest.mark.integration
def test_an_entry_that_is_there_before_its_legs_is_not_told_yet(client: Client, sink_settings: Settings) -> None:
    book = Bookkeeper()
    load_entries(client, [book.hold(facts(), at=NOON)])
    assert (held := from_warehouse(sink_settings, "kiosk-1.1")) is not None
    assert held.state == "HELD"
    posted = book.post(facts(), at=NOON + 1_000)
    insert(client, ENTRIES, 0, [(1, [row_of.entry_row(Place(0, 1, posted.at), posted)])])
    assert from_warehouse(sink_settings, "kiosk-1.1") is None
