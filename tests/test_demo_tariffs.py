"""The demo's tariffs: taken by the server, and a fee that does not depend on when the demo is run."""

from __future__ import annotations

import pytest

from console import demo_network
from console.audit_prices import prices_by, winners
from streams.ledger.tariff_ties import first_tie
from tests.builders import AT

HALF_HOUR_MS = 1_800_000
AGENTS = [f"{tree}/{name}" for tree in demo_network.TREES for name, _, _ in demo_network.agents_below(tree)]


@pytest.mark.parametrize("payee", list(demo_network.BEHAVIOURS))
def test_an_order_of_the_demo_is_right_whenever_it_arrives(payee: str) -> None:
    tariff = demo_network.tariff(payee)
    assert first_tie(tariff, AT) is None
    for agent in AGENTS:
        for amount in (1_000, 9_999, 10_000, 49_999, 50_000, 100_000):
            found = [winners(tariff, agent, amount, AT + turn * HALF_HOUR_MS) for turn in range(2 * 24 * 7)]
            assert len({prices_by(tariff, best[0] if best else None).fee for best in found}) == 1, (agent, amount)


def test_the_demo_shows_rules_for_agents_groups_times_and_amounts() -> None:
    tariff = demo_network.tariff("mobile")
    found = {
        best[0].name
        for agent in AGENTS
        for amount in (5_000, 20_000, 60_000)
        for turn in range(2 * 24 * 7)
        if (best := winners(tariff, agent, amount, AT + turn * HALF_HOUR_MS))
    }
    assert found == {rule.name for rule in tariff.rules}
