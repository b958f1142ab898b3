"""`kassa window`: settlement windows, what they fixed, and whom the operator must pay."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from console.context import broker_settings
from console.numbers import fresh_id
from console.options import AsJson, CommandId, Operator, TimeOut
from console.output import json_line, listing, major, pairs, rows
from console.signing import done, give, now
from console.warehouse import opened
from schemas.command import CloseWindow

if TYPE_CHECKING:
    from sinks.settlement.windows import ClosedWindow

TreeOption = Annotated[str, typer.Option("--tree", metavar="ROOT", help="The tree's root agent.")]
PayeeOption = Annotated[
    str | None, typer.Option("--payee", metavar="PAYEE", help="The payee's window. None: the tree's own.")
]
Number = Annotated[int, typer.Option("--window", metavar="N", min=1, help="The window's number: 1, 2, 3, …")]


class Output(StrEnum):
    """table: for people; csv: semicolons, for spreadsheets and banks; json: an object a line."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Settlement windows: list, show, close, instructions.", no_args_is_help=True)
    group.command("list")(list_windows)
    group.command("show")(show)
    group.command("close")(close)
    group.command("instructions")(instructions)
    app.add_typer(group, name="window")


def close(
    tree: TreeOption,
    number: Number,
    payee: PayeeOption = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Close the open window now. Its number must be given, so that repeating the command closes no second one."""
    command = CloseWindow(id=command_id or fresh_id(), issued_at=now(), tree=tree, payee=payee, number=number)
    answer = give(broker_settings(), command, operator, time_out)
    whose = f"payee {payee} in tree {tree}" if payee else f"tree {tree}"
    done(f"window {number} of {whose} is closed", command, answer)


def list_windows(
    tree: Annotated[str | None, typer.Option(metavar="ROOT", help="Of this tree only.")] = None, as_json: AsJson = False
) -> None:
    """Closed windows, of all trees and payees or of one tree."""
    from sinks.settlement.windows import closed_windows

    with opened() as client:
        found = closed_windows(client, tree or "")
    columns = ("tree", "payee", "window", "opened", "closed", "by", "entries")
    lines = (tuple(_facts(one).values())[:7] for one in found)
    listing(map(_facts, found), as_json, columns, lines, right=("window",))


def show(tree: TreeOption, number: Number, payee: PayeeOption = None, as_json: AsJson = False) -> None:
    """What a closed window fixed: each account's opening and closing balance, its legs, and what was paid out."""
    from sinks.settlement.windows import find_window, positions_of

    with opened() as client:
        window = find_window(client, tree, payee or "", number)
        found = positions_of(client, window)
    if as_json:
        json_line({**_facts(window), "positions": found})
        return
    pairs(_facts(window))
    columns = ("account", "currency", "opening", "moved", "closing", "paid out", "legs")
    lines = (
        (
            one.account,
            one.currency,
            major(one.opening, one.currency),
            major(one.closing + one.settled - one.opening, one.currency),
            major(one.closing, one.currency),
            major(one.settled, one.currency) if one.settled else "-",
            f"{one.first} - {one.last}" if one.last >= one.first else "-",
        )
        for one in found
    )
    rows(columns, lines, right=columns[2:6])


def instructions(
    tree: TreeOption,
    number: Number,
    payee: PayeeOption = None,
    output: Annotated[Output, typer.Option("--format", help="How to print it.")] = Output.TABLE,
) -> None:
    """Whom the operator must pay: of one payee's window, or of all that closed within a window of the tree."""
    from sinks.settlement.instructions import instructions as due
    from sinks.settlement.instructions import totals
    from sinks.settlement.tables import semicolons

    with opened() as client:
        found = due(client, tree, payee or "", number)
    columns = ("payee", "name", "window", "amount", "currency", "reference", "purpose")
    lines = [
        (one.payee, one.name, one.window, one.amount, one.amount.currency, one.reference, one.purpose) for one in found
    ]
    ends = [("Total:", "", len(found), total, total.currency, "", "") for total in totals(found)]
    match output:
        case Output.JSON:
            for line in lines:
                json_line(dict(zip(columns, (*line[:3], str(line[3]), *line[4:]), strict=True)))
        case Output.CSV:
            sys.stdout.write(semicolons(columns, [*lines, *ends]))
        case _:
            rows(columns, [*lines, *ends], right=("window", "amount"))


def _facts(one: ClosedWindow) -> dict[str, object]:
    return {
        "tree": one.tree,
        "payee": one.payee or "-",
        "window": one.number,
        "opened": f"{one.opened_at:%Y-%m-%d %H:%M:%S}" if one.opened_at else "-",
        "closed": f"{one.closed_at:%Y-%m-%d %H:%M:%S}",
        "by": one.closed_by,
        "entries": f"{one.first_entry} - {one.last_entry}",
    }
