"""Periodic fees in the warehouse: the view, and the words on the statement of who paid."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.client import Client

from schemas.ids import ms_instant
from sinks.settlement.fees import Fee, charged, last_periods, openings
from sinks.settlement.statement import of_window
from streams.ledger.state import State
from tests.builders import AT, a_deposit, decided, open_agent, window_due
from tests.builders_currency import open_currency
from tests.builders_fees import fee_due
from tests.sink_loading import load_entries

pytest_plugins = ["tests.sink_fixtures"]
pytestmark = pytest.mark.integration

LATER = AT + 40 * 86_400_000  # the tenth of February


def test_fees_are_there_and_on_the_payers_statement(client: Client) -> None:
    state = State(0)
    commands = (
        open_agent("A"), open_agent("S", "A", funding="shared"), a_deposit("A", 100_000),
        fee_due(), fee_due("2026-02", terminals=0), fee_due("2026-02", "A", plan="line", since="2026-02"), window_due(),
        open_currency("A"),
    )  # fmt: skip
    entries = [decided(state, command, LATER + n) for n, command in enumerate(commands)]
    load_entries(client, entries)
    first, second = charged(client, "A", "service")
    assert first == Fee("service", "S", "A", "2026-01", "RUB", 2, 21_000, ms_instant(LATER + 3))
    assert (second.period, second.amount) == ("2026-02", 15_000)
    assert last_periods(client, "A", "service") == {"S": "2026-02"}
    assert openings(client, "A", "RUB") == {"A": LATER, "S": LATER + 1}
    assert openings(client, "A", "USD") == {"A": LATER + 7}
    (statement,) = of_window(client, "A", "A", 1)
    assert [(line.what, str(line.debit)) for line in statement.movements[1:]] == [
        ("fee: plan service, 2026-01, agent S", "210.00"),
        ("fee: plan service, 2026-02, agent S", "150.00"),
        ("fee: plan line, 2026-02, agent A", "210.00"),
    ]
    assert str(statement.closing) == "430.00"
