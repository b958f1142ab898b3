"""`kassa schedule`: when settlement windows close by themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from console.context import broker_settings
from console.lookup import schedules
from console.numbers import fresh_id
from console.options import AsJson, CommandId, Operator, TimeOut
from console.output import listing
from console.signing import done, give, now
from console.trees import must_be_there
from schemas.command import SetSchedule
from schemas.ids import instant_ms, ms_instant
from schemas.schedule import Schedule

Subject = Annotated[
    str | None, typer.Option("--payee", metavar="PAYEE", help="The payee's window. None: the tree's own.")
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Schedules of settlement windows: set, list.", no_args_is_help=True)
    group.command("set")(set_schedule)
    group.command("list")(list_schedules)
    app.add_typer(group, name="schedule")


def set_schedule(
    tree: Annotated[str, typer.Argument(metavar="ROOT", help="The tree's root agent.")],
    cron: Annotated[
        str, typer.Option(metavar="'M H D M W'", help="Minute, hour, day, month, weekday, as cron has it.")
    ],
    payee: Subject = None,
    time_zone: Annotated[str, typer.Option(metavar="ZONE", help="Whose clock the expression means.")] = "UTC",
    paused: Annotated[bool, typer.Option("--paused", help="Close nothing until it is set anew.")] = False,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Set when the windows of a tree, or of a payee in it, close. It counts from now on."""
    schedule = Schedule(tree=tree, payee=payee, cron=cron, time_zone=time_zone, is_paused=paused)
    settings = broker_settings()
    must_be_there(settings, tree, payee=payee)
    command = SetSchedule(id=command_id or fresh_id(), issued_at=now(), schedule=schedule)
    answer = give(settings, command, operator, time_out)
    done(f"windows of {_subject(schedule)} close at {cron!r} {time_zone}{_paused(schedule)}", command, answer)


def list_schedules(as_json: AsJson = False) -> None:
    """All schedules, and when each would close a window next."""
    found = schedules(broker_settings()).values()
    listing(found, as_json, ("tree", "payee", "cron", "time zone", "next, UTC"), map(_line, found))


def _line(one: Schedule) -> tuple[object, ...]:
    moment = (
        "paused" if one.is_paused else f"{ms_instant(one.next_after(instant_ms(datetime.now(UTC)))):%Y-%m-%d %H:%M}"
    )
    return (one.tree, one.payee or "-", one.cron, one.time_zone, moment)


def _subject(one: Schedule) -> str:
    return f"payee {one.payee} in tree {one.tree}" if one.payee else f"tree {one.tree}"


def _paused(one: Schedule) -> str:
    return ", paused" if one.is_paused else ""
