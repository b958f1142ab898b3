"""Making a registry's file: whole or not at all, under a name that says whose and which day's it is."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Literal

from clickhouse_connect.driver.client import Client

from sinks.registries import table_csv, text
from sinks.registries.day import RegistryDay, read_day

Format = Literal["tsv", "csv"]

FORMATS: dict[Format, Callable[[RegistryDay], bytes]] = {"tsv": text.render, "csv": table_csv.render}


def build(client: Client, payee: str, day: date, format: Format, out_dir: Path) -> Path:
    """Write `<payee>_<YYYY-MM-DD>.<format>` into `out_dir`, which is made if need be; an empty day has a file too.

    A file of that name is replaced in one step. Raises UnknownPayee, RegistryError, WarehouseAway, OSError.
    """
    registry = read_day(client, payee, day)
    path = out_dir / f"{registry.payee.id}_{day.isoformat()}.{format}"
    out_dir.mkdir(parents=True, exist_ok=True)
    _write_whole(path, FORMATS[format](registry))
    return path


def _write_whole(path: Path, content: bytes) -> None:
    """Whoever looks sees the old file or the new one, also after a power cut."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
