"""Numbered registries as the warehouse has them: what was cut, its lines, and how the payee answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from clickhouse_connect.driver.client import Client

from schemas.registry import RegistryCut, RegistryLine, chained
from sinks.registries.day import RegistryError
from sinks.warehouse import rows


@dataclass(frozen=True, slots=True)
class NumberedRegistry:
    """One row of view `registries`. state: as there; times in ms UTC, 0: not yet."""

    payee: str
    number: int
    state: str
    cut: RegistryCut
    accepted: int
    rejected: int
    delivered_at: int
    delivered_how: str
    evidence: str


@dataclass(frozen=True, slots=True)
class NumberedLine:
    """One row of view `registry_lines`. answer: "accepted", "rejected" or ""."""

    place: int
    line: RegistryLine
    answer: str
    reason: str


_REGISTRIES = """
SELECT
    payee, number, state, lines, total, currency, digest, ifNull(toUnixTimestamp64Milli(since), 0),
    ifNull(toUnixTimestamp64Milli(cut_at), 0), ifNull(toUnixTimestamp64Milli(due_at), 0), form, time_zone, accepted,
    rejected, ifNull(toUnixTimestamp64Milli(delivered_at), 0), delivered_how, evidence
FROM registries
WHERE ({payee:String} = '' OR payee = {payee:String}) AND ({number:UInt64} = 0 OR number = {number:UInt64})
ORDER BY payee, number
"""

_LINES = """
SELECT
    line, txn, payment_id, tree, subscriber, amount, currency, toUnixTimestamp64Milli(paid_at), answer, reason
FROM registry_lines
WHERE payee = {payee:String} AND number = {number:UInt64}
ORDER BY line
"""


def registries(client: Client, payee: str = "", number: int = 0) -> list[NumberedRegistry]:
    """Of all payees or one, all numbers or one. Raises WarehouseAway."""
    return [_registry(row) for row in rows(client, _REGISTRIES, {"payee": payee, "number": number})]


def find_registry(client: Client, payee: str, number: int) -> NumberedRegistry:
    """Raises RegistryError, WarehouseAway."""
    found = registries(client, payee, number)
    if not found:
        raise RegistryError(f"the warehouse has no registry {number} of payee {payee}")
    return found[0]


def lines_of(client: Client, registry: NumberedRegistry) -> list[NumberedLine]:
    """All its lines, in order. Raises RegistryError where the warehouse has not all of them yet, WarehouseAway."""
    found = [_line(row) for row in rows(client, _LINES, {"payee": registry.payee, "number": registry.number})]
    if registry.state != "open" and digest_of(found) != registry.cut.digest:
        raise RegistryError(
            f"registry {registry.number} of payee {registry.payee} has {registry.cut.lines} lines, and the warehouse "
            f"has not all of them yet: is the sink running?"
        )
    return found


def digest_of(lines: Sequence[NumberedLine]) -> str:
    digest = ""
    for one in lines:
        digest = chained(digest, one.line)
    return digest


def _registry(row: Sequence[Any]) -> NumberedRegistry:
    payee, number, state, lines, total, currency, digest, since, cut_at, due_at, form, zone, *rest = row
    cut = RegistryCut(lines, total, currency, digest, since, cut_at, due_at, form, zone)
    return NumberedRegistry(payee, number, state, cut, *rest)


def _line(row: Sequence[Any]) -> NumberedLine:
    place, txn, payment, tree, subscriber, amount, currency, paid_at, answer, reason = row
    line = RegistryLine(txn, payment, tree, orjson.loads(subscriber), amount, currency, paid_at)
    return NumberedLine(place, line, answer, reason)
