"""Builders of charts of accounts: a Russian bank's numbers, in RUB if nothing else is said."""

from __future__ import annotations

from typing import Any

from schemas.account_kinds import ACCOUNT_KINDS
from schemas.chart import Chart, SetChart
from streams.ledger.commands import Instruct
from tests.builders import NOW, an_instruct

_CODES = {"RUB": "810", "USD": "840", "JPY": "392", "KWD": "414"}
_BALANCE_ACCOUNTS = {"agent": "40821", "hold": "40821", "payee": "40911", "fee": "70601", "reward": "70601",
                     "bank": "30102", "cash": "20208", "cash-taken": "20208"}  # fmt: skip


def numbers(currency: str = "RUB", **changes: str) -> dict[str, str]:
    """Twenty digits for each kind of account, no two alike; changes name kinds, "" leaves one out."""
    found = {
        kind: f"{_BALANCE_ACCOUNTS.get(kind, '47422')}{_CODES[currency]}{number:012}"
        for number, kind in enumerate(ACCOUNT_KINDS, 1)
    }
    return {kind: number for kind, number in (found | changes).items() if number}


def a_chart(version: int = 1, currencies: tuple[str, ...] = ("RUB",), **changes: Any) -> Chart:
    values: dict[str, Any] = {
        "version": version,
        "branch": "0017",
        "digits": r"\d{20}",
        "accounts": {currency: numbers(currency) for currency in currencies},
    }
    return Chart(**values | changes)


def set_chart(chart: Chart | None = None, command_id: str = "chart-1") -> Instruct:
    return an_instruct(SetChart(id=command_id, issued_at=NOW, chart=chart if chart is not None else a_chart()))
