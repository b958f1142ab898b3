"""`kassa registry`: a payee's payments of one business day as a file."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from console import registry_numbers
from console.amounts import calendar_day
from console.context import load_settings
from console.errors import BadInput
from console.output import say


class FileFormat(StrEnum):
    """csv: semicolons, a header and totals; tsv: the field's tab-separated text with its Total line."""

    CSV = "csv"
    TSV = "tsv"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Registries: build, list, show, cut, deliver, answer.", no_args_is_help=True)
    group.command("build")(build)
    registry_numbers.register(group)
    app.add_typer(group, name="registry")


def build(
    payee: Annotated[str, typer.Option(metavar="PAYEE", help="Whose payments.")],
    day: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="The payee's business day. Default: today in its zone.")
    ] = None,
    format: Annotated[FileFormat, typer.Option(help="The kind of file.")] = FileFormat.CSV,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to put it.")] = Path(),
) -> None:
    """Build a payee's registry of one business day, also of a day without payments."""
    settings = load_settings()
    if not settings.clickhouse:
        raise BadInput("no warehouse is known: start one with `kassa up`, or set KASSA_CLICKHOUSE=http://host:8123")
    wanted = calendar_day(day) if day is not None else None
    from sinks.registries import build as files  # ClickHouse's client takes half a second to import
    from sinks.registries.day import find_payee
    from sinks.warehouse import connect

    client = connect(settings)
    try:
        if wanted is None:
            wanted = datetime.now(ZoneInfo(find_payee(client, payee).time_zone)).date()
        path = files.build(client, payee, wanted, format.value, out)
    finally:
        client.close()
    say(f"registry of {payee}, {wanted}: {path}")
