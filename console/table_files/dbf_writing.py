"""A DBF of texts, numbers and days, as dBase III has it: what accounting programs of this field import."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import BinaryIO, NamedTuple

from console.errors import BadInput

Value = str | int | Decimal | date

_PAGES = {"cp866": 0x65, "cp1251": 0xC9}
_WIDEST = {"C": 254, "N": 20, "D": 8}
_HEAD = struct.Struct("<BBBBLHH17xB2x")
_FIELD = struct.Struct("<11sc4xBB14x")


class _Column(NamedTuple):
    name: bytes
    kind: str
    width: int
    places: int


def write_dbf(file: BinaryIO, header: Sequence[str], rows: Iterator[list[Value]], encoding: str | None) -> None:
    """A column of numbers alone is N, of days alone D, else C; as wide as its widest.

    Raises BadInput, UnicodeEncodeError.
    """
    encoding = encoding or "cp866"
    if encoding not in _PAGES:
        raise BadInput(f"a DBF is written in {' or '.join(_PAGES)}, not in {encoding}")
    names = _names(header)
    taken = [[_cell(value, encoding) for value in row] for row in rows]
    columns = [_column(name, [row[place] for row in taken]) for place, name in enumerate(names)]
    begins = _HEAD.size + _FIELD.size * len(columns) + 1
    width = 1 + sum(column.width for column in columns)
    # The day of the last change is left empty: the same rows make the same file.
    file.write(_HEAD.pack(3, 0, 1, 1, len(taken), begins, width, _PAGES[encoding]))
    for column in columns:
        file.write(_FIELD.pack(column.name, column.kind.encode(), column.width, column.places))
    file.write(b"\r")
    for row in taken:
        file.write(b" " + b"".join(map(_padded, row, columns)))
    file.write(b"\x1a")


class _Cell(NamedTuple):
    kind: str
    text: bytes
    places: int = 0


def _cell(value: Value, encoding: str) -> _Cell:
    if isinstance(value, date):
        return _Cell("D", f"{value:%Y%m%d}".encode())
    if isinstance(value, str):
        return _Cell("C" if value else "", value.encode(encoding))
    text = format(value, "f")
    return _Cell("N", text.encode(), len(text.partition(".")[2]))


def _column(name: bytes, cells: Sequence[_Cell]) -> _Column:
    """Raises BadInput for what no field can hold."""
    kinds = {cell.kind for cell in cells if cell.kind}
    kind = kinds.pop() if len(kinds) == 1 else "C"
    places = max((cell.places for cell in cells), default=0) if kind == "N" else 0
    width = max((len(_with_places(cell, places).text) for cell in cells), default=1)
    if width > _WIDEST[kind]:
        raise BadInput(f"column {name.decode()} has a value of {width} bytes; a DBF holds {_WIDEST[kind]}")
    return _Column(name, kind, 8 if kind == "D" else max(width, 1), places)


def _padded(cell: _Cell, column: _Column) -> bytes:
    if column.kind == "N":
        return _with_places(cell, column.places).text.rjust(column.width)
    return cell.text.ljust(column.width)


def _with_places(cell: _Cell, places: int) -> _Cell:
    """A number with as many decimals as its whole column."""
    if cell.kind != "N" or cell.places == places:
        return cell
    dot = b"" if cell.places else b"."
    return cell._replace(text=cell.text + dot + b"0" * (places - cell.places), places=places)


def _names(header: Sequence[str]) -> list[bytes]:
    """Raises BadInput when they are the same within ten letters, or no ASCII."""
    names = [name.upper()[:10] for name in header]
    if len(set(names)) != len(names) or not all(name and name.isascii() for name in names):
        raise BadInput(f"a DBF's columns need different names of ten Latin letters: {', '.join(header)}")
    return [name.encode() for name in names]
