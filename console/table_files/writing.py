"""Writing a table file for people: whole or not at all, nothing in it a formula, numbers as numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Literal

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from console.errors import BadInput
from console.table_files.cells import CONTROLS, guarded
from console.table_files.dbf_writing import Value, write_dbf
from schemas.money import Money
from sinks.whole_file import whole_file

Format = Literal["csv", "xlsx", "dbf"]
Cell = Value | Money | None

_XLSX_ROWS = 1_048_576


def write_table(
    path: Path, format: Format, header: Sequence[str], rows: Iterable[Sequence[Cell]], *, encoding: str | None = None
) -> int:
    """How many rows were written. A file of that name is replaced in one step; when `rows` raises, nothing has changed.

    Money is written in major units. csv: UTF-8, `;`, CRLF. xlsx: one sheet. dbf: names of ten letters, texts of 254
    bytes; its rows are held in memory. encoding: of csv (default utf-8) and of dbf (default cp866). Raises BadInput for
    what the format cannot hold, OSError.
    """
    counted = _Counted(rows)
    try:
        with whole_file(path) as file:
            _WRITERS[format](file, header, iter(counted), encoding)
    except UnicodeEncodeError as error:
        text = error.object[error.start : error.end]
        raise BadInput(f"row {counted.count} of {path}: {text!r} cannot be written in {error.encoding}") from None
    return counted.count


class _Counted:
    def __init__(self, rows: Iterable[Sequence[Cell]]) -> None:
        self.count = 0
        self._rows = rows

    def __iter__(self) -> Iterator[list[Value]]:
        for row in self._rows:
            self.count += 1
            yield [_value(cell) for cell in row]


def _value(cell: Cell) -> Value:
    if cell is None:
        return ""
    if isinstance(cell, Money):
        return Decimal(str(cell))
    return CONTROLS.sub(" ", cell) if isinstance(cell, str) else cell


def _write_csv(file: BinaryIO, header: Sequence[str], rows: Iterator[list[Value]], encoding: str | None) -> None:
    text = io.TextIOWrapper(file, encoding=encoding or "utf-8", newline="", write_through=False)
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([guarded(cell) if isinstance(cell, str) else _figure(cell) for cell in row] for row in rows)
    text.flush()
    text.detach()


def _figure(cell: int | Decimal | date) -> str:
    return cell.isoformat() if isinstance(cell, date) else format(cell, "f") if isinstance(cell, Decimal) else str(cell)


def _write_xlsx(file: BinaryIO, header: Sequence[str], rows: Iterator[list[Value]], encoding: str | None) -> None:
    """Raises BadInput for more rows than a sheet has."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("1")
    sheet.append([_text_cell(sheet, name) for name in header])
    for count, row in enumerate(rows, 2):
        if count > _XLSX_ROWS:
            raise BadInput(f"a sheet has {_XLSX_ROWS:,} rows at most: write another format")
        sheet.append([_text_cell(sheet, cell) if isinstance(cell, str) else cell for cell in row])
    book.save(file)


def _text_cell(sheet: Any, text: str) -> Any:
    """A text that stays one, whatever it begins with."""
    if not text.startswith("="):
        return text
    cell = WriteOnlyCell(sheet, "")
    cell.value, cell.data_type = text, "s"
    return cell


_WRITERS: dict[Format, Callable[[BinaryIO, Sequence[str], Iterator[list[Value]], str | None], None]] = {
    "csv": _write_csv,
    "xlsx": _write_xlsx,
    "dbf": write_dbf,
}
