"""What analysts see of agents with several currencies."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.client import Client

from sinks.warehouse import rows
from tests.builders import AT, a_state, block, decided, open_agent, set_limit
from tests.builders_currency import open_currency
from tests.sink_loading import load_entries

pytest_plugins = ["tests.sink_fixtures"]
pytestmark = pytest.mark.integration


def test_the_view_of_agents_has_a_line_for_each_currency_and_what_is_the_agents_own_in_all_of_them(client: Client):
    state = a_state()
    commands = (
        open_agent("A", overdraft=5), open_currency("A", overdraft=7),
        set_limit("A", None, daily_max=9, currency="USD"), set_limit("A", None, payees=("mobile",), id="payees"),
        block("A"),
    )  # fmt: skip
    load_entries(client, [decided(state, command, AT + n) for n, command in enumerate(commands)])
    found = rows(client, "SELECT agent, currency, overdraft, daily_max, status, payees FROM agents")
    assert [tuple(row) for row in found] == [
        ("A", "RUB", 5, 0, "blocked", ["mobile"]),
        ("A", "USD", 7, 9, "blocked", ["mobile"]),
    ]
