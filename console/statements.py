"""`kassa agent statement`: what happened to an agent's money, for the agent."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from console.amounts import calendar_day
from console.errors import BadInput, NotFound
from console.output import json_line, rows, say
from console.warehouse import opened
from console.windows import Output, TreeOption
from schemas.money import Money

if TYPE_CHECKING:
    from sinks.settlement.statement import Statement

COLUMNS = ("at (UTC)", "entry", "cause", "what", "debit", "credit", "balance")


def statement(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent's id.")],
    tree: TreeOption,
    window: Annotated[
        int | None, typer.Option("--window", metavar="N", min=1, help="Over this closed window of the tree.")
    ] = None,
    from_day: Annotated[
        str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="Or over days: the first of them …")
    ] = None,
    to_day: Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="… and the last.")] = None,
    time_zone: Annotated[str, typer.Option(metavar="ZONE", help="Whose days they are.")] = "UTC",
    output: Annotated[Output, typer.Option("--format", help="How to print it.")] = Output.TABLE,
) -> None:
    """An agent's statement over a closed window of its tree, or over days: it opens where the one before closed."""
    from sinks.settlement.statement import is_agent, of_days, of_window

    if (window is None) == (from_day is None and to_day is None):
        raise BadInput("say which: --window N, or --from and --to")
    with opened() as client:
        if window is not None:
            found = of_window(client, tree, agent, window)
            if not found and not is_agent(client, tree, agent):
                raise NotFound(f"there is no agent {agent!r} in tree {tree!r}: `kassa agent list` shows all")
        else:
            found = of_days(client, tree, agent, *_bounds(from_day, to_day, time_zone))
    if not found:
        say(f"agent {agent}: nothing there and nothing moved in window {window} of tree {tree}")
    for one in found:
        _print(one, output)


def _bounds(from_day: str | None, to_day: str | None, time_zone: str) -> tuple[int, int]:
    from sinks.registries.day import bounds_ms

    if from_day is None or to_day is None:
        raise BadInput("a statement over days needs both --from and --to")
    first, last = calendar_day(from_day), calendar_day(to_day)
    if last < first:
        raise BadInput(f"--to {to_day} is before --from {from_day}")
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput(f"unknown time zone {time_zone!r}: expected an IANA name such as Europe/Moscow") from None
    return bounds_ms(first, zone)[0], bounds_ms(last, zone)[1]


def _print(one: Statement, output: Output) -> None:
    from sinks.settlement.tables import semicolons

    match output:
        case Output.JSON:
            json_line(as_json(one))
        case Output.CSV:
            sys.stdout.write(semicolons(COLUMNS, lines_of(one)))
        case _:
            say(f"agent {one.agent} of tree {one.tree}, {one.opening.currency}")
            rows(COLUMNS, lines_of(one), right=("entry", "debit", "credit", "balance"))


def lines_of(one: Statement) -> Iterator[tuple[object, ...]]:
    """The first and the last line carry the balances; debits and credits are totalled in the last."""
    yield ("", "", "", "opening balance", "", "", one.opening)
    for line in one.movements:
        debit, credit = (amount if amount.minor else "" for amount in (line.debit, line.credit))
        yield (f"{line.at:%Y-%m-%d %H:%M:%S}", line.entry, line.cause, line.what, debit, credit, line.balance)
    debits, credits = totals(one)
    yield ("", "", "", "closing balance", debits, credits, one.closing)


def totals(one: Statement) -> tuple[Money, Money]:
    """The sums of all debits and of all credits."""
    nothing = Money(0, one.opening.currency)
    return (
        sum((line.debit for line in one.movements), nothing),
        sum((line.credit for line in one.movements), nothing),
    )


def as_json(one: Statement) -> dict[str, object]:
    """Amounts are decimal text with the currency's exponent."""
    debits, credits = totals(one)
    return {
        "tree": one.tree,
        "agent": one.agent,
        "currency": one.opening.currency,
        "opening": str(one.opening),
        "closing": str(one.closing),
        "debits": str(debits),
        "credits": str(credits),
        "movements": [
            {
                "at": line.at.isoformat(),
                "entry": line.entry,
                "cause": line.cause,
                "what": line.what,
                "debit": str(line.debit),
                "credit": str(line.credit),
                "balance": str(line.balance),
            }
            for line in one.movements
        ],
    }
