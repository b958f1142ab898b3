"""`kassa tariff`: what a payment costs the payer, and what it earns the agents and the operator."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from console.amounts import basis_points, minor_units, percentage
from console.context import broker_settings
from console.errors import NotFound
from console.lookup import payees, tariffs
from console.numbers import fresh_id
from console.options import AsJson, CommandId, Operator, TimeOut
from console.output import json_line, rows
from console.repeats import sent_before
from console.signing import done, give, now
from schemas.command import SetTariff
from schemas.money import Money
from schemas.tariff import Fee, Rate, Tariff
from streams.settings import Settings


class FeeBase(StrEnum):
    """What the fee is a percentage of."""

    AMOUNT = "amount"
    COLLECTED = "collected"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Tariffs: set, list.", no_args_is_help=True)
    group.command("set")(set_tariff)
    group.command("list")(list_tariffs)
    app.add_typer(group, name="tariff")


def set_tariff(
    payee: Annotated[str, typer.Argument(metavar="PAYEE", help="The payee it is the tariff of.")],
    fee: Annotated[str, typer.Option(metavar="PERCENT", help="What the payer pays on top, such as 5%.")] = "0%",
    fee_base: Annotated[
        FeeBase, typer.Option(help="A percentage of what the payee receives, or of everything put in.")
    ] = FeeBase.AMOUNT,
    fee_min: Annotated[str, typer.Option(metavar="AMOUNT", help="The fee is at least this.")] = "0",
    fee_max: Annotated[str | None, typer.Option(metavar="AMOUNT", help="The fee is at most this.")] = None,
    processing: Annotated[
        str, typer.Option(metavar="PERCENT", help="What the operator takes from the agent, of the amount.")
    ] = "0%",
    reward: Annotated[str, typer.Option(metavar="PERCENT", help="What the payee gives, of the amount.")] = "0%",
    share: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PERCENT", help="Of the reward: the agent's share, then the one's above it, …; the rest: operator."
        ),
    ] = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Set a payee's tariff. Payments from then on follow it, earlier ones keep theirs."""
    settings = broker_settings()
    record = payees(settings).get(payee)
    if record is None:
        raise NotFound(f"there is no payee {payee!r}: `kassa payee list` shows all")
    tariff = Tariff(
        payee=payee,
        version=_version(settings, payee, command_id),
        fee=Fee(
            rate_bps=basis_points(fee),
            min_minor=minor_units(fee_min, record.currency),
            max_minor=minor_units(fee_max, record.currency) if fee_max is not None else None,
            base=fee_base.value,
        ),
        processing=Rate(rate_bps=basis_points(processing)),
        reward=Rate(rate_bps=basis_points(reward)),
        reward_shares_bps=tuple(basis_points(one) for one in share or ()),
    )
    command = SetTariff(id=command_id or fresh_id(), issued_at=now(), tariff=tariff)
    answer = give(settings, command, operator, time_out)
    done(f"tariff {tariff.version} of payee {payee} is in force", command, answer)


def _version(settings: Settings, payee: str, command_id: str | None) -> int:
    """The next version; of an order given again under its own --id, the one it had."""
    before = sent_before(settings, command_id) if command_id is not None else None
    if before is not None and before.get("kind") == "tariff.set":
        return int(before["tariff"]["version"])
    on_file = tariffs(settings).get(payee)
    return on_file.version + 1 if on_file is not None else 1


def list_tariffs(as_json: AsJson = False) -> None:
    """All tariffs in force."""
    settings = broker_settings()
    found = tariffs(settings).values()
    if as_json:
        for one in found:
            json_line(one.model_dump(mode="json"))
        return
    currencies = {payee.id: payee.currency for payee in payees(settings).values()}
    columns = ("payee", "version", "fee", "processing", "reward", "shares of the reward")
    rows(columns, (_line(one, currencies.get(one.payee)) for one in found), right=("version",))


def _line(one: Tariff, currency: str | None) -> tuple[object, ...]:
    shares = ", ".join(percentage(bps) for bps in one.reward_shares_bps) or "-"
    fee = f"{_rate(one.fee, currency)} of the {one.fee.base}"
    return (one.payee, one.version, fee, _rate(one.processing, currency), _rate(one.reward, currency), shares)


def _rate(rate: Rate, currency: str | None) -> str:
    def amount(minor: int) -> str:
        return str(Money(minor, currency)) if currency else f"{minor} minor units"

    floor = f", at least {amount(rate.min_minor)}" if rate.min_minor else ""
    ceiling = f", at most {amount(rate.max_minor)}" if rate.max_minor is not None else ""
    return percentage(rate.rate_bps) + floor + ceiling
