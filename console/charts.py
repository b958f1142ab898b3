"""`kassa chart`: which account at the bank each kind of ledger account is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.chart_file import read_chart
from console.context import broker_settings
from console.errors import NotFound, Refused
from console.lookup import charts
from console.numbers import fresh_id
from console.options import AsJson, CommandId, Operator, TimeOut
from console.output import json_line, pairs, rows, say
from console.repeats import sent_before
from console.signing import done, give, now
from schemas.account_kinds import ACCOUNT_KINDS
from schemas.chart import COMMON, SetChart
from schemas.refusal import Refusal
from streams.ledger.charts import first_fault
from streams.settings import Settings

TreeChart = Annotated[
    str | None, typer.Option("--tree", metavar="ROOT", help="The tree's own chart. None: that of all other trees.")
]
ChartFile = Annotated[Path, typer.Argument(metavar="FILE", help="TOML or JSON: branch, digits, accounts by currency.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Charts of accounts: set, check, show.", no_args_is_help=True)
    group.command("set")(set_chart)
    group.command("check")(check_chart)
    group.command("show")(show_chart)
    app.add_typer(group, name="chart")


def set_chart(
    file: ChartFile,
    tree: TreeChart = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Set the chart of accounts. Windows closed from then on are posted by it, those closed before by what was then."""
    settings = broker_settings()
    chart = read_chart(file, tree, _version(settings, tree, command_id))
    command = SetChart(id=command_id or fresh_id(), issued_at=now(), chart=chart)
    answer = give(settings, command, operator, time_out)
    done(f"version {chart.version} of the chart of {_whose(tree)} is in force", command, answer)


def check_chart(file: ChartFile) -> None:
    """Say whether a chart would be taken, and send nothing. Exit code 1: it would not."""
    chart = read_chart(file, None, 1)
    wrong = first_fault(chart)
    if wrong is not None:
        raise Refused(str(file), Refusal.OTHER.code, wrong)
    say(f"{file}: all {len(ACCOUNT_KINDS)} kinds of accounts have a number in {', '.join(sorted(chart.accounts))}")


def show_chart(tree: TreeChart = None, as_json: AsJson = False) -> None:
    """The chart in force, and what each kind of account is. --json: as a file for `chart set`."""
    chart = charts(broker_settings()).get(tree or COMMON)
    if chart is None:
        raise NotFound(f"there is no chart of {_whose(tree)}: `kassa chart set` sets one")
    if as_json:
        json_line(chart)
        return
    pairs({"chart of": _whose(tree), "version": chart.version, "branch": chart.branch, "digits": chart.digits})
    currencies = sorted(chart.accounts)
    lines = (
        (kind.name, kind.normal, *(chart.number(kind.name, currency) or "-" for currency in currencies), kind.what)
        for kind in ACCOUNT_KINDS.values()
    )
    rows(("account", "normal", *currencies, "what it is"), lines)


def _version(settings: Settings, tree: str | None, command_id: str | None) -> int:
    """The next version; of an order given again under its own --id, the one it had."""
    before = sent_before(settings, command_id) if command_id is not None else None
    if before is not None and before.get("kind") == "chart.set":
        return int(before["chart"]["version"])
    on_file = charts(settings).get(tree or COMMON)
    return on_file.version + 1 if on_file is not None else 1


def _whose(tree: str | None) -> str:
    return f"tree {tree}" if tree else "all trees"
