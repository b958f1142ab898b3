"""Charts of accounts: which may be set."""

from __future__ import annotations

import re
from typing import Any

from schemas.account_kinds import ACCOUNT_KINDS
from schemas.chart import Chart, SetChart
from schemas.refusal import Refusal
from streams.ledger.objections import Objection
from streams.ledger.state import Book


def new_chart(book: Book, order: SetChart) -> dict[str, Any] | Objection:
    """The record as it will stand. A closed window is posted by the version of its time, so that means one chart."""
    chart = order.chart
    if book.record is not None and chart.version <= book.record.value["version"]:
        on_file = book.record.value["version"]
        return Objection(Refusal.OTHER, f"version {on_file} is on file; the next chart {_of(chart)} must be above it")
    wrong = first_fault(chart)
    if wrong is not None:
        return Objection(Refusal.OTHER, wrong)
    return chart.model_dump(mode="json")


def first_fault(chart: Chart) -> str | None:
    """A kind of account without a number, a number of no kind, or one of another format, as a sentence."""
    digits = re.compile(chart.digits, re.ASCII)
    for currency, numbers in sorted(chart.accounts.items()):
        for kind in ACCOUNT_KINDS.values():
            if kind.name not in numbers:
                return f"the chart has no {currency} account for {kind.name}: {kind.what}"
        for name, number in sorted(numbers.items()):
            if name not in ACCOUNT_KINDS:
                return f"the chart has a {currency} account for {name}, which is none of {', '.join(ACCOUNT_KINDS)}"
            if not digits.fullmatch(number):
                return f"{number}, the {currency} account for {name}, does not have the chart's format {chart.digits}"
    return None


def _of(chart: Chart) -> str:
    return f"of tree {chart.tree}" if chart.tree else "of all trees"
