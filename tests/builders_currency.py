"""Builders of commands about an agent's currencies."""

from __future__ import annotations

from typing import Any

from schemas.currency_command import Exchange, OpenCurrency
from streams.ledger.commands import Instruct
from tests.builders import NOW, an_instruct


def open_currency(agent: str = "A", currency: str = "USD", tree: str = "A", **changes: Any) -> Instruct:
    values: dict[str, Any] = {"id": f"currency-{agent}-{currency}", "issued_at": NOW, "tree": tree, "agent": agent}
    return an_instruct(OpenCurrency(**values | {"currency": currency} | changes))


def an_exchange(give: int = 100_000, take: int = 1_250, rate: str = "0.0125", **changes: Any) -> Instruct:
    """S gives 1000.00 RUB for 12.50 USD."""
    values: dict[str, Any] = {"id": "exchange-1", "issued_at": NOW, "tree": "A", "agent": "S", "document": "Deal 5"}
    values |= {"give": give, "give_currency": "RUB", "take": take, "take_currency": "USD", "rate": rate}
    return an_instruct(Exchange(**values | changes))
