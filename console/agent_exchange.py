"""`kassa agent exchange`: an agent's money in one currency becomes money in another."""

from __future__ import annotations

from typing import Annotated

import typer

from console.amounts import minor_units
from console.context import broker_settings
from console.errors import BadInput
from console.lookup import find_agent
from console.numbers import fresh_id
from console.options import AgentArgument, CommandId, Comment, Document, Operator, TimeOut, Tree
from console.output import major
from console.signing import done, give, now
from schemas.currency_command import Exchange, is_rate
from schemas.money import MAX_MINOR, Money
from streams.ledger.exchange import taken


def add_to(group: typer.Typer) -> None:
    group.command("exchange")(exchange)


def exchange(
    agent: AgentArgument,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="What it gives, such as 1000.00.")],
    to: Annotated[str, typer.Option("--to", metavar="CODE", help="The currency it takes.")],
    rate: Annotated[str, typer.Option(help="Units of that currency for one of the currency given, such as 0.0125.")],
    document: Document,
    currency: Annotated[
        str | None, typer.Option("--currency", metavar="CODE", help="The currency it gives. Default: its tree's own.")
    ] = None,
    take: Annotated[
        str | None,
        typer.Option(metavar="AMOUNT", help="What it takes, where that is agreed on: it must be what the rate says."),
    ] = None,
    comment: Comment = "",
    tree: Tree = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Exchange an agent's money in one currency for money in another, at a rate, rounded down."""
    if not is_rate(rate):
        raise BadInput(f"{rate!r} is no rate: write 80 or 0.0125, with at most ten decimals")
    settings = broker_settings()
    there = find_agent(settings, agent, tree, currency)
    gives = minor_units(amount, there.currency)
    takes = minor_units(take, to) if take is not None else _had(gives, there.currency, to, rate)
    command = Exchange(
        id=command_id or fresh_id(),
        issued_at=now(),
        tree=there.tree,
        agent=agent,
        give=gives,
        give_currency=there.currency,
        take=takes,
        take_currency=to,
        rate=rate,
        document=document,
        comment=comment,
    )
    answer = give(settings, command, operator, time_out)
    gave, took = (f"{major(minor, coin)} {coin}" for minor, coin in ((gives, there.currency), (takes, to)))
    done(f"{gave} of {agent} exchanged for {took} at {rate}", command, answer)


def _had(gives: int, currency: str, to: str, rate: str) -> int:
    """Minor units. Raises MoneyError for a currency that is not known, BadInput where it is no amount."""
    nothing = Money(0, to)
    takes = taken(gives, currency, nothing.currency, rate)
    if not 0 < takes <= MAX_MINOR:
        raise BadInput(f"{Money(gives, currency)} {currency} at {rate} are {Money(takes, to)} {to}: no amount to take")
    return takes
