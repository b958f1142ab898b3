"""`kassa change bring`: a payer's change of one tree is wanted in another."""

from __future__ import annotations

from typing import Annotated

import typer

from console.amounts import minor_units
from console.context import broker_settings
from console.lookup import find_agent
from console.numbers import fresh_id
from console.options import CommandId, Operator, TimeOut
from console.output import major
from console.signing import done, give, now
from schemas.bring_change import BringChange


def bring(
    code: Annotated[str, typer.Option(metavar="CODE", help="The code on the payer's receipt.")],
    amount: Annotated[str, typer.Option(metavar="AMOUNT", help="How much of it, such as 177.50.")],
    from_tree: Annotated[str, typer.Option("--from", metavar="TREE", help="The tree that keeps it.")],
    to_tree: Annotated[str, typer.Option("--to", metavar="TREE", help="The tree in which it is wanted.")],
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Bring a payer's change to another tree, where it is kept under the same code."""
    settings = broker_settings()
    there = find_agent(settings, from_tree, from_tree)
    command = BringChange(
        id=command_id or fresh_id(),
        issued_at=now(),
        tree=from_tree,
        code=code,
        amount=minor_units(amount, there.currency),
        currency=there.currency,
        to_tree=to_tree,
    )
    answer = give(settings, command, operator, time_out, time_out)
    what = f"{major(command.amount, there.currency)} {there.currency} of change from tree {from_tree} to {to_tree}"
    if not answer.reply.final:
        what += ", under way: `kassa clearing list` tells its end"
    done(what, command, answer)
