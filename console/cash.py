"""`kassa cash`: terminals are emptied, and what is counted is held against what their payments put in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.amounts import minor_units
from console.context import broker_settings
from console.errors import BadInput, NotFound
from console.lookup import find_agent, find_terminal
from console.numbers import fresh_id
from console.options import AsJson, CommandId, Operator, TimeOut
from console.output import json_line, listing, major, pairs, rows
from console.signing import done, give, now
from console.warehouse import opened
from schemas.cash import CollectCash

if TYPE_CHECKING:
    from sinks.settlement.cash import Collected

TerminalName = Annotated[str, typer.Argument(metavar="TERMINAL", help="The terminal's id.")]
OfTerminal = Annotated[str | None, typer.Option("--terminal", metavar="TERMINAL", help="Of this terminal only.")]
OfTree = Annotated[str | None, typer.Option("--tree", metavar="ROOT", help="Of this tree only.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Cash in terminals: collect, list, show, expected.", no_args_is_help=True)
    group.command("collect")(collect)
    group.command("list")(list_collections)
    group.command("show")(show)
    group.command("expected")(expected)
    app.add_typer(group, name="cash")


def collect(
    terminal: TerminalName,
    bag: Annotated[str, typer.Option(metavar="TEXT", help="Number of the bag, or of the paper with it.")],
    counted: Annotated[
        list[str] | None, typer.Argument(metavar="[DENOMINATIONxPIECES]...", help="Such as 1000.00x12. None: empty.")
    ] = None,
    currency: Annotated[
        str | None, typer.Option(metavar="CODE", help="Of the cash. Default: the agent's currency.")
    ] = None,
    comment: Annotated[str, typer.Option(metavar="TEXT", help="A word for whoever asks later.")] = "",
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Record what was counted in a terminal that was emptied. What is expected in it begins anew."""
    settings = broker_settings()
    record = find_terminal(settings, terminal)
    coin = currency or find_agent(settings, record.agent, record.tree).currency
    command = CollectCash(
        id=command_id or fresh_id(),
        issued_at=now(),
        tree=record.tree,
        terminal=terminal,
        agent=record.agent,
        currency=coin,
        counted=denominations(counted or (), coin),
        bag=bag,
        comment=comment,
    )
    answer = give(settings, command, operator, time_out)
    done(f"{major(command.total, coin)} {coin} of terminal {terminal} in bag {bag}", command, answer)


def denominations(texts: Iterable[str], currency: str) -> dict[str, int]:
    """ "1000.00x12" texts -> minor units as text, pieces. Raises BadInput, MoneyError."""
    counted: dict[str, int] = {}
    for text in texts:
        worth, found, pieces = text.partition("x")
        if not found or not (pieces.isascii() and pieces.isdigit() and len(pieces) <= 10 and int(pieces)):
            raise BadInput(f"{text!r} is not a denomination and how many: write 1000.00x12")
        minor = str(minor_units(worth, currency))
        if minor in counted:
            raise BadInput(f"{worth} is given twice")
        counted[minor] = int(pieces)
    return counted


def expected(terminal: OfTerminal = None, tree: OfTree = None, as_json: AsJson = False) -> None:
    """What should be in each terminal now, by its payments since it was last emptied; from ClickHouse."""
    from sinks.settlement import cash

    with opened() as client:
        found = cash.expected(client, tree or "", terminal or "")
    lines = (
        (one.tree, one.agent, one.terminal, major(one.expected, one.currency), one.currency,
         f"{one.collected_at:%Y-%m-%d %H:%M:%S}" if one.collected_at else "never")
        for one in found
    )  # fmt: skip
    columns = ("tree", "agent", "terminal", "expected", "currency", "emptied, UTC")
    listing(found, as_json, columns, lines, right=("expected",))


def list_collections(
    terminal: OfTerminal = None,
    tree: OfTree = None,
    short: Annotated[bool, typer.Option("--short", help="Only those in which something was missing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Collections, oldest first, each with what was expected and counted; from ClickHouse."""
    from sinks.settlement import cash

    with opened() as client:
        found = cash.collections(client, tree or "", terminal or "", short=short)
    columns = ("at (UTC)", "terminal", "agent", "no.", "expected", "counted", "shortage", "currency", "bag")
    listing(found, as_json, columns, map(_line, found), right=("no.", "expected", "counted", "shortage"))


def show(
    terminal: TerminalName,
    number: Annotated[int | None, typer.Option("--number", min=1, help="Which. Default: the last.")] = None,
    as_json: AsJson = False,
) -> None:
    """One collection, note by note."""
    from sinks.settlement import cash

    with opened() as client:
        found = [one for one in cash.collections(client, terminal=terminal) if number in (None, one.number)]
    if not found:
        which = f"collection {number}" if number is not None else "any collection"
        raise NotFound(f"the warehouse does not have {which} of terminal {terminal!r}: `kassa cash list` shows all")
    last = found[-1]
    if as_json:
        json_line(last)
        return
    pairs(_facts(last))
    lines = (
        (major(worth, last.currency), pieces, major(worth * pieces, last.currency))
        for worth, pieces in last.denominations
    )
    rows(("denomination", "pieces", "amount"), lines, right=("denomination", "pieces", "amount"))


def _line(one: Collected) -> tuple[object, ...]:
    amounts = (major(minor, one.currency) for minor in (one.expected, one.counted, one.shortage))
    at = f"{one.collected_at:%Y-%m-%d %H:%M:%S}"
    return (at, one.terminal, one.agent, one.number, *amounts, one.currency, one.bag)


def _facts(one: Collected) -> dict[str, Any]:
    return {
        "terminal": one.terminal,
        "agent": f"{one.agent} in tree {one.tree}",
        "number": one.number,
        "collected": f"{one.collected_at:%Y-%m-%d %H:%M:%S} UTC by {one.collected_by}",
        "bag": one.bag,
        "comment": one.comment or "-",
        "expected": f"{major(one.expected, one.currency)} {one.currency}, entries {one.first_entry} - {one.last_entry}",
        "counted": f"{major(one.counted, one.currency)} {one.currency}",
        "shortage": f"{major(one.shortage, one.currency)} {one.currency}",
    }
