"""The demo's end of the day: every window is closed, and finance has its files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson

from console.demo_network import TREES, agents_below, payees
from console.output import say
from console.statements import COLUMNS, as_json, lines_of
from schemas.command import CloseWindow
from sinks.settlement.instructions import instructions, totals
from sinks.settlement.statement import of_window
from sinks.settlement.tables import semicolons
from sinks.warehouse import open_warehouse
from streams.settings import Settings

_FIRST = 1


def payees_windows() -> Iterator[CloseWindow]:
    """Close the first window of every payee in every tree, which pays the payees out."""
    for tree in TREES:
        for payee in payees():
            yield _close(tree, payee.id)


def trees_windows() -> Iterator[CloseWindow]:
    """And then those of the trees, so that they have the payments out in them."""
    return (_close(tree, None) for tree in TREES)


def write_files(settings: Settings, out: Path) -> None:
    """Each agent's statement as CSV and JSON, and whom the operator must pay, of the windows just closed."""
    out.mkdir(parents=True, exist_ok=True)
    written = 0
    with open_warehouse(settings) as client:
        for tree in TREES:
            due = instructions(client, tree, "", _FIRST)
            rows = [(one.payee, one.amount, one.amount.currency, one.reference, one.purpose) for one in due]
            ends = [("Total:", total, total.currency, "", "") for total in totals(due)]
            columns = ("payee", "amount", "currency", "reference", "purpose")
            _write(out / f"{tree}_{_FIRST}_instructions.csv", semicolons(columns, [*rows, *ends]))
            written += 1
            for agent in (tree, *(name for name, _, _ in agents_below(tree))):
                for statement in of_window(client, tree, agent, _FIRST):
                    name = out / f"{agent}_{_FIRST}_statement"
                    _write(name.with_suffix(".csv"), semicolons(COLUMNS, lines_of(statement)))
                    _write(name.with_suffix(".json"), orjson.dumps(as_json(statement)).decode() + "\n")
                    written += 2
    say(f"{len(TREES)} trees settled: {written} statements and instructions in {out}")


def _close(tree: str, payee: str | None) -> CloseWindow:
    id = f"demo.close.{tree}.{payee or ''}.{_FIRST}"
    return CloseWindow(id=id, issued_at=datetime.now(UTC), tree=tree, payee=payee, number=_FIRST)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")
