"""A row of a table file, and what is wrong with one, said so that its owner can mend it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from console.errors import BadInput
from console.output import say

SHOWN = 20
_QUOTED = 60


class Row(NamedTuple):
    """line: as a person counts, from 1 with the header's; of a DBF the record's number. cells: text by column."""

    line: int
    cells: Mapping[str, str]


class LineError(NamedTuple):
    """column: "" when it is the whole row. todo: what its owner can do about it, or ""."""

    line: int
    column: str
    wrong: str
    todo: str = ""

    @property
    def words(self) -> str:
        """Without the line."""
        where = f"column {self.column}: " if self.column else ""
        return f"{where}{self.wrong}" + (f"; {self.todo}" if self.todo else "")

    def __str__(self) -> str:
        return f"line {self.line}{', ' if self.column else ': '}{self.words}"


@dataclass(slots=True)
class LineErrors:
    """All that is wrong with the rows of one file: every one counted, the first `most` kept.

    `most` bounds the memory a file of nothing but faults can take.
    """

    path: str
    most: int = 1_000
    count: int = 0
    kept: list[LineError] = field(default_factory=list)

    def add(self, line: int, column: str, wrong: str, todo: str = "") -> None:
        self.count += 1
        if len(self.kept) < self.most:
            self.kept.append(LineError(line, column, wrong, todo))

    def __bool__(self) -> bool:
        return self.count > 0

    def shown(self, most: int = SHOWN) -> list[str]:
        """A readable line each of the first ones, and one that says how many more there are."""
        said = [str(error) for error in self.kept[:most]]
        more = self.count - len(said)
        return [*said, f"and {more:,} more"] if more else said

    def take(self) -> list[LineError]:
        """Those kept since it was last called; they still count."""
        taken, self.kept = self.kept, []
        return taken

    def refuse(self, consequence: str) -> None:
        """Where there are any, print the first ones and raise BadInput. `consequence`: "nothing was loaded"."""
        if not self.count:
            return
        for line in self.shown():
            say(line)
        raise BadInput(f"{self.path} has {self.count:,} errors: {consequence}")


def quoted(text: str) -> str:
    """What stands in a cell, short enough for a message."""
    return repr(text if len(text) <= _QUOTED else text[:_QUOTED] + "…")
