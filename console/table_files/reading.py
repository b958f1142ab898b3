"""Reading a table file, whichever kind it is: its name's ending says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from console.errors import BadInput
from console.table_files.cells import BadCell
from console.table_files.dbf_file import CODE_PAGES, DbfFile
from console.table_files.lines import LineErrors, Row, quoted
from console.table_files.names import Wanted, placed
from console.table_files.source import RawRow, Source
from console.table_files.text_file import ENCODINGS, TextFile
from console.table_files.xlsx_file import XlsxFile

MOST_BYTES = 1 << 29
MOST_ROWS = 1_048_576

KINDS = (".csv", ".tsv", ".txt", ".xlsx", ".dbf")


class Table:
    """The rows of one file, once and in order. `errors` grows while they are read; a bad row is in there alone.

    total: the cells of the last row when its first one is the wanted `total` ("Total:"), after the rows are read.
    places: where a row has its columns, from 0. count: rows read so far, bad ones too, without the totals.
    further: names of the columns nobody asked for, where they are kept.
    """

    def __init__(self, path: Path, source: Source, wanted: Wanted, header: bool, total: str, max_rows: int) -> None:
        self.errors = LineErrors(str(path))
        self.total: list[str] | None = None
        self.count = 0
        self._path, self._source, self._total, self._max_rows = path, source, total.casefold(), max_rows
        names = source.header() if header else wanted.columns
        self._width = len(names)
        places = placed(names, wanted, longest=source.longest_name)
        self.places = places
        self._places = list(places.items())
        self.further = [name for name in places if name not in wanted.names]
        self._absent = dict.fromkeys((name for name in wanted.optional if name not in places), "")

    def __iter__(self) -> Iterator[Row]:
        """Raises BadInput when the file as a whole cannot be used after all; the rows given stay true."""
        try:
            for raw in self._source.rows():
                if self.total is not None:
                    raise BadInput(f"line {raw.line} follows the line of totals, which must be the last")
                if self._total and self._is_total(raw):
                    self.total = [str(cell) for cell in raw.cells]
                    continue
                self.count += 1
                if self.count > self._max_rows:
                    raise BadInput(f"there are more than {self._max_rows:,} rows: split the file")
                row = self._row(raw)
                if row is not None:
                    yield row
        except BadInput as error:
            raise BadInput(f"{self._path}: {error}") from None
        finally:
            self._source.close()

    def _is_total(self, raw: RawRow) -> bool:
        first = next(iter(raw.cells), "")
        return isinstance(first, str) and first.casefold() == self._total

    def _row(self, raw: RawRow) -> Row | None:
        line, cells, fault = raw
        have = len(cells)
        if fault is None and (have > self._width or (have < self._width and self._source.is_ragged_wrong)):
            fault = BadCell(f"has {have} cells; {self._width} are wanted")
        if fault is not None:
            self.errors.add(line, "", fault.wrong, fault.todo)
            return None
        found = dict(self._absent)
        for name, place in self._places:
            cell = cells[place] if place < have else ""
            if isinstance(cell, BadCell):
                self.errors.add(line, name, cell.wrong, cell.todo)
                return None
            found[name] = cell
        return Row(line, found)


def read_table(
    path: Path,
    *,
    columns: Sequence[str],
    optional: Sequence[str] = (),
    further: bool | Literal["kept"] = False,
    header: bool = True,
    total: str = "",
    encoding: str | None = None,
    max_rows: int = MOST_ROWS,
) -> Table:
    """The file's table; reading its rows is up to the caller, who streams them.

    columns, optional: names in lower case; of a DBF the first ten letters count. further: whether columns that nobody
    asked for may be there; "kept": they are read too, under their own names. header: without one the columns are there
    in the order of `columns`. total: see Table.
    encoding: utf-8, cp1251 or cp866, for text (default UTF-8, with a mark or without) and for a DBF whose header does
    not say it.

    Text files separate by the header's semicolon, comma or tab; .tsv and .txt by tabs, without quotation marks.
    Raises BadInput in one readable line.
    """
    wanted = Wanted(columns, optional, bool(further), further == "kept")
    try:
        source = _opened(path, encoding)
        try:
            return Table(path, source, wanted, header, total, max_rows)
        except BaseException:
            source.close()
            raise
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None


def _opened(path: Path, encoding: str | None) -> Source:
    """Raises BadInput, OSError."""
    if encoding is not None and encoding not in (*ENCODINGS, *CODE_PAGES.values()):
        raise BadInput(f"encoding {quoted(encoding)} is not one of {', '.join(ENCODINGS)}")
    if not path.is_file():
        raise BadInput("there is no such file")
    if (size := path.stat().st_size) > MOST_BYTES:
        raise BadInput(f"has {size:,} bytes; at most {MOST_BYTES:,} are read: split the file")
    match path.suffix.lower():
        case ".csv":
            return TextFile(path, encoding, None, quotes=True)
        case ".tsv" | ".txt":
            return TextFile(path, encoding, "\t", quotes=False)
        case ".xlsx":
            return XlsxFile(path)
        case ".dbf":
            return DbfFile(path, encoding)
    raise BadInput(f"the kind of file is told by its name's ending, which must be one of {', '.join(KINDS)}")
