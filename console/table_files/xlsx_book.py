"""An XLSX workbook as a ZIP of XML: which sheet is shown first, its shared texts, and what styles show a number as.

Formulas, macros and links to other files are parts of a workbook that nothing here opens or evaluates. What unpacks to
more than the bounds is refused before it is unpacked.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO
from xml.etree.ElementTree import Element, ParseError
from xml.parsers import expat

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from console.errors import BadInput

MOST_SHEET_BYTES = 1 << 30
MOST_TEXT_BYTES = 1 << 28
_MOST_SMALL = 1 << 23
_LONGEST_FORMAT = 255  # in a spreadsheet; what is taken out of it is looked for from each character on
_CHUNK = 1 << 16
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_BUILT_IN_DAYS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
# What in a number format is text, a colour or a condition: no part of it is a day.
_NO_PICTURE = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.|_.')


# What damaged files make the standard library raise.
_NO_ZIP = (
    zipfile.BadZipFile,
    RuntimeError,
    ValueError,
    struct.error,
)  # RuntimeError: a password, an unknown compression
BROKEN = (*_NO_ZIP, zlib.error, expat.ExpatError, EOFError, OSError)


class Book:
    """An open workbook."""

    def __init__(self, path: Path) -> None:
        """Raises BadInput, OSError."""
        try:
            self._zip = zipfile.ZipFile(path)
        except _NO_ZIP:
            raise BadInput(
                "this is no XLSX: an old .xls or one with a password? Save it as .xlsx without one"
            ) from None
        try:
            self._read_parts()
        except BaseException:
            self._zip.close()
            raise

    def _read_parts(self) -> None:
        workbook = self._part("xl/workbook.xml")
        if workbook is None:
            raise BadInput("this is no XLSX: it has no workbook")
        sheet = next((one for one in _all(workbook, "sheet") if one.get("state", "visible") == "visible"), None)
        relations = self._part("xl/_rels/workbook.xml.rels")
        targets = {one.get("Id"): one.get("Target", "") for one in relations} if relations is not None else {}
        self.sheet = _inside(targets.get(sheet.get(_RELATION), "")) if sheet is not None else ""
        if self.sheet not in self._zip.namelist():
            raise BadInput("the workbook has no sheet")
        self.is_1904 = any(one.get("date1904") in ("1", "true") for one in _all(workbook, "workbookPr"))
        styles = self._part("xl/styles.xml")
        pictures = dict(_pictures(styles)) if styles is not None else {}
        self.day_styles = frozenset(style for style, picture in pictures.items() if set(picture) & set("dmyhs"))
        self.digits = {style: count for style, picture in pictures.items() if (count := _digits(picture)) > 1}
        self.texts = self._shared_texts()

    def open_sheet(self) -> IO[bytes]:
        """Raises BadInput when it unpacks to too much."""
        return self._open(self.sheet, MOST_SHEET_BYTES)

    def close(self) -> None:
        self._zip.close()

    def _part(self, name: str) -> Element | None:
        if name not in self._zip.namelist():
            return None
        try:
            with self._open(name, _MOST_SMALL) as file:
                return fromstring(file.read(), forbid_dtd=True)  # type: ignore[no-any-return]  # no types
        except (ParseError, DefusedXmlException, *BROKEN) as error:
            raise BadInput(f"{name} in the workbook is broken: {error}") from None

    def _open(self, name: str, most: int) -> IO[bytes]:
        if (size := self._zip.getinfo(name).file_size) > most:
            raise BadInput(f"{name} in the workbook unpacks to {size:,} bytes; at most {most:,} are read")
        try:
            return self._zip.open(name)
        except BROKEN as error:
            raise BadInput(f"{name} in the workbook cannot be unpacked: {error}") from None

    def _shared_texts(self) -> list[str]:
        name = "xl/sharedStrings.xml"
        if name not in self._zip.namelist():
            return []
        with self._open(name, MOST_TEXT_BYTES) as file:
            return list(_texts(file))


def a_parser() -> expat.XMLParserType:
    """One that refuses document types, and with them entities of every kind."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_dtd
    return parser


def fed(parser: expat.XMLParserType, file: IO[bytes], name: str) -> Iterator[None]:
    """Something to look at after each chunk. Raises BadInput."""
    try:
        while chunk := file.read(_CHUNK):
            parser.Parse(chunk)
            yield
        parser.Parse(b"", True)
    except BROKEN as error:
        raise BadInput(f"{name} in the workbook is broken: {error}") from None
    yield


@lru_cache(256)  # a sheet has a dozen names and millions of elements
def local(name: str) -> str:
    """The name without its namespace."""
    return name.rpartition(" ")[2]


def _refuse_dtd(*_: object) -> None:
    raise BadInput("the workbook's XML declares a document type: no spreadsheet program writes that")


def _texts(file: IO[bytes]) -> Iterator[str]:
    """Each shared text; its formatted runs joined, how it is pronounced left out."""
    parser, ready = a_parser(), list[str]()
    parts: list[str] = []
    spoken, take = 0, False

    def start(name: str, _: dict[str, str]) -> None:
        nonlocal spoken, take
        element = local(name)
        if element == "si":
            parts.clear()
        elif element == "rPh":
            spoken += 1
        take = element == "t" and not spoken

    def end(name: str) -> None:
        nonlocal spoken, take
        take = False
        element = local(name)
        if element == "si":
            ready.append("".join(parts))
        elif element == "rPh":
            spoken -= 1

    def chars(text: str) -> None:
        if take:
            parts.append(text)

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, chars
    for _ in fed(parser, file, "xl/sharedStrings.xml"):
        yield from ready
        ready.clear()


def _pictures(styles: Element) -> Iterator[tuple[str, str]]:
    """The style numbers, as cells write them, and their number formats without texts, in lower case."""
    own = {one.get("numFmtId"): one.get("formatCode", "")[:_LONGEST_FORMAT] for one in _all(styles, "numFmt")}
    formats = next(_all(styles, "cellXfs"), None)
    for place, one in enumerate(formats if formats is not None else ()):
        format_id = one.get("numFmtId", "0")
        is_day = format_id.isdigit() and int(format_id) in _BUILT_IN_DAYS
        yield str(place), _NO_PICTURE.sub("", own.get(format_id, "d" if is_day else "")).lower()


def _digits(picture: str) -> int:
    """How many digits a format shows before the point at least: zeros in front of a phone number or a PIN."""
    return re.split(r"[.;e]", picture, maxsplit=1)[0].count("0")


def _all(element: Element, name: str) -> Iterator[Element]:
    return (one for one in element.iter() if isinstance(one.tag, str) and one.tag.rpartition("}")[2] == name)


def _inside(target: str) -> str:
    """Where a relation points, as a name in the ZIP."""
    return target[1:] if target.startswith("/") else str(PurePosixPath("xl") / target)
