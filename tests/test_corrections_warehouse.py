"""Corrections by hand in the warehouse: the view, and the words on an agent's statement."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.client import Client

from sinks.settlement.statement import of_days
from sinks.warehouse import rows
from tests.builders import AT, a_deposit, a_state, decided, open_agent
from tests.builders_correction import a_correction, a_drop, an_approval
from tests.sink_loading import load_entries

pytest_plugins = ["tests.sink_fixtures"]
pytestmark = pytest.mark.integration


def test_the_view_has_each_correction_once_with_its_end_and_the_statement_names_it(client: Client) -> None:
    state = a_state()
    commands = (
        open_agent("A"), open_agent("S", "A"), a_deposit("S", 100_000), a_correction(above=0), an_approval(),
        a_correction(above=0, id="dropped"), a_drop("dropped"), a_correction(above=0, id="open"),
        a_correction({"agent:S": 5, "bank": -2, "fee": -3}, id="small"),
    )  # fmt: skip
    load_entries(client, [decided(state, command, AT + n) for n, command in enumerate(commands)])
    columns = "proposal, state, amount, approved_by, entry_no, approval, dropped_because, decided_at IS NULL"
    assert [tuple(row) for row in rows(client, f"SELECT {columns} FROM corrections")] == [
        ("correct-1", "corrected", 1_250, "second:1", 5, "Act 7, seen", "", 0),
        ("dropped", "dropped", 1_250, "", 0, "", "Not needed", 0),
        ("open", "proposed", 1_250, "", 0, "", "", 1),
        ("small", "corrected", 5, "", 9, "Act 7", "", 0),
    ]
    asked = "SELECT movements, corrects, reason, evidence, proposed_by FROM corrections WHERE proposal = 'small'"
    ((movements, *said),) = rows(client, asked)
    assert [tuple(one) for one in movements] == [("agent:S", 5), ("bank", -2), ("fee", -3)]
    assert said == ["entry 1", "Fee was not taken", "Act 7", "chief:1"]
    (statement,) = of_days(client, "A", "S", 0, AT + 100)
    assert [(line.what, str(line.debit), str(line.credit)) for line in statement.movements[1:]] == [
        ("correction by hand, document Act 7, seen", "12.50", "0.00"),
        ("correction by hand, document Act 7", "0.00", "0.05"),
    ]
