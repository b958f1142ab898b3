"""`kassa change`: what payers have put in beyond a price, and what was taken for payments that were not made."""

from __future__ import annotations

from typing import Annotated

import typer

from console.amounts import minor_units
from console.change_bring import bring
from console.change_kept import account_named, statement
from console.change_reclaim import reclaim
from console.change_send import send_change
from console.change_standing import block, listed, unblock
from console.context import broker_settings
from console.errors import NotFound
from console.lookup import find_agent
from console.numbers import fresh_id
from console.options import AsJson, CommandId, CurrencyOf, Operator, TimeOut, Tree
from console.output import listing, major
from console.signing import done, give, now
from console.warehouse import named
from schemas.command import PayOutChange

Code = Annotated[str | None, typer.Option(metavar="CODE", help="The code on the payer's receipt.")]
Payment = Annotated[str | None, typer.Option(metavar="PAYMENT", help="Of change without a code: its payment.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Payers' change: list, show, send, bring, pay-out, reclaim, block.", no_args_is_help=True)
    group.command("show")(show)
    group.command("send")(send_change)
    group.command("bring")(bring)
    group.command("pay-out")(pay_out)
    group.command("reclaim")(reclaim)
    group.command("block")(block)
    group.command("unblock")(unblock)
    group.command("list")(listed)
    app.add_typer(group, name="change")


def show(code: Code = None, payment: Payment = None, as_json: AsJson = False) -> None:
    """Every line of the change under a code, as ClickHouse has it; the last balance is what is left."""
    account = account_named(code, payment)
    lines = statement(account)
    if not lines:
        raise NotFound("no change was ever kept under this")
    columns = ("tree", "at", "kind", "amount", "balance", "currency", "payment")
    shown = ((tree, f"{at:%Y-%m-%d %H:%M:%S}", kind, major(amount, coin), major(balance, coin), coin, of or "-")
             for tree, at, kind, amount, balance, coin, of in lines)  # fmt: skip
    listing((named(columns, line) for line in lines), as_json, columns, shown, right=("amount", "balance"))


def pay_out(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="Who gave the payer the cash.")],
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="How much of it, such as 177.50.")],
    evidence: Annotated[str, typer.Option(metavar="TEXT", help="The payer's receipt or letter: it goes on record.")],
    code: Code = None,
    payment: Payment = None,
    currency: CurrencyOf = None,
    tree: Tree = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """An agent gave a payer cash for change: so much of it is the agent's money now."""
    account_named(code, payment)
    settings = broker_settings()
    there = find_agent(settings, agent, tree, currency)
    command = PayOutChange(
        id=command_id or fresh_id(),
        issued_at=now(),
        tree=there.tree,
        agent=agent,
        code=code,
        payment=payment,
        amount=minor_units(amount, there.currency),
        currency=there.currency,
        evidence=evidence,
    )
    answer = give(settings, command, operator, time_out)
    done(f"{major(command.amount, there.currency)} {there.currency} of change is {agent}'s", command, answer)
