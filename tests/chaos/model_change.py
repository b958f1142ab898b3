"""What must become of payers' change."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.chaos.model_terms import Book

_OTHER = 300


def mark_of(code: str) -> str:
    """As docs/terminal-makers.md says it."""
    return hashlib.blake2b(code.encode(), digest_size=16).hexdigest()


def spent_of(order: dict[str, Any]) -> dict[str, int]:
    """What a signed order spends of change: fingerprint -> minor units, in its order."""
    return {mark_of(one["code"]): one["amount"] for one in order.get("change_from", ())}


def not_spent(book: Book, order: dict[str, Any]) -> int:
    """The code, 0: all that the order wants to spend is there."""
    there = {mark: book.ends.get((f"change:{mark}", order["currency"]), (0, 0))[1] for mark in spent_of(order)}
    return _OTHER if any(there[mark] < amount for mark, amount in spent_of(order).items()) else 0
