"""`kassa agent currency`: an agent has an account in a further currency."""

from __future__ import annotations

from typing import Annotated

import typer

from console.amounts import minor_units
from console.context import broker_settings
from console.lookup import find_agent
from console.numbers import fresh_id
from console.options import AgentArgument, CommandId, Operator, TimeOut, Tree
from console.output import major
from console.signing import done, give, now
from schemas.currency_command import OpenCurrency


def add_to(group: typer.Typer) -> None:
    group.command("currency")(open_currency)


def open_currency(
    agent: AgentArgument,
    currency: Annotated[str, typer.Argument(metavar="CODE", help="ISO 4217 code in capitals, such as USD.")],
    overdraft: Annotated[
        str, typer.Option(metavar="AMOUNT", help="How far below zero the balance in it may go, such as 50.00.")
    ] = "0",
    tree: Tree = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Give an agent an account in a further currency. Those above it come first."""
    settings = broker_settings()
    there = find_agent(settings, agent, tree)
    command = OpenCurrency(
        id=command_id or fresh_id(),
        issued_at=now(),
        tree=there.tree,
        agent=agent,
        currency=currency,
        overdraft=minor_units(overdraft, currency),
    )
    answer = give(settings, command, operator, time_out)
    done(f"agent {agent} has an account in {currency}, overdraft {major(command.overdraft, currency)}", command, answer)
