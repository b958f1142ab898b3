"""Builders of commands about an agent's currencies."""

from __future__ import annotations

from typing import Any

from schemas.currency_command import OpenCurrency
from streams.ledger.commands import Instruct
from tests.builders import NOW, an_instruct


def open_currency(agent: str = "A", currency: str = "USD", tree: str = "A", **changes: Any) -> Instruct:
    values: dict[str, Any] = {"id": f"currency-{agent}-{currency}", "issued_at": NOW, "tree": tree, "agent": agent}
    return an_instruct(OpenCurrency(**values | {"currency": currency} | changes))
