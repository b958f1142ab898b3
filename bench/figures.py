"""Figures: a name, a number, its unit, and how it was measured; printed as a table and kept as JSON."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from console.output import rows, say


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    value: float
    unit: str
    how: str


def report(figures: list[Figure], directory: Path) -> Path:
    """Print the table and write it to `directory`; returns the file."""
    lines = [
        (one.name, f"{one.value:,.0f}" if one.value >= 10 else f"{one.value:.2f}", one.unit, one.how) for one in figures
    ]
    rows(("figure", "value", "unit", "how"), lines, right=("value",))
    directory.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    path = directory / f"{now:%Y%m%dT%H%M%SZ}.json"
    machine = {"cores": os.cpu_count(), "load_before": os.getloadavg(), "python": platform.python_version()}
    path.write_bytes(orjson.dumps({"at": now, "machine": machine, "figures": [asdict(one) for one in figures]}))
    say(f"written to {path}")
    return path
