"""Whom the operator must pay after payees' windows were closed, how much, and under which reference."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from clickhouse_connect.driver.client import Client

from schemas.money import Money
from sinks.settlement.windows import ClosedWindow, SettlementError, closed_windows, find_window, positions_of
from sinks.warehouse import rows


@dataclass(frozen=True, slots=True)
class Instruction:
    """One payment the operator's bank is to make. reference: the same whenever it is made, at most 35 characters."""

    payee: str
    name: str
    window: int
    amount: Money
    reference: str
    purpose: str


_PAID_OUT = """
SELECT currency, sum(amount)
FROM legs FINAL
WHERE partition = {partition:UInt16} AND offset = {offset:Int64} AND account = 'bank'
GROUP BY currency
"""

_NAMES = "SELECT id, name FROM payees FINAL"


def instructions(client: Client, tree: str, payee: str, number: int) -> list[Instruction]:
    """Of one window of a payee; with payee "", of all that were closed within that window of the tree.

    Raises NotClosed; SettlementError when what a closing fixed is not what its entry moved.
    """
    window = find_window(client, tree, payee, number)
    names = {str(id): str(name) for id, name in rows(client, _NAMES)}
    return [
        Instruction(
            payee=one.payee,
            name=names.get(one.payee, one.payee),
            window=one.number,
            amount=amount,
            reference=reference_of(one, amount.currency),
            purpose=f"Settlement with {one.payee}, window {one.number} of tree {tree}, closed {one.closed_at:%d.%m.%Y}",
        )
        for one in ([window] if payee else _within(client, window))
        for amount in _due(client, one)
    ]


def totals(found: Iterable[Instruction]) -> list[Money]:
    """What is to be paid in all, by currency."""
    sums: dict[str, int] = defaultdict(int)
    for one in found:
        sums[one.amount.currency] += one.amount.minor
    return [Money(minor, currency) for currency, minor in sorted(sums.items())]


def reference_of(window: ClosedWindow, currency: str) -> str:
    """Under which this window of a payee is paid."""
    return payout_reference(window.tree, window.payee, window.number, currency)


def payout_reference(tree: str, payee: str, number: int, currency: str) -> str:
    """ "S12-RUB-" and 16 letters and digits that only this tree, payee, window and currency have."""
    named = f"{tree}\n{payee}\n{number}\n{currency}".encode()
    mark = base64.b32encode(blake2b(named, digest_size=10).digest()).decode()
    return f"S{number}-{currency}-{mark}"


def _within(client: Client, window: ClosedWindow) -> list[ClosedWindow]:
    every = closed_windows(client, window.tree)
    return [one for one in every if one.payee and window.first_entry <= one.last_entry <= window.last_entry]


def _due(client: Client, window: ClosedWindow) -> Sequence[Money]:
    due = {one.currency: one.settled for one in positions_of(client, window) if one.settled}
    moved = {
        str(currency): int(amount)
        for currency, amount in rows(client, _PAID_OUT, {"partition": window.partition, "offset": window.offset})
    }
    if due != moved:
        raise SettlementError(
            f"window {window.number} of {window.subject} says {due}, its entry moved {moved}: run `kassa audit`"
        )
    return [Money(minor, currency) for currency, minor in sorted(due.items())]
