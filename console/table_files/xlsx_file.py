"""The first sheet of an XLSX, streamed: a million rows take the memory of a few.

Read with expat instead of a spreadsheet library for what those hide: a formula is seen (and refused, for its stored
value may be of yesterday), a number is the text in the file and not a float, and nothing of the file's choice is
allocated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, DecimalException
from pathlib import Path

from console.errors import BadInput
from console.table_files.cells import LONGEST, BadCell, checked, in_digits, number
from console.table_files.names import MOST_COLUMNS
from console.table_files.source import RawRow
from console.table_files.xlsx_book import Book, a_parser, fed, local

_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_LAST_ROW = 1_048_576
_FORMULA = BadCell("is a formula", "save the values, not the formulas")


class XlsxFile:
    """The first row that is not blank is the header."""

    longest_name = 0
    is_ragged_wrong = False

    def __init__(self, path: Path) -> None:
        """Raises BadInput, OSError."""
        self._book = Book(path)
        self._rows = _Sheet(self._book).rows()

    def header(self) -> Sequence[str]:
        first = next(self._rows, None)
        if first is None:
            return []
        if first.fault is not None or any(isinstance(cell, BadCell) for cell in first.cells):
            raise BadInput(f"line {first.line}, the header, has a cell that is no plain text")
        return [str(cell) for cell in first.cells]

    def rows(self) -> Iterator[RawRow]:
        return self._rows

    def close(self) -> None:
        self._book.close()


class _Sheet:
    """The handlers of one pass over a sheet."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._ready: list[RawRow] = []
        self._line = 0
        self._cells: list[str | BadCell] = []
        self._fault: BadCell | None = None
        self._column = -1
        self._kind = self._style = ""
        self._text: list[str] = []
        self._length = 0
        self._take = self._formula = self._spoken = False

    def rows(self) -> Iterator[RawRow]:
        parser = a_parser()
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._chars
        with self._book.open_sheet() as file:
            for _ in fed(parser, file, self._book.sheet):
                yield from self._ready
                self._ready.clear()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        element = local(name)
        if element == "c":
            self._begin_cell(attributes)
        elif element in ("v", "t"):
            self._take = not self._spoken
        elif element == "f":
            self._formula = True
        elif element == "rPh":  # how a text is pronounced
            self._spoken = True
        elif element == "row":
            self._begin_row(attributes)

    def _begin_row(self, attributes: dict[str, str]) -> None:
        given = attributes.get("r", "")
        line = int(given) if given.isdigit() and len(given) <= 7 else self._line + 1
        if not self._line < line <= _LAST_ROW:
            raise BadInput(f"row {given or line} of the sheet follows row {self._line}")
        self._line, self._cells, self._fault, self._column = line, [], None, -1

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "0")
        self._text, self._length, self._formula = [], 0, False
        match = _REFERENCE.fullmatch(attributes.get("r", ""))
        self._column = _place(match[1]) if match else self._column + 1

    def _chars(self, text: str) -> None:
        if self._take and self._length <= 2 * LONGEST:
            self._text.append(text)
            self._length += len(text)

    def _end(self, name: str) -> None:
        element = local(name)
        if element in ("v", "t"):
            self._take = False
        elif element == "rPh":
            self._spoken = False
        elif element == "c":
            self._end_cell()
        elif element == "row" and (self._fault is not None or any(self._cells)):
            self._ready.append(RawRow(self._line, self._cells, self._fault))

    def _end_cell(self) -> None:
        value = self._value()
        if value == "":
            return
        if self._column >= MOST_COLUMNS:
            self._fault = BadCell(f"has a cell beyond column {MOST_COLUMNS}", "delete it")
            return
        cells = self._cells
        if self._column < len(cells):
            self._fault = BadCell("has two cells in one place")
            return
        cells.extend([""] * (self._column - len(cells)))
        cells.append(value)

    def _value(self) -> str | BadCell:
        text = "".join(self._text)
        if self._formula:
            return _FORMULA
        try:
            return self._of_kind(text)
        except BadCell as bad:
            return bad

    def _of_kind(self, text: str) -> str:
        """Raises BadCell."""
        if self._kind in ("inlineStr", "str", "d"):
            return checked(text)
        if self._kind == "s":
            place = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
            if not 0 <= place < len(self._book.texts):
                raise BadCell("refers to a text that is not in the workbook")
            return checked(self._book.texts[place])
        if not text.strip():
            return ""
        if self._kind == "b":
            return "true" if text.strip() == "1" else "false"
        if self._kind == "e":
            raise BadCell(f"has the error {text[:20]}", "mend it")
        if self._style in self._book.day_styles:
            return _moment(text, self._book.is_1904)
        plain = number(text.strip())
        return in_digits(plain, self._book.digits[self._style]) if self._style in self._book.digits else plain


def _place(letters: str) -> int:
    """ "A" → 0, "AA" → 26."""
    place = 0
    for letter in letters:
        place = place * 26 + ord(letter) - 64
    return place - 1


def _moment(text: str, is_1904: bool) -> str:
    """A spreadsheet's day, or day and time to the second; of a time without a day, the time. Raises BadCell.

    Days are counted from 30 December 1899, which is right from 1 March 1900 on, or from 1 January 1904.
    """
    try:
        count = Decimal(text)
    except DecimalException:
        count = Decimal("NaN")
    if not count.is_finite() or count.adjusted() > 6:
        raise BadCell(f"{text[:40]!r} is not a day")
    seconds = int((count * 86_400).to_integral_value())
    days, rest = divmod(seconds, 86_400)
    first = datetime(1904, 1, 1, tzinfo=UTC) if is_1904 else datetime(1899, 12, 30, tzinfo=UTC)
    if not (days == 0 and rest) and not 60 < days + (1462 if is_1904 else 0) < 2_958_466:
        raise BadCell(f"{text[:40]!r} is not a day of 1900 to 9999")
    moment = first + timedelta(days=days, seconds=rest)
    if not days:
        return f"{moment:%H:%M:%S}"
    return f"{moment:%Y-%m-%d %H:%M:%S}" if rest else f"{moment:%Y-%m-%d}"
