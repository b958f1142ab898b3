"""Rows as CSV for spreadsheets and banks: UTF-8, `;`, CRLF (RFC 4180), and no cell of text that is a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from schemas.money import Money
from streams.spreadsheet import plain


def semicolons(columns: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """Money and whole numbers stay what they are, also below zero; all else is text."""
    return "".join((line_of(columns), *map(line_of, lines)))


def line_of(values: Sequence[object]) -> str:
    """One line of such a table, with its end."""
    table = io.StringIO(newline="")
    csv.writer(table, delimiter=";", lineterminator="\r\n").writerow([_cell(value) for value in values])
    return table.getvalue()


def _cell(value: object) -> str:
    return str(value) if isinstance(value, Money | int) else plain(str(value))
