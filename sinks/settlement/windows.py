"""Closed settlement windows as the warehouse has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from schemas.ids import ms_instant
from schemas.window import WindowPosition
from sinks.errors import SinkError
from sinks.warehouse import rows


class SettlementError(SinkError):
    """It cannot be made; the text says why."""


class NotClosed(SettlementError):
    """There is no such window, or it is still open."""


@dataclass(frozen=True, slots=True)
class ClosedWindow:
    """payee "": the tree's window. Entries are the book's, from `first_entry` to `last_entry`, the closing one.

    opened_at None: the first window; due_at None: it was closed by hand. partition, offset: of the closing entry.
    """

    tree: str
    payee: str
    number: int
    opened_at: datetime | None
    closed_at: datetime
    due_at: datetime | None
    first_entry: int
    last_entry: int
    closed_by: str
    partition: int
    offset: int

    @property
    def subject(self) -> str:
        return f"payee {self.payee} in tree {self.tree}" if self.payee else f"tree {self.tree}"


_WINDOWS = """
SELECT
    tree, payee, window_no, toUnixTimestamp64Milli(opened_at), toUnixTimestamp64Milli(closed_at),
    toUnixTimestamp64Milli(due_at), first_entry, last_entry, closed_by, partition, offset
FROM windows
WHERE ({tree:String} = '' OR tree = {tree:String}) AND ({any_payee:UInt8} OR payee = {payee:String})
ORDER BY tree, payee, window_no
"""

_POSITIONS = """
SELECT account, currency, opening, closing, first_leg, last_leg, settled
FROM window_positions
WHERE partition = {partition:UInt16} AND offset = {offset:Int64}
ORDER BY account, currency
"""


def closed_windows(client: Client, tree: str = "", payee: str | None = None) -> list[ClosedWindow]:
    """All, of a tree, or of one subject in it (payee "": the tree itself), oldest first. Raises WarehouseAway."""
    asked = {"tree": tree, "payee": payee or "", "any_payee": int(payee is None)}
    return [_window(row) for row in rows(client, _WINDOWS, asked)]


def find_window(client: Client, tree: str, payee: str, number: int) -> ClosedWindow:
    """Raises NotClosed, WarehouseAway."""
    found = closed_windows(client, tree, payee)
    for window in found:
        if window.number == number:
            return window
    whose = f"payee {payee} in tree {tree}" if payee else f"tree {tree}"
    closed = f"{found[-1].number} is the last that is closed" if found else "none was closed yet"
    raise NotClosed(f"window {number} of {whose} is not closed: {closed}")


def positions_of(client: Client, window: ClosedWindow) -> list[WindowPosition]:
    """What the closing fixed, in order of account and currency; minor units. Raises WarehouseAway."""
    found = rows(client, _POSITIONS, {"partition": window.partition, "offset": window.offset})
    return [WindowPosition(*row) for row in found]


def _window(row: Sequence[Any]) -> ClosedWindow:
    tree, payee, number, opened, closed, due, *rest = row
    return ClosedWindow(tree, payee, number, _moment(opened), ms_instant(closed), _moment(due), *rest)


def _moment(at: int) -> datetime | None:
    return ms_instant(at) if at else None
