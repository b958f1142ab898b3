"""`kassa agent transfer` and `withdraw`: an agent's money goes to another, or back to its bank."""

from __future__ import annotations

from typing import Annotated

import typer

from console.amounts import minor_units
from console.context import broker_settings
from console.lookup import find_agent
from console.numbers import fresh_id
from console.options import AgentArgument, CommandId, Comment, CurrencyOf, Document, Operator, TimeOut, Tree
from console.output import major
from console.signing import done, give, now
from schemas.agent_command import Transfer, Withdraw

Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="Such as 5000.00.")]
ToTree = Annotated[str | None, typer.Option("--to-tree", metavar="ROOT", help="TO is an agent of this other tree.")]


def add_to(group: typer.Typer) -> None:
    group.command("transfer")(transfer)
    group.command("withdraw")(withdraw)


def transfer(
    giver: Annotated[str, typer.Argument(metavar="FROM", help="The agent that gives.")],
    taker: Annotated[str, typer.Argument(metavar="TO", help="The agent that takes.")],
    amount: Amount,
    document: Document,
    comment: Comment = "",
    currency: CurrencyOf = None,
    tree: Tree = None,
    to_tree: ToTree = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Move an agent's money to another agent, of its tree or of another one."""
    settings = broker_settings()
    there = find_agent(settings, giver, tree, currency)
    command = Transfer(
        id=command_id or fresh_id(),
        issued_at=now(),
        tree=there.tree,
        giver=giver,
        taker=taker,
        amount=minor_units(amount, there.currency),
        currency=there.currency,
        document=document,
        comment=comment,
        to_tree=to_tree,
    )
    answer = give(settings, command, operator, time_out, time_out)
    what = f"{major(command.amount, there.currency)} {there.currency} from {giver} to {taker}"
    if to_tree is not None:
        what += f" of tree {to_tree}"
    if not answer.reply.final:
        what += ", under way: `kassa clearing list` tells its end"
    done(what, command, answer)


def withdraw(
    agent: AgentArgument,
    amount: Amount,
    document: Document,
    comment: Comment = "",
    currency: CurrencyOf = None,
    tree: Tree = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Record money that went from an agent's account to its bank."""
    settings = broker_settings()
    there = find_agent(settings, agent, tree, currency)
    command = Withdraw(
        id=command_id or fresh_id(),
        issued_at=now(),
        tree=there.tree,
        agent=agent,
        amount=minor_units(amount, there.currency),
        currency=there.currency,
        document=document,
        comment=comment,
    )
    answer = give(settings, command, operator, time_out)
    done(f"{major(command.amount, there.currency)} {there.currency} withdrawn from {agent}", command, answer)
