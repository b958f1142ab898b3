"""`kassa change reclaim`: a payer came after all for change that had expired."""

from __future__ import annotations

from typing import Annotated

import typer

from console.amounts import minor_units
from console.change_kept import account_named
from console.context import broker_settings
from console.lookup import find_agent
from console.numbers import fresh_id
from console.options import CommandId, Operator, TimeOut, Tree
from console.output import major
from console.signing import done, give, now
from schemas.change_command import ReclaimChange


def reclaim(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="Who gave the payer the cash.")],
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="How much of it, such as 177.50.")],
    evidence: Annotated[str, typer.Option(metavar="TEXT", help="The payer's receipt or letter: it goes on record.")],
    code: Annotated[str | None, typer.Option(metavar="CODE", help="The code on the payer's receipt.")] = None,
    payment: Annotated[
        str | None, typer.Option(metavar="PAYMENT", help="Of change without a code: its payment.")
    ] = None,
    tree: Tree = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """An agent gave a payer cash for change that had expired: so much of it is the agent's money now."""
    account_named(code, payment)
    settings = broker_settings()
    there = find_agent(settings, agent, tree)
    command = ReclaimChange(
        id=command_id or fresh_id(),
        issued_at=now(),
        tree=there.tree,
        agent=agent,
        code=code,
        payment=payment,
        amount=minor_units(amount, there.currency),
        currency=there.currency,
        evidence=evidence,
    )
    answer = give(settings, command, operator, time_out)
    done(f"{major(command.amount, there.currency)} {there.currency} of expired change is {agent}'s", command, answer)
