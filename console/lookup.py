"""What is in force now, found in the compacted topics: agents and the directory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from pydantic import ValidationError

from console.errors import NotFound
from console.output import note
from schemas.balance import Balance, balance_key
from schemas.chart import Chart
from schemas.contact import Contact
from schemas.gateway import Gateway
from schemas.ids import Wire
from schemas.payee import Payee
from schemas.plan import Plan
from schemas.schedule import Schedule
from schemas.subscribers import SubscriberList
from schemas.tariff import Tariff
from schemas.terminal import Operator, Terminal
from streams.compacted import read_all
from streams.settings import Settings
from streams.topics import (
    BALANCES,
    CHARTS,
    CONTACTS,
    GATEWAYS,
    OPERATORS,
    PAYEES,
    PLANS,
    SCHEDULES,
    SUBSCRIBER_LISTS,
    TARIFFS,
    TERMINALS,
    Topic,
)

Record = TypeVar("Record", bound=Wire)


def table(settings: Settings, topic: Topic, model: type[Record], time_out_s: float = 10) -> dict[str, Record]:
    """Key -> record, in order of keys. A record that cannot be read is left out with a note."""
    records: dict[str, Record] = {}
    for key, value in sorted(read_all(settings, topic, time_out_s).items(), key=lambda one: one[0].split("/")):
        try:
            records[key] = model.model_validate_json(value)
        except ValidationError:
            note(f"topic {topic.name!r}: the record of {key!r} is not a {model.__name__} and is left out")
    return records


def balances(settings: Settings) -> list[Balance]:
    """Of every agent, in its tree's own currency."""
    return [one for key, one in table(settings, BALANCES, Balance).items() if key == balance_key(one.tree, one.agent)]


def purses(settings: Settings) -> list[Balance]:
    """Of every agent in each of its currencies, its tree's own first."""
    return list(table(settings, BALANCES, Balance).values())


def terminals(settings: Settings) -> dict[str, Terminal]:
    return table(settings, TERMINALS, Terminal)


def payees(settings: Settings) -> dict[str, Payee]:
    return table(settings, PAYEES, Payee)


def tariffs(settings: Settings) -> dict[str, Tariff]:
    return table(settings, TARIFFS, Tariff)


def gateways(settings: Settings, time_out_s: float = 10) -> dict[str, Gateway]:
    return table(settings, GATEWAYS, Gateway, time_out_s)


def schedules(settings: Settings) -> dict[str, Schedule]:
    return table(settings, SCHEDULES, Schedule)


def charts(settings: Settings) -> dict[str, Chart]:
    return table(settings, CHARTS, Chart)


def plans(settings: Settings) -> dict[str, Plan]:
    return table(settings, PLANS, Plan)


def subscriber_lists(settings: Settings) -> dict[str, SubscriberList]:
    return table(settings, SUBSCRIBER_LISTS, SubscriberList)


def operators(settings: Settings) -> dict[str, Operator]:
    return table(settings, OPERATORS, Operator)


def contacts(settings: Settings, time_out_s: float = 10) -> dict[str, Contact]:
    return table(settings, CONTACTS, Contact, time_out_s)


def find_agent(settings: Settings, agent: str, tree: str | None = None, currency: str | None = None) -> Balance:
    """The agent's live balance in that currency (none: its tree's own), and with it its tree.

    Raises NotFound: there is none, or there are some in several trees, or not in that currency.
    """
    mine = [one for one in purses(settings) if one.agent == agent and tree in (None, one.tree)]
    trees = sorted({one.tree for one in mine})
    if not trees:
        within = f" in tree {tree!r}" if tree else ""
        raise NotFound(f"there is no agent {agent!r}{within}: `kassa agent list` shows all")
    if len(trees) > 1:
        raise NotFound(f"agent {agent!r} is in several trees ({', '.join(trees)}): say which with --tree")
    for one in mine:
        if currency in (None, one.currency):
            return one
    raise NotFound(f"agent {agent!r} has no account in {currency}: it is in {', '.join(one.currency for one in mine)}")


def spender(agent: Balance, all_agents: Iterable[Balance]) -> Balance:
    """Whose money the agent's terminals spend in its currency: its own, or that of the nearest above with its own."""
    tree = {one.agent: one for one in all_agents if (one.tree, one.currency) == (agent.tree, agent.currency)}
    while agent.funding == "shared" and agent.parent in tree:
        agent = tree[agent.parent]
    return agent


def find_payee(settings: Settings, payee: str) -> Payee:
    """Raises NotFound."""
    record = payees(settings).get(payee)
    if record is None:
        raise NotFound(f"there is no payee {payee!r}: `kassa payee list` shows all")
    return record


def find_terminal(settings: Settings, terminal: str) -> Terminal:
    """Raises NotFound."""
    record = terminals(settings).get(terminal)
    if record is None:
        raise NotFound(f"there is no terminal {terminal!r}: `kassa terminal list` shows all")
    return record
