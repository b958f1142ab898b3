"""`kassa agent`: open agents, put money on their accounts, set their limits, look at their balances."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from console import agent_currency, agent_exchange, agent_limits, agent_money, agent_move, agent_standing, agent_tree
from console.amounts import minor_units
from console.context import broker_settings
from console.lookup import find_agent, purses, spender
from console.numbers import fresh_id
from console.options import AgentArgument, AsJson, CommandId, CurrencyOf, Operator, TimeOut, Tree
from console.output import json_line, listing, major, pairs
from console.signing import done, give, now
from console.statements import statement
from schemas.balance import Balance
from schemas.command import Deposit, OpenAgent


class FundingKind(StrEnum):
    """Whose money an agent's terminals spend."""

    OWN = "own"
    SHARED = "shared"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Agents: who they are, what they have and may spend, statements.", no_args_is_help=True)
    group.command("open")(open_agent)
    group.command("deposit")(deposit)
    agent_limits.add_to(group)
    group.command("show")(show)
    group.command("list")(list_agents)
    group.command("statement")(statement)
    agent_money.add_to(group)
    agent_currency.add_to(group)
    agent_exchange.add_to(group)
    agent_move.add_to(group)
    agent_standing.add_to(group)
    agent_tree.add_to(group)
    app.add_typer(group, name="agent")


def open_agent(
    agent: AgentArgument,
    name: Annotated[str | None, typer.Option(help="The agent's name. Default: its id.")] = None,
    parent: Annotated[
        str | None, typer.Option(metavar="AGENT", help="The agent above. None: this one is the root of a new tree.")
    ] = None,
    currency: Annotated[
        str | None, typer.Option(metavar="CODE", help="ISO 4217 code. Default: the parent's, or RUB for a root.")
    ] = None,
    overdraft: Annotated[
        str, typer.Option(metavar="AMOUNT", help="How far below zero the balance may go, such as 500.00.")
    ] = "0",
    funding: Annotated[
        FundingKind, typer.Option(help="Whose money its terminals spend: its own, or the agent's above.")
    ] = FundingKind.OWN,
    time_zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Of a root: by which its tree counts days. Default: UTC.")
    ] = None,
    tree: Tree = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Open an agent: a root one, or one under --parent."""
    settings = broker_settings()
    above = find_agent(settings, parent, tree) if parent is not None else None
    money = currency or (above.currency if above is not None else "RUB")
    command = OpenAgent(
        id=command_id or fresh_id(),
        issued_at=now(),
        tree=above.tree if above is not None else agent,
        agent=agent,
        parent=parent,
        name=name or agent,
        currency=money,
        overdraft=minor_units(overdraft, money),
        funding=funding.value,
        time_zone=time_zone,
    )
    answer = give(settings, command, operator, time_out)
    done(
        f"agent {agent} is open in tree {command.tree}, {money}, overdraft {major(command.overdraft, money)}",
        command,
        answer,
    )


def deposit(
    agent: AgentArgument,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="Such as 10000.00.")],
    document: Annotated[str, typer.Option(help="Number of the bank document behind the money.")],
    currency: CurrencyOf = None,
    tree: Tree = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Put money an agent brought to the bank on its account."""
    settings = broker_settings()
    there = find_agent(settings, agent, tree, currency)
    command = Deposit(
        id=command_id or fresh_id(),
        issued_at=now(),
        tree=there.tree,
        agent=agent,
        amount=minor_units(amount, there.currency),
        currency=there.currency,
        document=document,
    )
    answer = give(settings, command, operator, time_out)
    done(f"{major(command.amount, there.currency)} {there.currency} deposited to {agent}", command, answer)


def show(agent: AgentArgument, tree: Tree = None, as_json: AsJson = False) -> None:
    """One agent's balance, holds and limits as they are now, in each of its currencies."""
    settings = broker_settings()
    first, everyone = find_agent(settings, agent, tree), purses(settings)
    for there in (one for one in everyone if (one.tree, one.agent) == (first.tree, first.agent)):
        if as_json:
            json_line(there)
        else:
            _show(there, spender(there, everyone))


def _show(there: Balance, money: Balance) -> None:
    pairs(
        {
            "agent": f"{there.agent} ({there.name})",
            "tree": there.tree,
            "above": there.parent or "-",
            "status": there.status,
            "funding": "own" if money is there else f"shared: spends the money of {money.agent}",
            "balance": f"{major(there.balance, there.currency)} {there.currency}",
            "held": major(there.held, there.currency),
            "overdraft": major(there.overdraft, there.currency),
            "available": major(money.available, there.currency),
            **agent_limits.shown(there),
            "days of": there.time_zone,
            "entry": f"{there.seq} at {there.at:%Y-%m-%d %H:%M:%S} UTC",
        }
    )


def list_agents(tree: Tree = None, as_json: AsJson = False) -> None:
    """All agents, tree by tree."""
    everyone = purses(broker_settings())
    found = [one for one in everyone if tree in (None, one.tree)]
    columns = ("tree", "agent", "above", "name", "currency", "balance", "held", "overdraft", "available", "funding")
    lines = (_line(one, spender(one, everyone)) for one in found)
    listing(found, as_json, columns, lines, right=("balance", "held", "overdraft", "available"))


def _line(one: Balance, money: Balance) -> tuple[object, ...]:
    amounts = (major(minor, one.currency) for minor in (one.balance, one.held, one.overdraft, money.available))
    funding = "own" if money is one else f"of {money.agent}"
    return (one.tree, one.agent, one.parent or "-", one.name, one.currency, *amounts, funding)
