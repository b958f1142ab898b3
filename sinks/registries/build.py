"""Making a registry's file: whole or not at all, under a name that says whose and which day's it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Literal

from clickhouse_connect.driver.client import Client

from sinks.registries import table_csv, text
from sinks.registries.day import RegistryDay, read_day
from sinks.whole_file import whole_file

Format = Literal["tsv", "csv"]

FORMATS: dict[Format, Callable[[RegistryDay], bytes]] = {"tsv": text.render, "csv": table_csv.render}


def build(client: Client, payee: str, day: date, format: Format, out_dir: Path) -> Path:
    """Write `<payee>_<YYYY-MM-DD>.<format>` into `out_dir`, which is made if need be; an empty day has a file too.

    A file of that name is replaced in one step. Raises UnknownPayee, RegistryError, WarehouseAway, OSError.
    """
    registry = read_day(client, payee, day)
    path = out_dir / f"{registry.payee.id}_{day.isoformat()}.{format}"
    out_dir.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write(FORMATS[format](registry))
    return path
