"""What every kind of table file is to the one who reads it: a header, and rows of cells that are text or a fault."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from console.table_files.cells import BadCell


class RawRow(NamedTuple):
    """line: as a person counts. cells: in the file's order; a BadCell stands for one that cannot be used.

    fault: why the whole row cannot be used, or None.
    """

    line: int
    cells: Sequence[str | BadCell]
    fault: BadCell | None = None


class Source(Protocol):
    """An open file. `rows` yields all that is not blank, the header among it only if `header` did not take it."""

    # The most characters a column's name can have in this kind of file; 0: no bound of its own.
    longest_name: int
    # Whether a row must have as many cells as the header: spreadsheets and DBF pad, text does not.
    is_ragged_wrong: bool

    def header(self) -> Sequence[str]:
        """The names of the columns. Raises BadInput."""

    def rows(self) -> Iterator[RawRow]:
        """Once. Raises BadInput when the file breaks off or is no such file after all."""

    def close(self) -> None:
        """The file is let go."""
