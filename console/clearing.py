"""`kassa clearing`: money between trees, what is on its way and what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from console.errors import NotFound
from console.options import AsJson
from console.output import json_line, listing, major, pairs, rows
from console.warehouse import named, select

_COLUMNS = (
    "origin", "transfer_no", "target", "giver", "taker", "amount", "currency", "state", "sent_at", "taken_at",
    "ended_at", "document", "why", "asked_by", "asked_by_command",
)  # fmt: skip
_OPEN = "ended_at IS NULL"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Money between trees: list, show.", no_args_is_help=True)
    group.command("list")(list_transfers)
    group.command("show")(show)
    app.add_typer(group, name="clearing")


def list_transfers(
    tree: Annotated[str, typer.Option(metavar="TREE", help="Only what left or was for this tree.")] = "",
    open_only: Annotated[bool, typer.Option("--open", help="Only those of which the sender knows no end.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest, at most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Transfers between trees, the newest first, as ClickHouse has them."""
    wanted = f"WHERE {_OPEN if open_only else '1'} AND {{tree:String}} IN ('', origin, target)"
    query = (
        f"SELECT {', '.join(_COLUMNS)} FROM clearing {wanted} ORDER BY sent_at DESC, origin, transfer_no LIMIT {limit}"
    )
    found = select(query, {"tree": tree})
    columns = ("transfer", "to", "from", "for", "amount", "", "state", "sent")
    shown = ((f"{of}.{number}", target, giver, taker, major(amount, coin), coin, state, _time(sent_at))
             for of, number, target, giver, taker, amount, coin, state, sent_at, *_ in found)  # fmt: skip
    listing((named(_COLUMNS, one) for one in found), as_json, columns, shown, right=("amount",))


def show(
    transfer: Annotated[str, typer.Argument(metavar="TREE.NUMBER", help="As `kassa clearing list` names it.")],
    as_json: AsJson = False,
) -> None:
    """One transfer between trees, and every entry about it in both books."""
    origin, _, number = transfer.rpartition(".")
    asked = {"origin": origin, "number": int(number) if number.isdecimal() and len(number) < 19 else 0}
    which = "WHERE origin = {origin:String} AND transfer_no = {number:UInt64}"
    about = (
        "WHERE JSONExtractString(crossing, 'origin') = {origin:String} AND "
        "JSONExtractUInt(crossing, 'number') = {number:UInt64}"
    )
    found = select(f"SELECT {', '.join(_COLUMNS)} FROM clearing {which}", asked)
    entries = select(f"SELECT book, entry_seq, at, kind, reason FROM entries FINAL {about} ORDER BY at", asked)
    if not found:
        raise NotFound(f"no transfer {transfer!r} left a tree: `kassa clearing list` names them")
    said = named(_COLUMNS, found[0])
    if as_json:
        json_line({**said, "entries": [
            {"book": book, "entry": seq, "at": at.isoformat(), "kind": kind, "reason": reason}
            for book, seq, at, kind, reason in entries
        ]})  # fmt: skip
        return
    said["amount"] = f"{major(said['amount'], said.pop('currency'))} {found[0][_COLUMNS.index('currency')]}"
    pairs({name.replace("_", " "): value for name, value in said.items() if value not in (None, "")})
    rows(("tree", "entry", "at", "kind", "reason"),
         ((book, str(seq), _time(at), kind, reason or "-") for book, seq, at, kind, reason in entries),
         right=("entry",))  # fmt: skip


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
