"""The entries of a closed window that moved money, with their legs, from the warehouse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import orjson
from clickhouse_connect.driver.client import Client

from schemas.entry import EntryKind
from sinks.postings.purposes import TAKES_BACK
from sinks.settlement.windows import ClosedWindow
from sinks.warehouse import rows, translated


@dataclass(frozen=True, slots=True)
class PostedLeg:
    """A leg as it stands on the ledger; minor units, credit positive. seq: its number in its account."""

    account: str
    currency: str
    amount: int
    seq: int


@dataclass(frozen=True, slots=True)
class PostedEntry:
    """seq: its number in the tree's book. at: ms UTC. payment, payee, document: "" where there is none.

    settled: the payee's window that it closed, number and payee. takes_back: the entry whose effect it undoes, 0: none.
    """

    seq: int
    at: int
    kind: EntryKind
    cause: str
    payment: str
    payee: str
    document: str
    settled: tuple[int, str] | None
    takes_back: int
    legs: tuple[PostedLeg, ...]


_SPAN = """
SELECT min(offset), max(offset) FROM entries FINAL
WHERE partition = {partition:UInt16} AND book = {tree:String} AND entry_seq BETWEEN {first:Int64} AND {last:Int64}
"""

_LEGS = """
SELECT
    of.entry_seq, toUnixTimestamp64Milli(of.at), of.kind, of.cause_id, of.payment_id, of.payee, of.document,
    of.closed_window, one.account, one.currency, one.amount, one.seq
FROM
(
    SELECT offset, leg_no, account, currency, amount, seq
    FROM legs FINAL
    WHERE partition = {partition:UInt16} AND offset BETWEEN {from:Int64} AND {till:Int64} AND book = {tree:String}
) AS one
INNER JOIN
(
    SELECT offset, entry_seq, at, kind, cause_id, payment_id, payee, document, closed_window
    FROM entries FINAL
    WHERE partition = {partition:UInt16} AND offset BETWEEN {from:Int64} AND {till:Int64} AND book = {tree:String}
) AS of ON of.offset = one.offset
ORDER BY of.entry_seq, one.leg_no
"""

_TAKEN_BACK = """
SELECT payment_id, kind, max(entry_seq) FROM entries FINAL
WHERE partition = {partition:UInt16} AND book = {tree:String} AND entry_seq <= {last:Int64}
    AND kind IN {taken:Array(String)} AND payment_id IN
    (
        SELECT payment_id FROM entries
        WHERE partition = {partition:UInt16} AND book = {tree:String}
            AND entry_seq BETWEEN {first:Int64} AND {last:Int64} AND kind IN {takes:Array(String)}
    )
GROUP BY payment_id, kind
"""


def entries_of(client: Client, window: ClosedWindow) -> Iterator[PostedEntry]:
    """In their order; those that moved nothing are left out. Raises WarehouseAway, WarehouseRefused."""
    asked: dict[str, Any] = {
        "partition": window.partition,
        "tree": window.tree,
        "first": window.first_entry,
        "last": window.last_entry,
    }
    ((first, last),) = rows(client, _SPAN, asked)
    taken = _taken_back(client, asked)
    asked |= {"from": first, "till": last}
    with translated(), client.query_row_block_stream(_LEGS, asked) as blocks:
        lines = (row for block in blocks for row in block)
        for _, legs in groupby(lines, key=lambda row: row[0]):
            yield _entry(list(legs), taken)


def _taken_back(client: Client, asked: dict[str, Any]) -> dict[tuple[str, str], int]:
    """(payment, kind) -> its entry of that kind."""
    kinds = {"taken": [kind.value for kind in TAKES_BACK.values()], "takes": [kind.value for kind in TAKES_BACK]}
    return {(str(payment), str(kind)): int(seq) for payment, kind, seq in rows(client, _TAKEN_BACK, asked | kinds)}


def _entry(legs: Sequence[Sequence[Any]], taken: dict[tuple[str, str], int]) -> PostedEntry:
    seq, at, name, cause, payment, payee, document, closed = legs[0][:8]
    kind = EntryKind(name)
    window = orjson.loads(closed) if closed else None
    return PostedEntry(
        seq=seq,
        at=at,
        kind=kind,
        cause=cause,
        payment=payment,
        payee=payee,
        document=document,
        settled=(window["number"], window["subject"]) if window is not None else None,
        takes_back=taken.get((payment, TAKES_BACK[kind]), 0) if kind in TAKES_BACK else 0,
        legs=tuple(PostedLeg(*leg[8:]) for leg in legs),
    )
