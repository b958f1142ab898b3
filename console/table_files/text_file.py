"""CSV and TSV. All of a file is looked through before its first row is given: what is no text is refused at once."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from console.errors import BadInput
from console.table_files.cells import BadCell, checked, unguarded
from console.table_files.source import RawRow

ENCODINGS = ("utf-8", "cp1251", "cp866")

_CHUNK = 1 << 20
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class TextFile:
    """delimiter: None finds the header's, of semicolon, comma and tab. quotes: whether `"` may hold a delimiter."""

    longest_name = 0
    is_ragged_wrong = True

    def __init__(self, path: Path, encoding: str | None, delimiter: str | None, *, quotes: bool) -> None:
        """Raises BadInput, OSError."""
        _look_through(path, encoding or "utf-8")
        codec = "utf-8-sig" if (encoding or "utf-8") == "utf-8" else encoding
        self._file = path.open(encoding=codec, newline="")
        first = self._file.readline(1 << 16)
        self._file.seek(0)
        self._reader = csv.reader(
            self._file,
            delimiter=delimiter or max(";,\t", key=first.count),
            quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE,
            strict=True,
        )

    def header(self) -> Sequence[str]:
        try:
            return next(self._reader, [])
        except csv.Error as error:
            raise BadInput(f"line 1, the header: {_in_words(error)}") from None

    def rows(self) -> Iterator[RawRow]:
        """A row that cannot be parsed is a fault of its own line; the next line is read on."""
        reader = self._reader
        while True:
            line = reader.line_num + 1  # where the row begins: a quoted cell may take several lines
            try:
                cells = next(reader, None)
            except csv.Error as error:
                through = f" (through line {reader.line_num})" if reader.line_num > line else ""
                yield RawRow(line, (), BadCell(_in_words(error) + through))
                continue
            if cells is None:
                return
            if any(cell and not cell.isspace() for cell in cells):
                yield RawRow(line, [_text(cell) for cell in cells])

    def close(self) -> None:
        self._file.close()


def _text(cell: str) -> str | BadCell:
    try:
        text = checked(cell)
    except BadCell as bad:
        return bad
    if text.startswith("="):
        return BadCell("is a formula", "save the values, not the formulas")
    return unguarded(text)


def _in_words(error: csv.Error) -> str:
    """What Python's reader says, as the file's owner would."""
    said = str(error)
    if "unexpected end" in said or "field larger" in said:
        return "a quotation mark is opened and not closed"
    if "expected after" in said:
        return 'a quotation mark stands within a quoted cell; inside of one it is written twice: ""'
    return said


def _look_through(path: Path, encoding: str) -> None:
    """Raises BadInput with the line of the first byte that is not text of this encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if line == 1 and chunk.startswith(_WIDE):
                raise BadInput("the file is UTF-16: save it as CSV UTF-8")
            try:
                text = decoder.decode(chunk)
            except UnicodeDecodeError as error:
                line += error.object[: error.start].count(b"\n")
                raise BadInput(f"line {line} is not {encoding.upper()}{_other(encoding)}") from None
            if "\0" in text:
                line += text[: text.index("\0")].count("\n")
                raise BadInput(f"line {line} has a zero byte: this is no text file")
            line += chunk.count(b"\n")
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise BadInput(f"line {line}, the last, breaks off within a character") from None


def _other(encoding: str) -> str:
    others = [name for name in ENCODINGS if name != encoding]
    return f": save it as UTF-8, or name its encoding ({' or '.join(others)})" if encoding == "utf-8" else ""
