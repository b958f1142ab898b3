"""DBF as dBase, FoxPro and 1C write it: a header, then records of fixed width. Memo fields are not read.

Written here because a million records must be read in seconds; the library `dbf` takes 26 s for them, and tests hold
this reader against it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

from console.errors import BadInput
from console.table_files.cells import BadCell, checked, number
from console.table_files.source import RawRow

_KINDS = {0x02, 0x03, 0x04, 0x05, 0x30, 0x31, 0x32, 0x43, 0x63, 0x83, 0x8B, 0x8E, 0xCB, 0xF5, 0xFB}
# Byte 29 of the header. 0x57 is "ANSI", whichever that is on the machine: it must be named.
CODE_PAGES = {
    0x01: "cp437",
    0x02: "cp850",
    0x03: "cp1252",
    0x26: "cp866",
    0x65: "cp866",
    0xC9: "cp1251",
    0xC8: "cp1250",
}
_HEAD = struct.Struct("<B3xLHH17xB2x")
_FIELD = struct.Struct("<11sc4xBB14x")
_BATCH = 2_000
_PLAIN = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
# Day 2440588 of the Julian calendar is 1 January 1970.
_JULIAN = date(1970, 1, 1).toordinal() - 2_440_588


class _Field(NamedTuple):
    name: str
    kind: str
    start: int
    end: int
    read: Callable[[bytes], str | BadCell]


class DbfFile:
    """The code page is the header's; a file that names none is ASCII, or `encoding` says what it is."""

    longest_name = 10
    is_ragged_wrong = False

    def __init__(self, path: Path, encoding: str | None) -> None:
        """Raises BadInput, OSError."""
        self._file = path.open("rb")
        try:
            self._open(path.stat().st_size, encoding)
        except BaseException:
            self._file.close()
            raise

    def _open(self, size: int, encoding: str | None) -> None:
        head = self._file.read(_HEAD.size)
        if len(head) < _HEAD.size or head[0] not in _KINDS:
            raise BadInput("this is no DBF file")
        _, self._count, self._begins, self._width, page = _HEAD.unpack(head)
        self._encoding = encoding or CODE_PAGES.get(page, "ascii")
        self._fields = list(self._described())
        if self._begins + self._count * self._width > size:
            raise BadInput(f"the file breaks off: its header counts {self._count:,} records, fewer are there")

    def _described(self) -> Iterator[_Field]:
        start = 1  # the first byte of a record says whether it is deleted
        while (one := self._file.read(_FIELD.size))[:1] not in (b"\r", b""):
            if len(one) < _FIELD.size or self._file.tell() > self._begins:
                break
            raw, kind, length, decimals = _FIELD.unpack(one)
            name = raw.partition(b"\0")[0].decode("ascii", "replace").strip()
            if kind == b"C":
                length += decimals << 8  # long texts, as FoxPro has them
            letter = kind.decode("ascii", "replace")
            if letter != "0":  # FoxPro's own, of which values are empty
                yield _Field(name, letter, start, start + length, self._reader(letter))
            start += length
        if start != self._width or start == 1:
            raise BadInput(f"the header describes records of {start} bytes and says they have {self._width}")

    def _reader(self, kind: str) -> Callable[[bytes], str | BadCell]:
        return partial(_text, self._encoding) if kind == "C" else _READERS.get(kind, partial(_unread, kind))

    def header(self) -> Sequence[str]:
        return [field.name for field in self._fields]

    def rows(self) -> Iterator[RawRow]:
        """Deleted records are passed over; they count."""
        file, width = self._file, self._width
        parts = [(field.start, field.end, field.read) for field in self._fields]
        file.seek(self._begins)
        line = 0
        while line < self._count:
            batch = file.read(width * min(_BATCH, self._count - line))
            for at in range(0, len(batch), width):
                line += 1
                record = batch[at : at + width]
                if record[0] == 0x2A:
                    continue
                cells = [read(record[start:end]) for start, end, read in parts]
                if any(cells):
                    yield RawRow(line, cells)

    def close(self) -> None:
        self._file.close()


def _text(encoding: str, raw: bytes) -> str | BadCell:
    try:
        return checked(raw.rstrip(b" \0").decode(encoding))
    except UnicodeDecodeError:
        todo = "name its encoding: cp866 or cp1251" if encoding == "ascii" else ""
        return BadCell(f"is not {encoding.upper()}", todo)
    except BadCell as bad:
        return bad


def _number(raw: bytes) -> str | BadCell:
    text = raw.strip(b" \0").decode("ascii", "replace")
    if text.isdigit():
        return text
    if not text:
        return ""
    if "*" in text:
        return BadCell("is a number that did not fit its field")
    if _PLAIN.fullmatch(text):
        return text
    try:
        return number(text)
    except BadCell as bad:
        return bad


def _day(raw: bytes) -> str | BadCell:
    text = raw.strip(b" \0").decode("ascii", "replace")
    if not text or text == "00000000":
        return ""
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:])).isoformat()
    except ValueError:
        return BadCell(f"{text!r} is not a day")


def _moment(raw: bytes) -> str | BadCell:
    """A Julian day and the milliseconds of it."""
    try:
        day, ms = struct.unpack("<ll", raw)
        if not day:
            return ""
        clock = timedelta(seconds=ms // 1_000)
        return f"{date.fromordinal(day + _JULIAN).isoformat()} {str(clock).rjust(8, '0')}"
    except (struct.error, ValueError, OverflowError):
        return BadCell("is not a moment")


def _logical(raw: bytes) -> str | BadCell:
    return {b"T": "true", b"Y": "true", b"F": "false", b"N": "false"}.get(raw.upper(), "")


def _whole(raw: bytes) -> str | BadCell:
    return str(int.from_bytes(raw, "little", signed=True))


def _currency(raw: bytes) -> str | BadCell:
    """Ten-thousandths."""
    value = int.from_bytes(raw, "little", signed=True)
    whole, part = divmod(abs(value), 10_000)
    text = f"{'-' if value < 0 else ''}{whole}.{part:04}"
    return text.rstrip("0").rstrip(".")


def _unread(kind: str, raw: bytes) -> str | BadCell:
    if not raw.strip(b" \0"):
        return ""
    return BadCell(f"is of kind {kind}, which is not read", "export the table with texts, numbers and days only")


_READERS: dict[str, Callable[[bytes], str | BadCell]] = {
    "N": _number, "F": _number, "D": _day, "T": _moment, "L": _logical, "I": _whole, "Y": _currency,
}  # fmt: skip
