"""Vouchers as the warehouse has them: what is in stock, and what was sold. Minor units."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from clickhouse_connect.driver.client import Client

from sinks.warehouse import rows


@dataclass(frozen=True, slots=True)
class InStock:
    """A batch. denomination, cost: of one PIN. unsold: reserved ones too. expires_at: UTC; None: never."""

    payee: str
    denomination: int
    currency: str
    batch: str
    supplier: str
    cost: int
    loaded: int
    sold: int
    unsold: int
    blocked: bool
    expires_at: datetime | None
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Sold:
    """What an agent sold of one denomination. sold: how many; amount, cost: of all of them."""

    payee: str
    denomination: int
    currency: str
    tree: str
    agent: str
    sold: int
    amount: int
    cost: int


_STOCK = """
SELECT payee, denomination, currency, batch, supplier, cost, loaded, sold, unsold, blocked, expires_at, opened_at
FROM voucher_stock
WHERE {payee:String} = '' OR payee = {payee:String}
ORDER BY payee, denomination, opened_at, batch
"""
_SOLD = """
SELECT payee, denomination, currency, tree, agent, count(), sum(denomination), sum(cost)
FROM voucher_sales
WHERE ({payee:String} = '' OR payee = {payee:String}) AND toDate(sold_at) BETWEEN {first:Date} AND {last:Date}
GROUP BY payee, denomination, currency, tree, agent
ORDER BY payee, denomination, currency, tree, agent
"""
_FIRST, _LAST = date(1970, 1, 1), date(2149, 1, 1)


def in_stock(client: Client, payee: str = "") -> list[InStock]:
    """All batches that were loaded to their end, sold out ones too. payee "": of all products."""
    return [
        InStock(*row[:9], bool(row[9]), *row[10:])  # type: ignore[call-arg]
        for row in rows(client, _STOCK, {"payee": payee})
    ]


def sold(client: Client, payee: str = "", first: date | None = None, last: date | None = None) -> list[Sold]:
    """Sales of these days, UTC; None: all there are."""
    asked = {"payee": payee, "first": first or _FIRST, "last": last or _LAST}
    return [Sold(*row) for row in rows(client, _SOLD, asked)]
