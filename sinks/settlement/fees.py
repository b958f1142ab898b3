"""Periodic fees of agents as the warehouse has them. Minor units."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from clickhouse_connect.driver.client import Client

from sinks.warehouse import rows


@dataclass(frozen=True, slots=True)
class Fee:
    """As in schemas.plan.Charge. charged_at: UTC."""

    plan: str
    agent: str
    payer: str
    period: str
    currency: str
    terminals: int
    amount: int
    charged_at: datetime


_FEES = """
SELECT plan, agent, payer, period, currency, terminals, amount, charged_at
FROM fees
WHERE tree = {tree:String} AND plan = {plan:String}
ORDER BY entry_seq
"""

_LAST = """
SELECT agent, max(period)
FROM fees
WHERE tree = {tree:String} AND plan = {plan:String}
GROUP BY agent
"""

_OPENED = """
SELECT terms_agent, toUnixTimestamp64Milli(min(at))
FROM entries FINAL
WHERE book = {tree:String} AND kind IN ('AGENT_OPENED', 'CURRENCY_OPENED') AND terms_currency = {currency:String}
GROUP BY terms_agent
"""


def charged(client: Client, tree: str, plan: str) -> list[Fee]:
    """All of a plan, oldest first. Raises WarehouseAway."""
    return [Fee(*row) for row in rows(client, _FEES, {"tree": tree, "plan": plan})]


def last_periods(client: Client, tree: str, plan: str) -> dict[str, str]:
    """By agent, the last period of a plan that was charged. Raises WarehouseAway."""
    found = rows(client, _LAST, {"tree": tree, "plan": plan})
    return {str(agent): str(period) for agent, period in found}


def openings(client: Client, tree: str, currency: str) -> dict[str, int]:
    """When each agent of a tree that has an account in the currency was opened in it, ms UTC. Raises WarehouseAway."""
    return {agent: int(at) for agent, at in rows(client, _OPENED, {"tree": tree, "currency": currency})}
