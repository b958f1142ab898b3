"""The demo's end of the day: every window is closed, and finance has its files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson

from console import demo_protocols as protocols
from console.demo_network import CURRENCY, TREES, agents_below, payees
from console.output import say
from console.postings import write
from console.statements import COLUMNS, as_json, lines_of
from schemas.account_kinds import ACCOUNT_KINDS
from schemas.chart import Chart, SetChart
from schemas.command import CloseWindow
from sinks.postings.batch import batch_of
from sinks.settlement.instructions import instructions, totals
from sinks.settlement.statement import of_window
from sinks.settlement.tables import semicolons
from sinks.warehouse import open_warehouse
from sinks.whole_file import whole_file
from streams.settings import Settings

_FIRST = 1


def payees_windows() -> Iterator[CloseWindow]:
    """Close the first window of every payee in every tree, which pays the payees out."""
    for tree in TREES:
        for payee in (*payees(), *protocols.payees()):
            yield _close(tree, payee.id)


def trees_windows() -> Iterator[CloseWindow]:
    """And then those of the trees, so that they have the payments out in them."""
    return (_close(tree, None) for tree in TREES)


def chart() -> SetChart:
    """The numbers at the bank of every kind of account, for all trees."""
    accounts = {
        currency: {
            kind: f"{_BALANCE_ACCOUNTS.get(kind, '47422')}{digits}{n:012}" for n, kind in enumerate(ACCOUNT_KINDS, 1)
        }
        for currency, digits in ((CURRENCY, "810"), ("USD", "840"))
    }
    record = Chart(branch="0001", digits=r"\d{20}", accounts=accounts)
    return SetChart(id="demo.SetChart", issued_at=datetime.now(UTC), chart=record)


# Of a Russian bank: agents' special accounts, accepted payments, income, correspondent, cash in kiosks; the rest 47422.
_BALANCE_ACCOUNTS = {
    "agent": "40821", "hold": "40821", "payee": "40911", "change": "40911", "fee": "70601", "reward": "70601",
    "agent-fees": "70601", "bank": "30102", "cash": "20208", "cash-taken": "20208",
    "voucher-stock": "10201", "supplier": "60311",
}  # fmt: skip


def write_files(settings: Settings, out: Path) -> None:
    """Of the windows just closed: each agent's statement as CSV and JSON, whom to pay, and bank postings."""
    out.mkdir(parents=True, exist_ok=True)
    written = 0
    with open_warehouse(settings) as client:
        for tree in TREES:
            due = instructions(client, tree, "", _FIRST)
            rows = [(one.payee, one.amount, one.amount.currency, one.reference, one.purpose) for one in due]
            ends = [("Total:", total, total.currency, "", "") for total in totals(due)]
            columns = ("payee", "amount", "currency", "reference", "purpose")
            _write(out / f"{tree}_{_FIRST}_instructions.csv", semicolons(columns, [*rows, *ends]))
            with whole_file(out / f"{tree}_{_FIRST}_postings.csv") as file:
                write(batch_of(client, tree, _FIRST), file)
            written += 2
            for agent in (tree, *(name for name, _, _ in agents_below(tree))):
                for statement in of_window(client, tree, agent, _FIRST):
                    name = out / f"{agent}_{_FIRST}_statement"
                    _write(name.with_suffix(".csv"), semicolons(COLUMNS, lines_of(statement)))
                    _write(name.with_suffix(".json"), orjson.dumps(as_json(statement)).decode() + "\n")
                    written += 2
    say(f"{len(TREES)} trees settled: {written} statements, instructions and bank postings in {out}")


def _close(tree: str, payee: str | None) -> CloseWindow:
    id = f"demo.close.{tree}.{payee or ''}.{_FIRST}"
    return CloseWindow(id=id, issued_at=datetime.now(UTC), tree=tree, payee=payee, number=_FIRST)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")
