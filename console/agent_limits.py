"""`kassa agent limit`: what an agent, and with it everyone below, may sell and spend."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer

from console.amounts import minor_units
from console.context import broker_settings
from console.errors import BadInput
from console.lookup import find_agent
from console.numbers import fresh_id
from console.options import AgentArgument, CommandId, CurrencyOf, Operator, TimeOut, Tree
from console.output import major
from console.signing import done, give, now
from schemas.balance import Balance
from schemas.command import Liftable, SetLimit


class Lifted(StrEnum):
    """Limits that may be taken away altogether."""

    PAYMENT_MAX = "payment-max"
    DAILY_MAX = "daily-max"
    MONTHLY_MAX = "monthly-max"


_LIFTABLE: dict[Lifted, Liftable] = {
    Lifted.PAYMENT_MAX: "payment_max",
    Lifted.DAILY_MAX: "daily_max",
    Lifted.MONTHLY_MAX: "monthly_max",
}


def add_to(group: typer.Typer) -> None:
    group.command("limit")(limit)


def limit(
    agent: AgentArgument,
    overdraft: Annotated[
        str | None, typer.Argument(metavar="[AMOUNT]", help="How far below zero the balance may go; 0: prepaid.")
    ] = None,
    payment_max: Annotated[str | None, typer.Option(metavar="AMOUNT", help="The most a single payment may be.")] = None,
    daily_max: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="The most of a day, by the tree's calendar.")
    ] = None,
    monthly_max: Annotated[str | None, typer.Option(metavar="AMOUNT", help="The most of a month, likewise.")] = None,
    payee: Annotated[list[str] | None, typer.Option(metavar="PAYEE", help="A permitted payee; repeatable.")] = None,
    all_payees: Annotated[bool, typer.Option("--all-payees", help="Permit every payee again.")] = False,
    lift: Annotated[list[Lifted] | None, typer.Option(help="A limit to take away; may be repeated.")] = None,
    currency: CurrencyOf = None,
    tree: Tree = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Set an agent's limits: those that are named; the others stay."""
    if payee and all_payees:
        raise BadInput("--payee and --all-payees say different things")
    settings = broker_settings()
    there = find_agent(settings, agent, tree, currency)

    def minor(text: str | None) -> int | None:
        return minor_units(text, there.currency) if text is not None else None

    command = SetLimit(
        id=command_id or fresh_id(),
        issued_at=now(),
        tree=there.tree,
        agent=agent,
        overdraft=minor(overdraft),
        payment_max=minor(payment_max),
        daily_max=minor(daily_max),
        monthly_max=minor(monthly_max),
        payees=() if all_payees else tuple(payee) if payee else None,
        lift=tuple(_LIFTABLE[one] for one in lift or ()),
        currency=currency,
    )
    answer = give(settings, command, operator, time_out)
    done(f"limits of {agent}: {', '.join(_said(command, there.currency))}", command, answer)


def shown(one: Balance) -> dict[str, object]:
    """The agent's limits for people; those it has not are left out."""
    found = {
        "payment max": one.payment_max,
        "daily max": one.daily_max,
        "monthly max": one.monthly_max,
    }
    lines: dict[str, object] = {name: major(minor, one.currency) for name, minor in found.items() if minor is not None}
    return lines | ({"payees": ", ".join(one.payees)} if one.payees else {})


def _said(command: SetLimit, currency: str) -> Iterator[str]:
    for name in ("overdraft", "payment_max", "daily_max", "monthly_max"):
        minor = getattr(command, name)
        if minor is not None:
            yield f"{name.replace('_', ' ')} {major(minor, currency)} {currency}"
    yield from (f"no {name.replace('_', ' ')}" for name in command.lift)
    if command.payees is not None:
        yield f"payees {', '.join(command.payees) or 'all'}"
