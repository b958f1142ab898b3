"""Rows of a payee's file as subscribers: each judged by itself, and what is wrong with one told by line and column."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from console.errors import BadInput
from console.table_files.lines import Row
from console.table_files.reading import Table
from schemas.money import MAX_MINOR, Money, MoneyError
from schemas.payee import Payee
from schemas.tracking import MAX_DENOMINATIONS, MAX_LABEL, MAX_SHOWN, MAX_TEXT

NUMBER, NAME, DEBT, DENOMINATIONS = "number", "name", "debt", "denominations"
OPTIONAL = (NAME, DEBT, DENOMINATIONS)

_LONGEST_AMOUNT = 20
_BETWEEN = re.compile(r"[\s/|]+")


class _Wrong(Exception):
    """(column, what is wrong, what to do)."""


class SubscriberRows:
    """Iterating gives each good row as one line of JSON; a bad one is in the table's errors alone.

    names: of the file's columns, by what they hold; the others are shown to payers under their own names.
    """

    def __init__(self, table: Table, payee: Payee, names: Mapping[str, str]) -> None:
        self._table = table
        self._currency = payee.currency
        self._pattern = re.compile(payee.fields[0].pattern, re.ASCII)
        self._names = {what: names.get(what, what) for what in (NUMBER, *OPTIONAL)}
        self._lines: dict[str, int] = {}

    def __iter__(self) -> Iterator[bytes]:
        """Raises BadInput when the file as a whole cannot be used."""
        for row in self._table:
            try:
                yield orjson.dumps(self._subscriber(row))
            except _Wrong as error:
                column, wrong, todo = error.args
                self._table.errors.add(row.line, column, wrong, todo)

    def _subscriber(self, row: Row) -> dict[str, Any]:
        """What schemas.subscribers.SubscriberRow is, without what is not given."""
        cells, names = dict(row.cells), self._names
        found: dict[str, Any] = {NUMBER: self._number(cells.pop(names[NUMBER]), row.line)}
        if name := cells.pop(names[NAME], ""):
            found[NAME] = _text(name, names[NAME])
        if debt := cells.pop(names[DEBT], ""):
            found[DEBT] = self._amount(debt, names[DEBT])
        if fixed := cells.pop(names[DENOMINATIONS], ""):
            found[DENOMINATIONS] = self._denominations(fixed, names[DENOMINATIONS])
        if shown := [{"name": label.capitalize(), "text": _text(text, label)} for label, text in cells.items() if text]:
            found["shown"] = shown
        return found

    def _number(self, text: str, line: int) -> str:
        column = self._names[NUMBER]
        if self._pattern.fullmatch(text) is None:
            wrong = "does not have the payee's format" if text else "is empty"
            raise _Wrong(column, wrong, f"the payee's field wants {self._pattern.pattern}")
        first = self._lines.setdefault(text, line)
        if first != line:
            raise _Wrong(column, f"is the number of line {first} too", "keep one of them")
        return text

    def _amount(self, text: str, column: str) -> int:
        """Minor units; below zero: paid in advance. A decimal comma is as good as a dot."""
        if len(text) <= _LONGEST_AMOUNT:
            try:
                minor = Money.parse(text.removeprefix("-").replace(",", ".", 1), self._currency).minor
            except MoneyError:
                minor = MAX_MINOR + 1
            if minor <= MAX_MINOR:
                return -minor if text.startswith("-") else minor
        raise _Wrong(column, f"is no amount in {self._currency}", "write it as 1234.50, without spaces")

    def _denominations(self, text: str, column: str) -> list[int]:
        found = [self._amount(one, column) for one in _BETWEEN.split(text.strip())]
        if len(found) > MAX_DENOMINATIONS or min(found) < 1:
            raise _Wrong(column, f"has amounts that are none, or more than {MAX_DENOMINATIONS}", "")
        return found


def check_columns(further: list[str]) -> None:
    """Raises BadInput where more columns would be shown to payers than can be."""
    if len(further) > MAX_SHOWN:
        raise BadInput(f"{len(further)} columns would be shown to payers; at most {MAX_SHOWN} are: take some out")
    if long := [name for name in further if len(name) > MAX_LABEL]:
        raise BadInput(f"column {long[0][:20]!r}… has a name of more than {MAX_LABEL} characters")


def _text(text: str, column: str) -> str:
    if len(text) > MAX_TEXT:
        raise _Wrong(column, f"has {len(text)} characters; at most {MAX_TEXT} are shown", "shorten it")
    if not text.isprintable():
        raise _Wrong(column, "has characters that cannot be shown", "type the cell anew")
    return text
