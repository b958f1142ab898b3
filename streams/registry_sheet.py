"""A table of texts as XLSX, always the same bytes: a workbook and the zip around it both say when they were made."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from datetime import datetime

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

# What no cell may hold; openpyxl would refuse the whole table.
_ILLEGAL = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]")
_MODIFIED = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*(<)")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def sheet(table: Iterable[Sequence[str]], made_at: datetime) -> bytes:
    """One sheet. Every cell is text, and none a formula, whatever it begins with."""
    book = Workbook(write_only=True)
    page = book.create_sheet("Registry")
    for row in table:
        page.append([_cell(page, text) for text in row])
    written = io.BytesIO()
    book.save(written)
    return _timeless(written.getvalue(), f"{made_at:%Y-%m-%dT%H:%M:%SZ}".encode())


def _cell(page: object, text: str) -> object:
    cell = WriteOnlyCell(page, value=_ILLEGAL.sub(" ", text))
    cell.data_type = "s"  # openpyxl takes a text that begins with "=" for a formula
    return cell


def _timeless(made: bytes, moment: bytes) -> bytes:
    again = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(made)) as old, zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist()):
            content = old.read(name)
            if name == "docProps/core.xml":
                content = _MODIFIED.sub(rb"\g<1>" + moment + rb"\2", content)
            new.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
    return again.getvalue()
