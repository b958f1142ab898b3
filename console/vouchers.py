"""`kassa voucher`: batches in stock, what is left of them, what was sold, and whom we owe for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from console.amounts import calendar_day, minor_units
from console.context import broker_settings, load_settings
from console.lookup import find_payee
from console.numbers import fresh_id
from console.options import AsJson, CommandId, Operator, TimeOut
from console.output import listing, major, say
from console.signing import done, give, now
from console.voucher_load import load
from console.voucher_terminal import reprint, reserve
from console.warehouse import opened
from schemas.voucher_command import BlockBatch, DropBatch, PaySupplier, UnblockBatch
from streams.pin_keys import ensure_pin_key, pin_key_file

if TYPE_CHECKING:
    from sinks.vouchers import InStock, Sold

Product = Annotated[str, typer.Argument(metavar="PAYEE", help="The product.")]
BatchName = Annotated[str, typer.Argument(metavar="BATCH", help="The batch's id.")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why: it goes on record.")]
OfProduct = Annotated[str | None, typer.Option("--payee", metavar="PAYEE", help="Of this product only.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Vouchers: load batches, see stock and sales, reserve, print again.", no_args_is_help=True)
    for command in (key, load, stock, report, block, unblock, drop, reserve, reprint):
        group.command(command.__name__)(command)
    group.command("pay-supplier")(pay_supplier)
    app.add_typer(group, name="voucher")


def key(kid: Annotated[str, typer.Argument(metavar="KID", help="The new key's id, such as v1.")]) -> None:
    """Make a key of PINs on this machine: copy its file to every worker before a batch is loaded under it."""
    settings = load_settings()
    made = ensure_pin_key(settings, kid)
    say(f"key {made.kid} of PINs is in {pin_key_file(settings, kid)}: workers need the same file, and nobody else does")


def block(
    payee: Product,
    batch: BatchName,
    reason: Reason,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Stop a batch: none of it is reserved or sold from now on."""
    _standing(BlockBatch(id=command_id or fresh_id(), issued_at=now(), payee=payee, batch=batch, reason=reason),
              "is blocked", operator, time_out)  # fmt: skip


def unblock(
    payee: Product,
    batch: BatchName,
    reason: Reason,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Let a blocked batch be sold again."""
    _standing(UnblockBatch(id=command_id or fresh_id(), issued_at=now(), payee=payee, batch=batch, reason=reason),
              "is for sale again", operator, time_out)  # fmt: skip


def drop(
    payee: Product,
    batch: BatchName,
    reason: Reason,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Give up a batch that was not loaded to its end."""
    _standing(DropBatch(id=command_id or fresh_id(), issued_at=now(), payee=payee, batch=batch, reason=reason),
              "is given up", operator, time_out)  # fmt: skip


def _standing(command: BlockBatch | UnblockBatch | DropBatch, what: str, operator: str | None, time_out: float) -> None:
    answer = give(broker_settings(), command, operator, time_out)
    done(f"batch {command.batch} of {command.payee} {what}", command, answer)


def pay_supplier(
    payee: Product,
    supplier: Annotated[str, typer.Option(metavar="ID", help="Whom we owe for vouchers of this product.")],
    amount: Annotated[str, typer.Option(metavar="AMOUNT", help="What left the bank.")],
    document: Annotated[str, typer.Option(metavar="TEXT", help="Number of the payment order behind it.")],
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Record that a supplier of vouchers was paid from the bank."""
    settings = broker_settings()
    coin = find_payee(settings, payee).currency
    command = PaySupplier(
        id=command_id or fresh_id(), issued_at=now(), payee=payee, supplier=supplier,
        amount=minor_units(amount, coin), currency=coin, document=document,
    )  # fmt: skip
    answer = give(settings, command, operator, time_out)
    done(f"{major(command.amount, coin)} {coin} paid to {supplier} for {payee}", command, answer)


def stock(payee: OfProduct = None, as_json: AsJson = False) -> None:
    """Batches with what was sold of each and what is left; from ClickHouse."""
    from sinks import vouchers

    with opened() as client:
        found = vouchers.in_stock(client, payee or "")
    columns = ("payee", "denomination", "currency", "batch", "supplier", "loaded", "sold", "unsold", "at cost", "until")
    right = ("denomination", "loaded", "sold", "unsold", "at cost")
    listing(found, as_json, columns, map(_stock_line, found), right=right)


def report(
    payee: OfProduct = None,
    from_day: Annotated[
        str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="The first day, UTC. Default: from the first.")
    ] = None,
    to_day: Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="The last day, UTC.")] = None,
    as_json: AsJson = False,
) -> None:
    """What was sold, by product, denomination and agent, with what it cost; from ClickHouse."""
    from sinks import vouchers

    days = [calendar_day(text) if text is not None else None for text in (from_day, to_day)]
    with opened() as client:
        found = vouchers.sold(client, payee or "", *days)
    columns = ("payee", "denomination", "currency", "tree", "agent", "sold", "amount", "cost")
    listing(found, as_json, columns, map(_sold_line, found), right=("denomination", "sold", "amount", "cost"))


def _stock_line(one: InStock) -> tuple[object, ...]:
    until = f"{one.expires_at:%Y-%m-%d %H:%M}" if one.expires_at is not None else "-"
    standing = "blocked" if one.blocked else until
    face, worth = major(one.denomination, one.currency), major(one.cost * one.unsold, one.currency)
    return (one.payee, face, one.currency, one.batch, one.supplier, one.loaded, one.sold, one.unsold, worth, standing)


def _sold_line(one: Sold) -> tuple[object, ...]:
    amounts = (major(minor, one.currency) for minor in (one.amount, one.cost))
    return (one.payee, major(one.denomination, one.currency), one.currency, one.tree, one.agent, one.sold, *amounts)
