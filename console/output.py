"""How commands print: tables for people, JSON lines for scripts, notes and errors on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from schemas.money import Money

# Wide enough that nothing is cut when the output goes to a file or a pipe.
_PIPE_WIDTH = 240


def out() -> Console:
    """Standard output as it is now (tests and pipes replace it)."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False, emoji=False)


def say(text: str) -> None:
    """One line, as it is: no markup, so an id in brackets stays what it is."""
    out().print(text, markup=False, soft_wrap=True)


def note(text: str) -> None:
    """Something worth knowing that is not the answer, on stderr."""
    print(f"kassa: note: {text}", file=sys.stderr)


def fail(text: str) -> None:
    """Why the command failed: one line on stderr."""
    print(f"kassa: {text}", file=sys.stderr)


def rows(columns: Sequence[str], lines: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """A table; `right` names the columns of numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for line in lines:
        table.add_row(*(_escaped(cell) for cell in line))
    console = out()
    with console.capture() as captured:
        console.print(table)
    sys.stdout.writelines(line.rstrip() + "\n" for line in captured.get().splitlines())


def listing(
    found: Iterable[object],
    as_json: bool,
    columns: Sequence[str],
    lines: Iterable[Sequence[object]],
    *,
    right: Sequence[str] = (),
) -> None:
    """What a list command found: one JSON object a record for scripts, or the table of its `lines` for people."""
    if not as_json:
        rows(columns, lines, right=right)
        return
    for one in found:
        json_line(one)


def pairs(facts: Mapping[str, object]) -> None:
    """One record: a name and its value a line."""
    width = max(map(len, facts))
    for name, value in facts.items():
        say(f"{name:<{width}}  {value}")


def json_line(record: Any) -> None:
    """One JSON object on one line of stdout."""
    sys.stdout.write(orjson.dumps(record, default=_plain).decode() + "\n")


def major(minor: int, currency: str) -> str:
    """Minor units as people write them: 95000 RUB -> "950.00"."""
    return str(Money(minor, currency))


def _plain(value: object) -> object:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)


def _escaped(cell: object) -> str:
    return ("" if cell is None else str(cell)).replace("[", "\\[")
