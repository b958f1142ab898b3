"""`kassa manual`: what only a person can end, what to find out about it, and the decision."""

from __future__ import annotations

from typing import Annotated

import typer

from console.manual_open import OpenPayment, open_payments
from console.options import AsJson
from console.output import listing, major
from console.payments import resolve


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Payments nobody but a person can end: list, resolve.", no_args_is_help=True)
    group.command("list")(listed)
    group.command("resolve")(resolve)
    app.add_typer(group, name="manual")


def listed(
    older_than: Annotated[
        int, typer.Option(min=0, metavar="S", help="Of what is still asked about, only what was received so long ago.")
    ] = 3_600,
    payee: Annotated[str | None, typer.Option(metavar="PAYEE", help="Of this payee only.")] = None,
    as_json: AsJson = False,
) -> None:
    """All that is MANUAL or REVERSAL_MANUAL, and what is unclear for long, as ClickHouse has it; the oldest first."""
    found = open_payments(older_than, payee)
    columns = ("payment", "state", "payee", "gateway", "txn", "amount", "open for", "tries", "payee said", "find out")
    told, lines = map(OpenPayment.as_json, found), map(_line, found)
    listing(told, as_json, columns, lines, right=("amount", "open for", "tries"))


def _line(one: OpenPayment) -> tuple[object, ...]:
    amount = f"{major(one.amount, one.currency)} {one.currency}"
    said = ", ".join(part for part in (one.said, one.reason) if part) or "-"
    return (one.payment, one.state, one.payee, one.gateway, one.txn, amount, _age(one.age_s), one.tries, said,
            one.find_out)  # fmt: skip


def _age(seconds: int) -> str:
    """ "2 d 3 h", "3 h 20 min", "20 min"."""
    minutes = seconds // 60
    days, hours = minutes // 1_440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
