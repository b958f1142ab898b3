"""Builders of cash collections."""

from __future__ import annotations

from typing import Any

from schemas.cash import CollectCash
from streams.ledger.commands import Instruct
from tests.builders import NOW, an_instruct


def a_collection(
    counted: dict[str, int] | int = 0, terminal: str = "kiosk-1", agent: str = "S", tree: str = "A", **changes: Any
) -> Instruct:
    """counted: denomination -> pieces; or minor units, in single ones."""
    if isinstance(counted, int):
        counted = in_pieces(counted)
    values: dict[str, Any] = {
        "id": f"collect-{terminal}",
        "issued_at": NOW,
        "tree": tree,
        "terminal": terminal,
        "agent": agent,
        "currency": "RUB",
        "counted": counted,
        "bag": "Bag 17",
    }
    return an_instruct(CollectCash(**values | changes))


def in_pieces(amount: int) -> dict[str, int]:
    """An amount as a thousand of a note at most, and coins."""
    notes, coins = divmod(amount, 1_000)
    return {worth: pieces for worth, pieces in (("1000", notes), ("1", coins)) if pieces}
