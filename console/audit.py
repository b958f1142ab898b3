"""`kassa audit`: is everything that the ledger, the topics, the warehouse and the payees say one and the same story?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console

from console.audit_report import print_json, print_report
from console.audit_run import Watching, run_audit
from console.broker import require_topics
from console.context import broker_settings
from console.errors import BadInput
from console.options import AsJson

__all__ = ["audit", "register", "run_audit"]


def register(app: typer.Typer) -> None:
    app.command("audit")(audit)


def audit(
    wait: Annotated[
        float, typer.Option(min=0, max=3600, metavar="S", help="How long the warehouse may take to reach the end.")
    ] = 15,
    simulator: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Also audit the payees simulated there. Default: the local stack's."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read the ledger, the topics around it and the warehouse, and prove that they agree to the last kopeck.

    Exit code 0: every check passed; 1: one failed; 2: it could not look.
    """
    settings = broker_settings()
    if not settings.clickhouse:
        raise BadInput("no warehouse is known: set KASSA_CLICKHOUSE=http://host:8123")
    require_topics(settings)
    with _watching() as watching:
        report = run_audit(settings, simulator=simulator or settings.simulator or None, wait_s=wait, watching=watching)
    if as_json:
        print_json(report)
    else:
        print_report(report)
    if not report.passed:
        raise typer.Exit(1)


@contextmanager
def _watching() -> Iterator[Watching]:
    """On a terminal a line that says what is being looked at; it is gone when all is done."""
    if not sys.stderr.isatty():
        yield lambda what, count: None
        return
    with Console(stderr=True).status("looking") as status:
        yield lambda what, count: status.update(f"{what}: {count}" if count else what)
