"""Which charts of accounts may be set: newer than the one on file, with a number of its format for every account."""

from __future__ import annotations

import re
from typing import Any

from schemas.chart import SetChart
from tests.chaos.model_terms import Book

# What the books have accounts of, said here once more.
_ACCOUNTS = {
    "agent", "hold", "payee", "change", "fee", "reward", "bank", "clearing", "exchange", "unclaimed", "agent-fees",
    "cash", "cash-taken", "voucher-stock", "supplier",
}  # fmt: skip


def charted(book: Book, order: SetChart) -> dict[str, Any] | None:
    """The record as it will be on file; None: it is refused."""
    value = order.chart.model_dump(mode="json")
    if book.record is not None and book.record["version"] >= value["version"]:
        return None
    for numbers in value["accounts"].values():
        if numbers.keys() != _ACCOUNTS or any(
            re.fullmatch(value["digits"], number, re.ASCII) is None for number in numbers.values()
        ):
            return None
    return value
